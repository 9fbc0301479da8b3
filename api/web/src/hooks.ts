// What several views share: the route, the clock, the live overview, a loaded document.

import { createContext } from "preact";
import { useCallback, useContext, useEffect, useRef, useState } from "preact/hooks";
import { ApiError, follow, get } from "./api";
import { type Route, routeOf } from "./route";
import { shown } from "./shown";
import type { Overview, Stats } from "./types";
import type { Connection } from "./watchdog";

export function useRoute(): Route {
  const [route, setRoute] = useState(() => routeOf(location.hash));
  useEffect(() => {
    const changed = () => setRoute(routeOf(location.hash));
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return route;
}

/** The time, so often. */
export function useNow(milliseconds = 1000): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), milliseconds);
    return () => clearInterval(timer);
  }, [milliseconds]);
  return now;
}

/** Whether somebody can see the page: a hidden one listens to nothing. */
export function useVisible(): boolean {
  const [visible, setVisible] = useState(!document.hidden);
  useEffect(() => {
    const changed = () => setVisible(!document.hidden);
    document.addEventListener("visibilitychange", changed);
    return () => document.removeEventListener("visibilitychange", changed);
  }, []);
  return visible;
}

export interface Live {
  overview: Overview | null;
  stats: Stats | null;
  connection: Connection;
  /** What is away, or why there is no connection. */
  trouble: string | null;
}

export const LiveContext = createContext<Live>({
  overview: null,
  stats: null,
  connection: "connecting",
  trouble: null,
});
export const useLive = () => useContext(LiveContext);

export function useLiveSource(): Live {
  const [live, setLive] = useState<Live>(() => ({
    overview: null,
    stats: null,
    connection: "connecting",
    trouble: null,
  }));
  const visible = useVisible();
  useEffect(() => {
    if (!visible) return;
    const ended = new AbortController();
    const change = (part: Partial<Live>) => setLive((before) => ({ ...before, ...part }));
    // A tab that comes back has heard nothing yet.
    change({ connection: "connecting" });
    void follow(
      "/v1/overview/stream",
      ended.signal,
      ({ event, data }) => {
        if (event === "overview") change({ overview: JSON.parse(data) as Overview, trouble: null });
        if (event === "stats") change({ stats: JSON.parse(data) as Stats });
        if (event === "away") change({ trouble: (JSON.parse(data) as { detail: string }).detail });
        return true;
      },
      (connection, error) => change({ connection, trouble: error?.message ?? null }),
    );
    return () => ended.abort();
  }, [visible]);
  return live;
}

/** Load again when workers have started or ended: then types may be served that were not. */
export function useWorkersChanged(reload: () => void): void {
  const { overview } = useLive();
  const workers = overview?.workers.map((worker) => worker.name).join() ?? null;
  const seen = useRef(workers);
  useEffect(() => {
    if (seen.current !== null && seen.current !== workers) reload();
    seen.current = workers;
  }, [workers, reload]);
}

export interface Loaded<T> {
  value: T | null;
  error: ApiError | null;
  loading: boolean;
  reload: () => void;
}

const asIs = (path: string): string => path;

/** Load a document, and again when asked. What was loaded stays while it is loaded again.
 * `parse` reads the text; `ask` writes into the path what depends on when it is asked. Both must be
 * the same function each time. */
export function useLoaded<T>(
  path: string | null,
  parse?: (text: string) => T,
  ask: (path: string) => string = asIs,
): Loaded<T> {
  const [state, setState] = useState<{
    path: string | null;
    value: T | null;
    error: ApiError | null;
    loading: boolean;
  }>({ path, value: null, error: null, loading: true });
  const running = useRef<AbortController | null>(null);
  const reload = useCallback(() => {
    running.current?.abort();
    if (path === null) return;
    const mine = new AbortController();
    running.current = mine;
    setState((before) =>
      before.path === path
        ? { ...before, loading: true }
        : { path, value: null, error: null, loading: true },
    );
    get<T>(ask(path), mine.signal, parse).then(
      (value) => setState({ path, value, error: null, loading: false }),
      (error: unknown) => {
        if (!mine.signal.aborted)
          setState((before) => ({
            ...before,
            error: error as ApiError,
            loading: false,
          }));
      },
    );
  }, [path, parse, ask]);
  useEffect(() => {
    reload();
    return () => running.current?.abort();
  }, [reload]);
  const current = state.path === path;
  return {
    value: current ? state.value : null,
    error: current ? state.error : null,
    loading: state.loading,
    reload,
  };
}

export function useTitle(title: string): void {
  useEffect(() => {
    document.title = shown(`${title} · ZeroG`);
  }, [title]);
}
