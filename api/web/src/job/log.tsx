// A job's log: its newest lines, and earlier ones when a person asks for them or links to one.

import { useEffect, useMemo, useState } from "preact/hooks";
import { count } from "../format";
import { isFinished, type Job, type Line } from "../types";
import { Empty, Trouble } from "../ui";
import { useEarlier } from "./earlier";
import { hasText, isBefore, placeOf, placeText } from "./lines";
import { LogLine } from "./logline";
import { type LogChoice, LogTools } from "./logtools";
import { usePlace } from "./place";

/** Lines in the document; older ones are shown on demand. */
const SHOWN_LINES = 300;
const MORE_LINES = 1000;
/** Lines that are shown before one that is linked to. */
const AROUND = 20;

const LEVELS = ["info", "warning", "error"];

interface Props {
  job: Job;
  lines: Line[];
  cut: boolean;
  /** The place of the line that the address names. */
  marked: string | null;
}

export function Log({ job, lines: live, cut, marked }: Props) {
  const [choice, choose] = useState<LogChoice>({ level: "info", text: "" });
  const [shown, setShown] = useState(SHOWN_LINES);
  const earlier = useEarlier(job, live, cut);
  const lines = useMemo(() => [...earlier.lines, ...live], [earlier.lines, live]);
  const wanted = useMemo(() => wantedOf(lines, choice), [lines, choice]);
  const part = useMemo(() => {
    const at = marked === null ? -1 : wanted.findIndex((line) => placeText(line) === marked);
    return wanted.slice(-Math.max(shown, at < 0 ? 0 : wanted.length - at + AROUND));
  }, [wanted, shown, marked]);
  useSearchFor(marked, lines[0], earlier);
  const showEarlier = () => {
    setShown(part.length + MORE_LINES);
    if (wanted.length - part.length < MORE_LINES && earlier.more) earlier.load();
  };
  const showAll = () => {
    setShown(Infinity);
    if (earlier.more) earlier.loadAll();
  };
  const place = usePlace(part, marked);
  return (
    <section aria-labelledby="log">
      <div class="h-row">
        <h2 id="log">
          Log{" "}
          <span class="h-note">
            {lines.length > 0 && `${earlier.more ? "newest " : ""}${count(lines.length)}`}
          </span>
        </h2>
        {lines.length > 0 && (
          <LogTools uuid={job.uuid} levels={LEVELS} choice={choice} choose={choose} />
        )}
      </div>
      {choice.text !== "" && (
        <p class="log-found" role="status">
          {count(wanted.length)} of {earlier.more ? "the newest " : ""}
          {count(lines.length)} lines
        </p>
      )}
      {wanted.length === 0 && (
        <Empty>
          {lines.length > 0
            ? "No line fits."
            : isFinished(job.state)
              ? "It wrote nothing."
              : "Nothing yet."}
        </Empty>
      )}
      {(wanted.length > part.length || earlier.more) && (
        <p class="log-more">
          <button type="button" class="link" disabled={earlier.loading} onClick={showEarlier}>
            {earlier.loading ? "Loading…" : "Show earlier"}
          </button>
          <button type="button" class="link" disabled={earlier.loading} onClick={showAll}>
            All lines
          </button>
        </p>
      )}
      {earlier.error && <Trouble error={earlier.error} retry={earlier.load} />}
      {part.length > 0 && (
        <div
          ref={place.box}
          class="log"
          tabIndex={0}
          role="log"
          aria-labelledby="log"
          aria-live="off"
          onScroll={place.note}
        >
          <ol>
            {part.map((line) => (
              <LogLine
                key={placeText(line)}
                uuid={job.uuid}
                line={line}
                isNumbered={job.attempt > 1}
                isMarked={placeText(line) === marked}
              />
            ))}
          </ol>
        </div>
      )}
    </section>
  );
}

function wantedOf(lines: Line[], { level, text }: LogChoice): Line[] {
  const sought = text.trim().toLowerCase();
  return lines.filter(
    (line) => LEVELS.indexOf(line.level) >= LEVELS.indexOf(level) && hasText(line, sought),
  );
}

/** Load earlier lines until the marked one is there. */
function useSearchFor(
  marked: string | null,
  first: Line | undefined,
  { more, loading, error, loadTo }: ReturnType<typeof useEarlier>,
) {
  useEffect(() => {
    const wanted = placeOf(marked);
    if (wanted === null || first === undefined || !isBefore(wanted, first)) return;
    if (more && !loading && error === null) loadTo(wanted);
  });
}
