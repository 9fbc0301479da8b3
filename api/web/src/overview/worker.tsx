// One worker, and what it runs.

import { Cut } from "../cut";
import { duration, secondsBetween } from "../format";
import type { Worker } from "../types";
import { type Ask, Badge } from "../ui";
import { HeldNote } from "./heldnote";
import { WorkerButton } from "./hold";
import { busySlots, stateOf } from "./sorted";

const MAX_RUNNING = 6;

interface Props {
  worker: Worker;
  now: number;
  ask: Ask;
}

export function WorkerRow({ worker, now, ask }: Props) {
  const shown = worker.running.slice(0, MAX_RUNNING);
  return (
    <tr>
      <th scope="row" class="name">
        <Cut text={worker.pod ?? worker.name} />
        {worker.node && (
          <span class="sub">
            <Cut text={worker.node} />
          </span>
        )}
        {worker.drain && <HeldNote what="drains" held={worker.drain} />}
        {worker.state === "draining" && !worker.drain && <span class="sub">about to stop</span>}
      </th>
      <td>
        <Badge state={stateOf(worker)} />
      </td>
      <td class="num" data-label="Slots">
        {busySlots(worker)}/{worker.slots}
      </td>
      <td>
        {shown.length === 0 && <span class="muted">nothing</span>}
        <ul class="runs">
          {shown.map((item) => (
            <li key={item.uuid}>
              <a href={`#/jobs/${item.uuid}`}>
                <Cut text={item.type} />
              </a>{" "}
              <span class="muted">
                {duration(Math.floor(secondsBetween(item.startedTime, now)))}
              </span>
            </li>
          ))}
          {worker.running.length > shown.length && (
            <li class="muted">and {worker.running.length - shown.length} more</li>
          )}
        </ul>
      </td>
      <td class="num wide">{duration(Math.floor(secondsBetween(worker.startedTime, now)))}</td>
      <td class="row-action">
        <WorkerButton name={worker.name} held={worker.drain} ask={ask} />
      </td>
    </tr>
  );
}
