// One attempt: where it ran, for how long, and how it ended.

import { duration, fullTime, time } from "../format";
import { Badge } from "../ui";
import { Bar } from "./bar";
import type { Row } from "./spans";

const CAUSE_STATE: Record<string, string> = {
  succeeded: "succeeded",
  finished: "succeeded",
  continued: "waiting",
  interrupted: "waiting",
  cancelled: "cancelled",
};

/** `outOfMemory` → `out of memory` */
const words = (text: string) => text.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

export function AttemptRow({ row }: { row: Row }) {
  const { attempt, waited, ran } = row;
  const kind = attempt.cause === undefined ? "running" : (CAUSE_STATE[attempt.cause] ?? "failed");
  const { worker } = attempt;
  return (
    <li>
      <p class="attempt-line">
        <b>#{attempt.number}</b>
        <Badge state={kind} note="" />
        {attempt.cause && attempt.cause !== kind && <span>{words(attempt.cause)}</span>}
        <span class="muted">
          <time dateTime={attempt.startedTime} title={fullTime(attempt.startedTime)}>
            {time(attempt.startedTime)}
          </time>{" "}
          · waited {duration(waited)} · {attempt.endedTime ? "ran" : "runs for"} {duration(ran)} ·{" "}
          <span title={worker.image}>{worker.pod ?? worker.name}</span>
          {worker.node && ` on ${worker.node}`}
        </span>
      </p>
      <Bar
        parts={[
          ["wait", row.wait],
          [kind, row.run],
        ]}
      />
      {attempt.message && <p class="attempt-message">{attempt.message}</p>}
    </li>
  );
}
