// A job's log: its newest lines, and earlier ones when a person asks for them.

import { useMemo, useState } from "preact/hooks";
import { count, fullTime, time } from "../format";
import { isFinished, type Job, type Line } from "../types";
import { Empty, Trouble } from "../ui";
import { useEarlier } from "./earlier";
import { LineData } from "./linedata";
import { usePlace } from "./place";

/** Lines in the document; older ones are shown on demand. */
const SHOWN_LINES = 300;

const LEVELS = ["info", "warning", "error"];

export function Log({ job, lines: live, cut }: { job: Job; lines: Line[]; cut: boolean }) {
  const { attempt: attempts, state } = job;
  const finished = isFinished(state);
  const [level, setLevel] = useState("info");
  const [shown, setShown] = useState(SHOWN_LINES);
  const earlier = useEarlier(job, live, cut);
  const lines = useMemo(() => [...earlier.lines, ...live], [earlier.lines, live]);
  const wanted = useMemo(
    () => lines.filter((line) => LEVELS.indexOf(line.level) >= LEVELS.indexOf(level)),
    [lines, level],
  );
  const part = useMemo(() => wanted.slice(-shown), [wanted, shown]);
  const showEarlier = () => {
    setShown(shown + 1000);
    if (wanted.length - part.length < 1000) earlier.load();
  };
  const place = usePlace(part);
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
          <label class="inline-field">
            From{" "}
            <select value={level} onChange={(event) => setLevel(event.currentTarget.value)}>
              {LEVELS.map((item) => (
                <option key={item}>{item}</option>
              ))}
            </select>
          </label>
        )}
      </div>
      {wanted.length === 0 && (
        <Empty>
          {lines.length > 0
            ? "No line of this level."
            : finished
              ? "It wrote nothing."
              : "Nothing yet."}
        </Empty>
      )}
      {(wanted.length > part.length || earlier.more) && (
        <button type="button" class="link" disabled={earlier.loading} onClick={showEarlier}>
          {earlier.loading ? "Loading…" : "Show earlier"}
        </button>
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
              <li
                key={`${line.attempt}-${line.seq}`}
                id={`line-${line.attempt}-${line.seq}`}
                class={`log-${line.level}`}
              >
                <time dateTime={line.time} title={fullTime(line.time)}>
                  {time(line.time)}
                </time>
                <span class="log-level">
                  {attempts > 1 ? `#${line.attempt} ${line.level}` : line.level}
                </span>
                <span class="log-text" title={line.logger}>
                  {line.message}
                  {line.data !== undefined && <LineData data={line.data} />}
                </span>
              </li>
            ))}
          </ol>
        </div>
      )}
    </section>
  );
}
