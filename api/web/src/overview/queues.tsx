// The queues, one per row.

import { hasToken } from "../api";
import type { Queue, Stats } from "../types";
import { type Ask, Empty } from "../ui";
import { QueueRow } from "./queue";

interface Props {
  queues: Queue[];
  stats: Stats | null;
  ask: Ask;
}

export function Queues({ queues, stats, ask }: Props) {
  return (
    <section aria-labelledby="queues">
      <h2 id="queues">Queues</h2>
      {queues.length === 0 ? (
        <Empty>
          {hasToken()
            ? "No queue that this token may list."
            : "No queue yet. A worker that registers its job types brings the first."}
        </Empty>
      ) : (
        <div class="scroll">
          <table>
            <thead>
              <tr>
                <th scope="col">Queue</th>
                <th scope="col" class="num">
                  Ready
                </th>
                <th scope="col" class="num">
                  Running
                </th>
                <th scope="col" class="num">
                  Delayed
                </th>
                <th scope="col" class="num wide">
                  In per minute
                </th>
                <th scope="col" class="num wide">
                  Out per minute
                </th>
                <th scope="col" class="num">
                  Would wait
                </th>
                <th scope="col" class="wide">
                  Last hour
                </th>
                <th scope="col">
                  <span class="hidden-text">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {queues.map((queue) => (
                <QueueRow
                  key={queue.name}
                  queue={queue}
                  ask={ask}
                  history={stats?.queues.find((item) => item.name === queue.name)}
                />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}
