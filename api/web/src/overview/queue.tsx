// One queue: how much waits, how fast it moves, and what no worker knows.

import { Spark } from "../chart/spark";
import { Cut } from "../cut";
import { count, duration } from "../format";
import { jobsLink } from "../route";
import type { Queue, QueueStats } from "../types";
import type { Ask } from "../ui";
import { HeldNote } from "./heldnote";
import { sum } from "./history";
import { QueueButton } from "./hold";

const MAX_TYPES = 6;

interface Props {
  queue: Queue;
  history: QueueStats | undefined;
  ask: Ask;
}

export function QueueRow({ queue, history, ask }: Props) {
  const unserved = queue.unservedTypes ?? [];
  const finished = history?.succeeded.map((value, index) => value + history.failed[index]!) ?? [];
  return (
    <tr>
      <th scope="row">
        <a href={jobsLink({ queue: queue.name })}>
          <Cut text={queue.name} />
        </a>
        {queue.paused && <HeldNote what="paused" held={queue.paused} />}
        {unserved.length > 0 && (
          <span class="sub">
            no worker knows {unserved.slice(0, MAX_TYPES).join(", ")}
            {unserved.length > MAX_TYPES && ` and ${unserved.length - MAX_TYPES} more`}
          </span>
        )}
      </th>
      <td class="num" data-label="Ready">
        {count(queue.ready)}
      </td>
      <td class="num" data-label="Running">
        {count(queue.reserved)}
      </td>
      <td class="num" data-label="Delayed">
        {count(queue.delayed)}
      </td>
      <td class="num wide">{count(queue.arrivalPerMinute)}</td>
      <td class="num wide">{count(queue.departurePerMinute)}</td>
      <td class="num" data-label="Est. wait">
        {duration(queue.waitingSeconds)}
      </td>
      <td class="wide">
        {finished.length > 0 && (
          <Spark values={finished} label={`${count(sum(finished))} finished in the last hour`} />
        )}
      </td>
      <td class="row-action">
        <QueueButton name={queue.name} held={queue.paused} ask={ask} />
      </td>
    </tr>
  );
}
