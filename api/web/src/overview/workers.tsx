// The workers that are alive, in groups by the queues they serve.

import { useState } from "preact/hooks";
import { hasToken } from "../api";
import { count } from "../format";
import { useNow } from "../hooks";
import type { Worker } from "../types";
import { type Ask, Empty } from "../ui";
import { GroupRows } from "./group";
import { groupWorkers, type Wanted, WORKER_STATES } from "./sorted";

/** Fewer workers than this are all shown, without a filter. */
const FEW_WORKERS = 16;

export function Workers({ workers, ask }: { workers: Worker[]; ask: Ask }) {
  const now = useNow();
  const [wanted, want] = useState<Wanted>({ text: "", state: "" });
  const isFew = workers.length < FEW_WORKERS;
  const isFiltered = wanted.text !== "" || wanted.state !== "";
  const groups = groupWorkers(workers, wanted);
  return (
    <section aria-labelledby="workers">
      <div class="h-row">
        <h2 id="workers">
          Workers <span class="h-note">{workers.length > 0 && count(workers.length)}</span>
        </h2>
        {(!isFew || isFiltered) && <WorkerFilter wanted={wanted} want={want} />}
      </div>
      {workers.length === 0 && hasToken() ? (
        <Empty>No worker that this token may list.</Empty>
      ) : workers.length === 0 ? (
        <Empty>
          No worker is alive. Jobs wait until one starts: <code>zerog worker jobs.py</code>, or a
          pool on Kubernetes.
        </Empty>
      ) : groups.length === 0 ? (
        <Empty>No worker fits the filter.</Empty>
      ) : (
        <div class="scroll">
          <table class="stack">
            <thead>
              <tr>
                <th scope="col">Worker</th>
                <th scope="col">State</th>
                <th scope="col" class="num">
                  Slots
                </th>
                <th scope="col">Runs</th>
                <th scope="col" class="num wide">
                  Up for
                </th>
                <th scope="col">
                  <span class="hidden-text">Actions</span>
                </th>
              </tr>
            </thead>
            {groups.map((group) => (
              <GroupRows
                key={group.name}
                group={group}
                isOpen={isFew || isFiltered}
                now={now}
                ask={ask}
              />
            ))}
          </table>
        </div>
      )}
    </section>
  );
}

function WorkerFilter({ wanted, want }: { wanted: Wanted; want: (wanted: Wanted) => void }) {
  return (
    <div class="worker-filter">
      <input
        type="search"
        placeholder="Name, node, queue or job"
        aria-label="Filter workers"
        value={wanted.text}
        onInput={(event) => want({ ...wanted, text: event.currentTarget.value })}
      />
      <select
        aria-label="State of workers"
        value={wanted.state}
        onChange={(event) =>
          want({ ...wanted, state: event.currentTarget.value as Wanted["state"] })
        }
      >
        <option value="">any state</option>
        {WORKER_STATES.map((state) => (
          <option key={state}>{state}</option>
        ))}
      </select>
    </div>
  );
}
