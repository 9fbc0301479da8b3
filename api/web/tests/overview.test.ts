// Sums over queues.

import { describe, expect, test } from "vitest";
import { added, ALL, of, sum, waiting } from "../src/overview/history";
import type { QueueStats } from "../src/types";

const history = (name: string, part: Partial<QueueStats>): QueueStats => ({
  name,
  accepted: [],
  again: [],
  cancelled: [],
  expired: [],
  failed: [],
  runMeanSeconds: [],
  started: [],
  succeeded: [],
  wait95Seconds: [],
  waitMeanSeconds: [],
  ...part,
});

test("a sum of nothing is zero", () => {
  expect(sum([])).toBe(0);
});

test("all queues are chosen, or the one of a name, or none of an unknown one", () => {
  const queues = [{ name: "a" }, { name: "b" }];

  expect(of(queues, ALL)).toEqual(queues);
  expect(of(queues, "b")).toEqual([{ name: "b" }]);
  expect(of(queues, "c")).toEqual([]);
});

test("queues are added up minute by minute, and a short history counts as far as it reaches", () => {
  const histories = [history("a", { failed: [1, 2, 3] }), history("b", { failed: [10] })];

  expect(added(histories, "failed", 3)).toEqual([11, 2, 3]);
  expect(added([], "failed", 2)).toEqual([0, 0]);
});

describe("the wait of several queues", () => {
  test("is the mean weighted by what started, and the worst of the upper values", () => {
    const busy = history("a", { started: [9], waitMeanSeconds: [1], wait95Seconds: [2] });
    const idle = history("b", { started: [1], waitMeanSeconds: [11], wait95Seconds: [12] });

    expect(waiting([busy, idle], 1)).toEqual({ mean: [2], upper: [12] });
  });

  test("is unknown in a minute in which nothing started", () => {
    const one = history("a", {
      started: [0, 1],
      waitMeanSeconds: [null, 3],
      wait95Seconds: [null, 4],
    });

    expect(waiting([one], 3)).toEqual({ mean: [null, 3, null], upper: [null, 4, null] });
    expect(waiting([], 1)).toEqual({ mean: [null], upper: [null] });
  });
});
