// One worker, and what it runs.

import { duration, secondsBetween } from "../format";
import type { Worker } from "../types";
import { type Ask, Badge } from "../ui";
import { HeldNote } from "./heldnote";
import { WorkerButton } from "./hold";

const MAX_RUNNING = 6;

interface Props {
  worker: Worker;
  now: number;
  ask: Ask;
}

export function WorkerRow({ worker, now, ask }: Props) {
  const busy = new Set(worker.running.map((item) => item.slot)).size;
  const shown = worker.running.slice(0, MAX_RUNNING);
  return (
    <tr>
      <th scope="row" class="name">
        {worker.pod ?? worker.name}
        {worker.node && <span class="sub">{worker.node}</span>}
        {worker.drain && <HeldNote what="drains" held={worker.drain} />}
      </th>
      <td>
        <Badge state={worker.state === "draining" ? "draining" : busy > 0 ? "busy" : "idle"} />
      </td>
      <td class="num">
        {busy}/{worker.slots}
      </td>
      <td>
        {shown.length === 0 && <span class="muted">nothing</span>}
        <ul class="runs">
          {shown.map((item) => (
            <li key={item.uuid}>
              <a href={`#/jobs/${item.uuid}`}>{item.type}</a>{" "}
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
      <td class="wide">{worker.queues.join(", ")}</td>
      <td class="num wide">{duration(Math.floor(secondsBetween(worker.startedTime, now)))}</td>
      <td class="row-action">
        <WorkerButton name={worker.name} held={worker.drain} ask={ask} />
      </td>
    </tr>
  );
}
