// The order of queues and workers.

import { describe, expect, test } from "vitest";
import { groupWorkers, hasWork, sortQueues, stateOf } from "../src/overview/sorted";
import type { Queue, Worker } from "../src/types";

const queue = (name: string, part: Partial<Queue> = {}): Queue => ({
  name,
  arrivalPerMinute: null,
  buried: 0,
  delayed: 0,
  departurePerMinute: null,
  paused: null,
  ready: 0,
  reserved: 0,
  unservedTypes: [],
  waitingSeconds: null,
  ...part,
});
const held = { by: null, reason: null, since: null };
const names = (items: { name: string }[]) => items.map(({ name }) => name);

describe("queues", () => {
  const idle = ["e", "d", "c", "b", "a"].map((name) => queue(name));

  test("with work come first, then by name, and idle ones apart", () => {
    const { shown, idle: folded } = sortQueues([
      ...idle,
      queue("z", { ready: 1 }),
      queue("y", { delayed: 1 }),
    ]);

    expect(names(shown)).toEqual(["y", "z"]);
    expect(names(folded)).toEqual(["a", "b", "c", "d", "e"]);
  });

  test("that are few are all shown", () => {
    const { shown, idle: folded } = sortQueues([queue("b"), queue("a"), queue("z", { ready: 1 })]);

    expect(names(shown)).toEqual(["z", "a", "b"]);
    expect(folded).toEqual([]);
  });

  test.each<Partial<Queue>>([
    { reserved: 1 },
    { buried: 1 },
    { arrivalPerMinute: 0.2 },
    { departurePerMinute: 3 },
    { paused: held },
    { unservedTypes: ["T"] },
  ])("are not idle with %j", (part) => {
    expect(hasWork(queue("q", part))).toBe(true);
  });
});

const worker = (name: string, part: Partial<Worker> = {}): Worker => ({
  name,
  beat: 1,
  drain: null,
  host: "h",
  image: null,
  node: null,
  pid: 1,
  pod: null,
  queues: ["q"],
  running: [],
  slots: 2,
  startedTime: "2026-03-10T12:00:00Z",
  state: "running",
  takes: {},
  types: [],
  updatedTime: "2026-03-10T12:00:00Z",
  ...part,
});
const running = (...slots: number[]) =>
  slots.map((slot) => ({
    slot,
    attempt: 1,
    startedTime: "2026-03-10T12:00:00Z",
    type: "Report",
    uuid: "01a2",
  }));

describe("a worker", () => {
  test.each<[string, Partial<Worker>]>([
    ["idle", {}],
    ["busy", { running: running(0) }],
    ["draining", { state: "draining", running: running(0) }],
    ["draining", { drain: held }],
  ])("is %s with %j", (state, part) => {
    expect(stateOf(worker("w", part))).toBe(state);
  });
});

describe("workers", () => {
  const any = { text: "", state: "" } as const;
  const fleet = [
    worker("b1", { queues: ["b", "a"] }),
    worker("q1"),
    worker("q2", { drain: held }),
    worker("q3", { running: running(0) }),
    worker("q4", { running: running(0, 1, 1), node: "Node-7" }),
    worker("b2", { queues: ["a", "b"] }),
  ];

  test("are grouped by their queues, groups and workers with work first", () => {
    const groups = groupWorkers(fleet, any);

    expect(names(groups)).toEqual(["q", "a, b"]);
    expect(groups.map((group) => names(group.workers))).toEqual([
      ["q4", "q3", "q2", "q1"],
      ["b1", "b2"],
    ]);
    expect(groups[0]).toMatchObject({
      busySlots: 3,
      slots: 8,
      count: { busy: 2, draining: 1, idle: 1 },
    });
  });

  test.each([
    ["node-7", "", ["q4"]],
    ["report", "", ["q4", "q3"]],
    ["", "draining", ["q2"]],
    ["q1", "busy", []],
    [" B1 ", "", ["b1"]],
  ] as const)("are found by the text %j and the state %j", (text, state, found) => {
    expect(groupWorkers(fleet, { text, state }).flatMap(({ workers }) => names(workers))).toEqual(
      found,
    );
  });
});
