// The order of queues and workers: what has work comes first. Pure.

import type { Queue, Worker } from "../types";
import { sum } from "./history";

/** Fewer queues than this are all shown. */
const FEW_QUEUES = 6;

/** Whether a queue has work, had some in the last minute, or needs somebody. */
export const hasWork = (queue: Queue): boolean =>
  queue.ready + queue.reserved + queue.delayed + queue.buried > 0 ||
  (queue.arrivalPerMinute ?? 0) > 0 ||
  (queue.departurePerMinute ?? 0) > 0 ||
  queue.paused !== null ||
  (queue.unservedTypes ?? []).length > 0;

const byName = <T extends { name: string }>(one: T, other: T): number =>
  one.name < other.name ? -1 : one.name > other.name ? 1 : 0;

/** Queues that are shown, those with work first, and idle ones that are shown when asked for. */
export function sortQueues(queues: Queue[]): { shown: Queue[]; idle: Queue[] } {
  const sorted = [...queues].sort(byName);
  const busy = sorted.filter(hasWork);
  const idle = sorted.filter((queue) => !hasWork(queue));
  return queues.length < FEW_QUEUES
    ? { shown: [...busy, ...idle], idle: [] }
    : { shown: busy, idle };
}

export type WorkerState = "busy" | "draining" | "idle";
export const WORKER_STATES: WorkerState[] = ["busy", "draining", "idle"];

export const busySlots = (worker: Worker): number =>
  new Set(worker.running.map((item) => item.slot)).size;

/** A worker that was just told to drain says so itself with its next report. */
export function stateOf(worker: Worker): WorkerState {
  if (worker.state === "draining" || worker.drain !== null) return "draining";
  return busySlots(worker) > 0 ? "busy" : "idle";
}

/** The workers that serve the same queues. */
export interface Group {
  name: string;
  workers: Worker[];
  count: Record<WorkerState, number>;
  busySlots: number;
  slots: number;
}

export interface Wanted {
  text: string;
  state: WorkerState | "";
}

const fits = (worker: Worker, { text, state }: Wanted): boolean => {
  if (state !== "" && stateOf(worker) !== state) return false;
  const { name, pod, node, host, queues, running } = worker;
  const words = [name, pod, node, host, ...queues, ...running.flatMap((it) => [it.type, it.uuid])];
  return words.some((word) => word?.toLowerCase().includes(text.trim().toLowerCase()));
};

/** Group the wanted workers by their queues; in a group the busiest come first. */
export function groupWorkers(workers: Worker[], wanted: Wanted): Group[] {
  const groups = new Map<string, Worker[]>();
  for (const worker of workers.filter((item) => fits(item, wanted))) {
    const name = [...worker.queues].sort().join(", ");
    groups.set(name, [...(groups.get(name) ?? []), worker]);
  }
  return [...groups]
    .map(([name, members]) => ({
      name,
      workers: members.sort(
        (one, other) =>
          busySlots(other) - busySlots(one) || rank(one) - rank(other) || byName(one, other),
      ),
      count: Object.fromEntries(
        WORKER_STATES.map((state) => [state, members.filter((it) => stateOf(it) === state).length]),
      ) as Record<WorkerState, number>,
      busySlots: sum(members.map(busySlots)),
      slots: sum(members.map((worker) => worker.slots)),
    }))
    .sort(
      (one, other) => Number(other.busySlots > 0) - Number(one.busySlots > 0) || byName(one, other),
    );
}

const rank = (worker: Worker): number => WORKER_STATES.indexOf(stateOf(worker));
