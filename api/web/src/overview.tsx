// How things go: queues, workers, pools, and charts of the last hour.

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { hasToken } from "./api";
import { Chart, Spark } from "./chart";
import { count, duration, plural, secondsBetween } from "./format";
import { HeldNote, QueueButton, WorkerButton } from "./holds";
import { jobsLink, useLive, useNow, useTitle } from "./hooks";
import type { Overview as OverviewData, Pool, Queue, QueueStats, Stats, Worker } from "./types";
import { Badge, Empty, Title, useQuestion, type Question } from "./ui";

/** More rows than a person reads; the rest is counted. */
const MAX_WORKERS = 60;
const MAX_RUNNING = 6;
const MAX_TYPES = 6;
const ALL = "";

export function Overview() {
  useTitle("Overview");
  const { overview, stats } = useLive();
  const [chosen, choose] = useState(ALL);
  const [dialog, ask] = useQuestion();
  if (overview === null)
    return (
      <Heading>
        <p class="empty">Looking…</p>
      </Heading>
    );
  const names = overview.queues.map((queue) => queue.name);
  const queue = names.includes(chosen) ? chosen : ALL;
  return (
    <Heading
      beside={
        names.length > 1 && (
          <label class="inline-field">
            Queue{" "}
            <select value={queue} onChange={(event) => choose(event.currentTarget.value)}>
              <option value={ALL}>all</option>
              {names.map((name) => (
                <option key={name} value={name}>
                  {name}
                </option>
              ))}
            </select>
          </label>
        )
      }
    >
      <Tiles overview={overview} stats={stats} queue={queue} />
      {stats && <Charts stats={stats} queue={queue} />}
      <Queues queues={overview.queues} stats={stats} ask={ask} />
      <Workers workers={overview.workers} ask={ask} />
      {overview.pools.length > 0 && <Pools pools={overview.pools} />}
      {dialog}
    </Heading>
  );
}

function Heading({
  beside,
  children,
}: {
  beside?: ComponentChildren;
  children: ComponentChildren;
}) {
  return (
    <div class="view">
      <div class="title-row">
        <Title>Overview</Title>
        {beside}
      </div>
      {children}
    </div>
  );
}

const sum = (values: number[]): number => values.reduce((total, value) => total + value, 0);
const of = <T extends { name: string }>(items: T[], queue: string): T[] =>
  queue === ALL ? items : items.filter((item) => item.name === queue);

function Tiles({
  overview,
  stats,
  queue,
}: {
  overview: OverviewData;
  stats: Stats | null;
  queue: string;
}) {
  const queues = of(overview.queues, queue);
  const history = stats && of(stats.queues, queue);
  const total = (field: "ready" | "reserved" | "delayed" | "buried") =>
    sum(queues.map((item) => item[field]));
  const lastHour = (field: "succeeded" | "failed") =>
    history && sum(history.flatMap((item) => item[field]));
  const filter: Record<string, string> = queue === ALL ? {} : { queue };
  const slots = sum(overview.workers.map((worker) => worker.slots));
  const tiles: [string, string, string | null, string, string][] = [
    [
      "Ready",
      count(total("ready")),
      jobsLink({ state: "queued", ...filter }),
      "wait for a worker",
      "",
    ],
    [
      "Running",
      count(total("reserved")),
      jobsLink({ state: "running", ...filter }),
      queue === ALL ? `of ${plural(slots, "slot")}` : "held by workers",
      "",
    ],
    [
      "Delayed",
      count(total("delayed")),
      jobsLink({ state: "waiting", ...filter }),
      "not due yet",
      "",
    ],
    [
      "Succeeded",
      count(lastHour("succeeded")),
      jobsLink({ state: "succeeded", ...filter }),
      "in the last hour",
      "",
    ],
    [
      "Failed",
      count(lastHour("failed")),
      jobsLink({ state: "failed", ...filter }),
      "in the last hour",
      lastHour("failed") ? "bad" : "",
    ],
  ];
  if (total("buried") > 0)
    tiles.push(["Buried", count(total("buried")), null, "entries of no known job", "bad"]);
  return (
    <ul class="tiles">
      {tiles.map(([name, value, link, note, kind]) => {
        const inner = (
          <>
            <span class="tile-name">{name}</span>
            <span class={`tile-value ${kind}`}>{value}</span>
            <span class="tile-note">{note}</span>
          </>
        );
        return (
          <li key={name}>{link === null ? <div>{inner}</div> : <a href={link}>{inner}</a>}</li>
        );
      })}
    </ul>
  );
}

const added = (
  histories: QueueStats[],
  field: "accepted" | "succeeded" | "failed" | "cancelled",
  length: number,
) => Array.from({ length }, (_, index) => sum(histories.map((item) => item[field][index] ?? 0)));

/** Of several queues: the mean weighted by what started, and the worst of the upper values. */
function waiting(histories: QueueStats[], length: number) {
  const at = (index: number) => histories.filter((item) => item.waitMeanSeconds[index] != null);
  const mean = Array.from({ length }, (_, index) => {
    const there = at(index);
    const started = sum(there.map((item) => item.started[index]!));
    return started === 0
      ? null
      : sum(there.map((item) => item.waitMeanSeconds[index]! * item.started[index]!)) / started;
  });
  const upper = Array.from({ length }, (_, index) => {
    const there = at(index);
    return there.length === 0 ? null : Math.max(...there.map((item) => item.wait95Seconds[index]!));
  });
  return { mean, upper };
}

function Charts({ stats, queue }: { stats: Stats; queue: string }) {
  const histories = of(stats.queues, queue);
  const length = stats.times.length;
  const succeeded = added(histories, "succeeded", length);
  const failed = added(histories, "failed", length);
  const cancelled = added(histories, "cancelled", length);
  const { mean, upper } = waiting(histories, length);
  const known = upper.filter((value) => value !== null);
  return (
    <section class="charts" aria-labelledby="history">
      <h2 id="history" class="hidden-text">
        The last hour
      </h2>
      <Chart
        title="Jobs finished per minute"
        times={stats.times}
        bars={[
          { name: "succeeded", kind: "succeeded", values: succeeded },
          { name: "failed", kind: "failed", values: failed },
          { name: "cancelled", kind: "cancelled", values: cancelled },
        ]}
        lines={[{ name: "accepted", kind: "ink", values: added(histories, "accepted", length) }]}
        summary={`In the last hour ${count(sum(succeeded))} succeeded, ${count(sum(failed))} failed, ${count(sum(cancelled))} were cancelled.`}
        format={count}
      />
      <Chart
        title="Waiting until the start"
        times={stats.times}
        lines={[
          { name: "95 in 100 start within", kind: "waiting", values: upper },
          { name: "mean", kind: "running", values: mean },
        ]}
        summary={
          known.length === 0
            ? "Nothing started in the last hour."
            : `In the slowest minute 95 of 100 jobs started within ${duration(Math.max(...known))}.`
        }
        format={duration}
      />
    </section>
  );
}

interface Asking {
  ask: (question: Question) => void;
}

function Queues({ queues, stats, ask }: Asking & { queues: Queue[]; stats: Stats | null }) {
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

function QueueRow({
  queue,
  history,
  ask,
}: Asking & { queue: Queue; history: QueueStats | undefined }) {
  const unserved = queue.unservedTypes ?? [];
  const finished = history?.succeeded.map((value, index) => value + history.failed[index]!) ?? [];
  return (
    <tr>
      <th scope="row">
        <a href={jobsLink({ queue: queue.name })}>{queue.name}</a>
        {queue.paused && <HeldNote what="paused" held={queue.paused} />}
        {unserved.length > 0 && (
          <span class="sub">
            no worker knows {unserved.slice(0, MAX_TYPES).join(", ")}
            {unserved.length > MAX_TYPES && ` and ${unserved.length - MAX_TYPES} more`}
          </span>
        )}
      </th>
      <td class="num">{count(queue.ready)}</td>
      <td class="num">{count(queue.reserved)}</td>
      <td class="num">{count(queue.delayed)}</td>
      <td class="num wide">{count(queue.arrivalPerMinute)}</td>
      <td class="num wide">{count(queue.departurePerMinute)}</td>
      <td class="num">{duration(queue.waitingSeconds)}</td>
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

function Workers({ workers, ask }: Asking & { workers: Worker[] }) {
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

function WorkerRow({ worker, now, ask }: Asking & { worker: Worker; now: number }) {
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

function Pools({ pools }: { pools: Pool[] }) {
  return (
    <section aria-labelledby="pools">
      <h2 id="pools">Pools</h2>
      <div class="scroll">
        <table>
          <thead>
            <tr>
              <th scope="col">Pool</th>
              <th scope="col">State</th>
              <th scope="col" class="wide">
                Queue
              </th>
              <th scope="col" class="num">
                Ready
              </th>
              <th scope="col" class="num">
                Wanted
              </th>
              <th scope="col" class="num">
                Busy
              </th>
              <th scope="col" class="num wide">
                From – to
              </th>
              <th scope="col" class="wide">
                Last decision
              </th>
            </tr>
          </thead>
          <tbody>
            {pools.map((pool) => (
              <tr key={`${pool.namespace}/${pool.name}`}>
                <th scope="row" class="name">
                  {pool.name}
                  <span class="sub">{pool.namespace}</span>
                </th>
                <td>
                  <Badge
                    state={
                      pool.ready === "True"
                        ? "ready"
                        : pool.ready === "False"
                          ? "trouble"
                          : "unknown"
                    }
                  />
                  {pool.ready !== "True" && <span class="sub">{pool.message}</span>}
                </td>
                <td class="wide">
                  {pool.queue && <a href={jobsLink({ queue: pool.queue })}>{pool.queue}</a>}
                </td>
                <td class="num">{count(pool.readyReplicas)}</td>
                <td class="num">{count(pool.desiredReplicas)}</td>
                <td class="num">{count(pool.busy)}</td>
                <td class="num wide">
                  {pool.minReplicas} – {pool.maxReplicas}
                </td>
                <td class="wide">{pool.decision}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}
