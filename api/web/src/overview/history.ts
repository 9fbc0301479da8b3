// Sums over queues, for the tiles and the charts. Pure.

import type { QueueStats } from "../types";

export const ALL = "";

export const sum = (values: number[]): number => values.reduce((total, value) => total + value, 0);

export const of = <T extends { name: string }>(items: T[], queue: string): T[] =>
  queue === ALL ? items : items.filter((item) => item.name === queue);

export const added = (
  histories: QueueStats[],
  field: "accepted" | "succeeded" | "failed" | "cancelled" | "expired",
  length: number,
) => Array.from({ length }, (_, index) => sum(histories.map((item) => item[field][index] ?? 0)));

/** Of several queues: the mean weighted by what started, and the worst of the upper values. */
export function waiting(histories: QueueStats[], length: number) {
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
