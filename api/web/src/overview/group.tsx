// The workers that serve the same queues: a head with their counts, and a row per worker.

import { useState } from "preact/hooks";
import { Cut } from "../cut";
import { count, plural } from "../format";
import type { Ask } from "../ui";
import { type Group, WORKER_STATES } from "./sorted";
import { WorkerRow } from "./worker";

/** Rows that a group shows at first. */
const SHOWN_WORKERS = 50;
const COLUMNS = 6;

interface Props {
  group: Group;
  /** Whether it is open until somebody folds it. */
  isOpen: boolean;
  now: number;
  ask: Ask;
}

export function GroupRows({ group, isOpen, now, ask }: Props) {
  const [chosen, choose] = useState<boolean | null>(null);
  const [shown, show] = useState(SHOWN_WORKERS);
  const open = chosen ?? isOpen;
  const rows = open ? group.workers.slice(0, shown) : [];
  const left = group.workers.length - rows.length;
  const states = WORKER_STATES.filter((state) => group.count[state] > 0);
  return (
    <tbody>
      <tr class="group-head">
        <th scope="rowgroup" colSpan={COLUMNS}>
          <button type="button" class="fold" aria-expanded={open} onClick={() => choose(!open)}>
            <Cut text={group.name} />
          </button>
          <span class="muted">
            {plural(group.workers.length, "worker")}:{" "}
            {states.map((state) => `${count(group.count[state])} ${state}`).join(", ")} ·{" "}
            {count(group.busySlots)} of {plural(group.slots, "slot")}
          </span>
        </th>
      </tr>
      {rows.map((worker) => (
        <WorkerRow key={worker.name} worker={worker} now={now} ask={ask} />
      ))}
      {open && left > 0 && (
        <tr>
          <td colSpan={COLUMNS}>
            <button type="button" class="link" onClick={() => show(Infinity)}>
              Show {plural(left, "more worker")}
            </button>
          </td>
        </tr>
      )}
    </tbody>
  );
}
