// The queues, one per row: those with work first, idle ones when asked for.

import { useState } from "preact/hooks";
import { hasToken } from "../api";
import { plural } from "../format";
import type { Queue, Stats } from "../types";
import { type Ask, Empty } from "../ui";
import { QueueRow } from "./queue";
import { sortQueues } from "./sorted";

interface Props {
  queues: Queue[];
  stats: Stats | null;
  ask: Ask;
}

export function Queues({ queues, stats, ask }: Props) {
  const [all, setAll] = useState(false);
  const { shown, idle } = sortQueues(queues);
  const rows = all ? [...shown, ...idle] : shown;
  return (
    <section aria-labelledby="queues">
      <h2 id="queues">Queues</h2>
      {queues.length === 0 && (
        <Empty>
          {hasToken()
            ? "No queue that this token may list."
            : "No queue yet. A worker that registers its job types brings the first."}
        </Empty>
      )}
      {queues.length > 0 && rows.length === 0 && <Empty>No queue has work.</Empty>}
      {rows.length > 0 && (
        <div class="scroll">
          <table class="stack">
            <thead>
              <tr>
                <th scope="col">Queue</th>
                <th scope="col" class="num" title="Jobs that could start now">
                  Ready
                </th>
                <th scope="col" class="num" title="Jobs that workers hold">
                  Running
                </th>
                <th scope="col" class="num" title="Jobs that are not due yet">
                  Delayed
                </th>
                <th scope="col" class="num wide">
                  In per minute
                </th>
                <th scope="col" class="num wide">
                  Out per minute
                </th>
                <th scope="col" class="num" title="How long a job that arrives now would wait">
                  Est. wait
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
              {rows.map((queue) => (
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
      {idle.length > 0 && (
        <button type="button" class="link more" aria-expanded={all} onClick={() => setAll(!all)}>
          {all ? "Hide" : "Show"} {plural(idle.length, "idle queue")}
        </button>
      )}
    </section>
  );
}
