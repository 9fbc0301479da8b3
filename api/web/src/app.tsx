// The page: its head, the view that the address names, the live connection, the question for a token.

import { render } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { forgetToken, hasToken, onUnauthorized, setToken } from "./api";
import { Docs } from "./docs/view";
import { type Live, LiveContext, useLiveSource, useRoute } from "./hooks";
import { JobView } from "./job/view";
import { Jobs } from "./jobs/view";
import { Overview } from "./overview/view";
import { showAll } from "./rendered";
import type { Route } from "./route";
import { Run } from "./run/view";
import { applyTheme, readTheme, THEMES, type Theme } from "./theme";
import { noteMove, sentence, Title } from "./ui";
import { TokenDialog } from "./token";

// The server sends the same page for this address, which is easier to remember.
if (location.pathname === "/docs") history.replaceState(null, "", "/#/docs");
applyTheme(readTheme());
showAll();

const NAV: [string, string, string][] = [
  ["", "#/", "Overview"],
  ["jobs", "#/jobs", "Jobs"],
  ["run", "#/run", "Run a job"],
  ["docs", "#/docs", "REST API"],
];

function App() {
  const route = useRoute();
  const live = useLiveSource();
  const [asked, setAsked] = useState<{ answer: (given: boolean) => void; refused: boolean } | null>(
    null,
  );
  useEffect(
    () =>
      onUnauthorized(
        () => new Promise<boolean>((answer) => setAsked({ answer, refused: hasToken() })),
      ),
    [],
  );
  useFocusOnView(route);
  return (
    <LiveContext.Provider value={live}>
      <a
        class="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault();
          document.getElementById("main")!.focus();
        }}
      >
        Skip to the content
      </a>
      <header class="bar">
        <div class="bar-in">
          <a class="brand" href="#/">
            ZeroG
          </a>
          <nav aria-label="Main">
            {NAV.map(([name, link, title]) => (
              <a
                key={name}
                href={link}
                aria-current={(route.path[0] ?? "") === name ? "page" : undefined}
              >
                {title}
              </a>
            ))}
          </nav>
          <div class="bar-end">
            <Connection live={live} />
            {hasToken() && (
              <button
                type="button"
                class="quiet"
                onClick={() => {
                  forgetToken();
                  location.reload();
                }}
              >
                Forget token
              </button>
            )}
            <ThemeSwitch />
          </div>
        </div>
      </header>
      <main id="main" class="page" tabIndex={-1}>
        {live.trouble && (
          <p class="banner" role="alert">
            {sentence(live.trouble)} What you see may be old.
          </p>
        )}
        <View route={route} />
      </main>
      {asked && (
        <TokenDialog
          refused={asked.refused}
          done={(token) => {
            if (token !== null) setToken(token);
            setAsked(null);
            asked.answer(token !== null);
          }}
        />
      )}
    </LiveContext.Provider>
  );
}

function View({ route }: { route: Route }) {
  switch (route.path[0]) {
    case undefined:
      return <Overview />;
    case "jobs":
      return route.path[1] ? (
        <JobView key={route.path[1]} uuid={route.path[1]} marked={route.query.get("line")} />
      ) : (
        <Jobs route={route} />
      );
    case "run":
      return <Run route={route} />;
    case "docs":
      return <Docs />;
    default:
      return (
        <div class="view">
          <Title>There is no such page</Title>
          <p>
            <a href="#/">To the overview</a>
          </p>
        </div>
      );
  }
}

/** Another view begins at its heading: for the keyboard, and so that a screen reader says it. */
function useFocusOnView(route: Route) {
  const path = route.path.join("/");
  const first = useRef(true);
  useEffect(() => {
    if (first.current) {
      first.current = false;
      return;
    }
    noteMove();
    scrollTo(0, 0);
    document.querySelector<HTMLElement>("main h1")?.focus({ preventScroll: true });
  }, [path]);
}

function Connection({ live }: { live: Live }) {
  const away = live.connection === "live" && live.trouble !== null;
  const [kind, text] = away ? ["away", "Not up to date"] : CONNECTION[live.connection];
  return (
    <span class={`connection connection-${kind}`} role="status">
      <span class="dot" aria-hidden="true" />
      {text}
    </span>
  );
}

const CONNECTION: Record<Live["connection"], [string, string]> = {
  connecting: ["connecting", "Connecting"],
  live: ["live", "Live"],
  quiet: ["connecting", "No signal"],
  lost: ["lost", "Reconnecting"],
  stopped: ["lost", "Not connected"],
};

const THEME_WORDS: Record<Theme, string> = {
  auto: "Theme: system",
  light: "Theme: light",
  dark: "Theme: dark",
};

function ThemeSwitch() {
  const [theme, setTheme] = useState(readTheme);
  return (
    <select
      class="theme"
      aria-label="Theme"
      value={theme}
      onChange={(event) => {
        const chosen = event.currentTarget.value as Theme;
        applyTheme(chosen);
        setTheme(chosen);
      }}
    >
      {THEMES.map((item) => (
        <option key={item} value={item}>
          {THEME_WORDS[item]}
        </option>
      ))}
    </select>
  );
}

render(<App />, document.getElementById("app")!);
