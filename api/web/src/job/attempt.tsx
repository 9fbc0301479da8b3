// One attempt: where it ran, for how long, and how it ended.

import { duration, secondsBetween, time } from "../format";
import type { Attempt } from "../types";
import { Badge } from "../ui";

const CAUSE_STATE: Record<string, string> = {
  succeeded: "succeeded",
  finished: "succeeded",
  continued: "waiting",
  interrupted: "waiting",
  cancelled: "cancelled",
};

/** `outOfMemory` → `out of memory` */
const words = (text: string) => text.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

export function AttemptRow({
  attempt,
  from,
  to,
  now,
}: {
  attempt: Attempt;
  from: number;
  to: number;
  now: number;
}) {
  const kind = attempt.cause === undefined ? "running" : (CAUSE_STATE[attempt.cause] ?? "failed");
  const took = secondsBetween(attempt.startedTime, attempt.endedTime ?? now);
  const { worker } = attempt;
  return (
    <li>
      <p class="attempt-line">
        <b>#{attempt.number}</b>
        <Badge state={kind === "running" ? "running" : kind} note="" />
        {attempt.cause && attempt.cause !== kind && <span>{words(attempt.cause)}</span>}
        <span class="muted">
          {time(attempt.startedTime)} · {duration(took)} ·{" "}
          <span title={worker.image}>{worker.pod ?? worker.name}</span>
          {worker.node && ` on ${worker.node}`}
        </span>
      </p>
      <svg class="attempt-bar" width="100%" height="8" aria-hidden="true">
        <rect class="track" width="100%" height="8" rx="2" />
        <rect
          class={`fill-${kind}`}
          x={`${from}%`}
          width={`${Math.max(0.6, to - from)}%`}
          height="8"
          rx="2"
        />
      </svg>
      {attempt.message && <p class="attempt-message">{attempt.message}</p>}
    </li>
  );
}
