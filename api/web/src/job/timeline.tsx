// A job's attempts, each with a bar that shows when it was waited for and when it ran.

import { useState } from "preact/hooks";
import { duration, time } from "../format";
import { useNow } from "../hooks";
import type { Job } from "../types";
import { Badge, Empty } from "../ui";
import { AttemptRow } from "./attempt";
import { Bar } from "./bar";
import { spansOf } from "./spans";

const SHOWN_ATTEMPTS = 8;

export function Timeline({ job }: { job: Job }) {
  const now = useNow();
  const [all, setAll] = useState(false);
  const hidden = all ? 0 : Math.max(0, job.attempts.length - SHOWN_ATTEMPTS);
  const { rows, waits, seconds } = spansOf(job, hidden, now);
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
        {rows.map((row) => (
          <AttemptRow key={row.attempt.number} row={row} />
        ))}
        {waits && (
          <li>
            <p class="attempt-line">
              <Badge state={job.state} note="" />
              <span class="muted">has waited {duration(Math.floor(waits.seconds))}</span>
            </p>
            <Bar parts={[["wait", waits.part]]} />
          </li>
        )}
      </ol>
      {rows.length > 0 && (
        <p class="timeline-scale">
          <span>
            {hidden > 0 ? "the attempt before ended" : `submitted ${time(job.createdTime)}`}
          </span>
          <span>{duration(seconds)}</span>
          <span>{job.finishedTime ? `finished ${time(job.finishedTime)}` : "now"}</span>
        </p>
      )}
    </section>
  );
}
