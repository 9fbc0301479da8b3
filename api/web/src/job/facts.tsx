// A job's times, budgets and counts.

import type { ComponentChildren } from "preact";
import { Cut } from "../cut";
import { count, DASH, duration, secondsBetween } from "../format";
import { useNow } from "../hooks";
import { Labels } from "../labels";
import { jobsLink } from "../route";
import { isFinished, type Job } from "../types";
import { Time } from "../ui";
import { totals } from "./spans";

export function Facts({ job }: { job: Job }) {
  const now = useNow();
  const end = job.finishedTime ?? now;
  const { waited, ran } = totals(job, now);
  const limits = job.limits;
  const facts: [string, ComponentChildren][] = [
    [
      "Queue",
      <a href={jobsLink({ queue: job.queue })}>
        <Cut text={job.queue} />
      </a>,
    ],
    ["Priority", `${job.priority} (0 first, 9 last)`],
    ["Submitted", <Time value={job.createdTime} />],
    ["Started", <Time value={job.startedTime} />],
    ["Finished", <Time value={job.finishedTime} />],
    // A replayed job was finished for some time that nobody knows.
    ["Waited", job.replays ? DASH : duration(waited)],
    ["Ran", job.attempts.length > 0 ? duration(ran) : DASH],
    ["In all", duration(secondsBetween(job.createdTime, end))],
    ["Errors", `${count(job.errors)} of ${count(limits.maxErrors)}`],
    ["Crashes", `${count(job.crashes)} of ${count(limits.maxCrashes)}`],
  ];
  if (job.notBeforeTime && !isFinished(job.state))
    facts.splice(3, 0, ["Not before", <Time value={job.notBeforeTime} />]);
  if (Object.keys(job.labels ?? {}).length > 0)
    facts.splice(1, 0, [
      "Labels",
      <Labels labels={job.labels} link={(label) => jobsLink({ label })} />,
    ]);
  if (job.movedFrom) facts.push(["Moved from", `${job.movedFrom} (out of memory)`]);
  if (limits.timeoutSeconds) facts.push(["Timeout", duration(limits.timeoutSeconds)]);
  if (job.continuations) facts.push(["Continued", count(job.continuations)]);
  if (job.replays) facts.push(["Replayed", count(job.replays)]);
  return (
    <section aria-labelledby="facts">
      <h2 id="facts" class="hidden-text">
        Facts
      </h2>
      <dl class="facts">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
