// The workers that are alive, one per row.

import { hasToken } from "../api";
import { count, plural } from "../format";
import { useNow } from "../hooks";
import type { Worker } from "../types";
import { type Ask, Empty } from "../ui";
import { WorkerRow } from "./worker";

/** More rows than a person reads; the rest is counted. */
const MAX_WORKERS = 60;

export function Workers({ workers, ask }: { workers: Worker[]; ask: Ask }) {
  const now = useNow();
  const shown = workers.slice(0, MAX_WORKERS);
  return (
    <section aria-labelledby="workers">
      <h2 id="workers">
        Workers <span class="h-note">{workers.length > 0 && count(workers.length)}</span>
      </h2>
      {workers.length === 0 && hasToken() ? (
        <Empty>No worker that this token may list.</Empty>
      ) : workers.length === 0 ? (
        <Empty>
          No worker is alive. Jobs wait until one starts: <code>zerog worker jobs.py</code>, or a
          pool on Kubernetes.
        </Empty>
      ) : (
        <div class="scroll">
          <table>
            <thead>
              <tr>
                <th scope="col">Worker</th>
                <th scope="col">State</th>
                <th scope="col" class="num">
                  Slots
                </th>
                <th scope="col">Runs</th>
                <th scope="col" class="wide">
                  Queues
                </th>
                <th scope="col" class="num wide">
                  Up for
                </th>
                <th scope="col">
                  <span class="hidden-text">Actions</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {shown.map((worker) => (
                <WorkerRow key={worker.name} worker={worker} now={now} ask={ask} />
              ))}
            </tbody>
          </table>
        </div>
      )}
      {workers.length > shown.length && (
        <Empty>and {plural(workers.length - shown.length, "more worker")}</Empty>
      )}
    </section>
  );
}
