// A job's attempts, each with a bar that shows when it ran.

import { useState } from "preact/hooks";
import { duration, time } from "../format";
import { useNow } from "../hooks";
import type { Job } from "../types";
import { Empty } from "../ui";
import { AttemptRow } from "./attempt";

const SHOWN_ATTEMPTS = 8;

export function Timeline({ job }: { job: Job }) {
  const now = useNow();
  const [all, setAll] = useState(false);
  const shown = all ? job.attempts : job.attempts.slice(-SHOWN_ATTEMPTS);
  const hidden = job.attempts.length - shown.length;
  const begin = Date.parse(hidden > 0 ? shown[0]!.startedTime : job.createdTime);
  const end = job.finishedTime ? Date.parse(job.finishedTime) : now;
  const span = Math.max(1, end - begin);
  const place = (text: string | undefined) =>
    (100 * ((text ? Date.parse(text) : now) - begin)) / span;
  return (
    <section aria-labelledby="attempts">
      <h2 id="attempts">Attempts</h2>
      {job.attempts.length === 0 && <Empty>None yet: the job waits for a worker.</Empty>}
      {hidden > 0 && (
        <button type="button" class="link" onClick={() => setAll(true)}>
          Show {hidden} earlier
        </button>
      )}
      <ol class="timeline">
        {shown.map((attempt) => (
          <AttemptRow
            key={attempt.number}
            attempt={attempt}
            from={place(attempt.startedTime)}
            to={place(attempt.endedTime)}
            now={now}
          />
        ))}
      </ol>
      {shown.length > 0 && (
        <p class="timeline-scale">
          <span>
            {hidden > 0 ? time(shown[0]!.startedTime) : `created ${time(job.createdTime)}`}
          </span>
          <span>{duration(span / 1000)}</span>
          <span>{job.finishedTime ? `finished ${time(job.finishedTime)}` : "now"}</span>
        </p>
      )}
    </section>
  );
}
