// When a job waited and when it ran.

import { expect, test } from "vitest";
import { spansOf, totals } from "../src/job/spans";
import type { Attempt } from "../src/types";

const at = (second: number) => new Date(second * 1000).toISOString();
const attempt = (number: number, start: number, end?: number): Attempt => ({
  number,
  worker: { name: "w" },
  startedTime: at(start),
  ...(end !== undefined && { endedTime: at(end), cause: "error" as const }),
});
const flaky = {
  createdTime: at(0),
  attempts: [attempt(1, 10, 20), attempt(2, 60, 80)],
  finishedTime: at(80),
};

test("each attempt has the wait before it and its run", () => {
  const { rows, waits, seconds } = spansOf(flaky, 0, 99_000);

  expect(rows.map(({ waited, ran }) => [waited, ran])).toEqual([
    [10, 10],
    [40, 20],
  ]);
  expect(rows[1]).toMatchObject({ wait: { from: 25, to: 75 }, run: { from: 75, to: 100 } });
  expect([waits, seconds]).toEqual([null, 80]);
});

test("without the first attempts the line begins with the wait for the next one", () => {
  const { rows, seconds } = spansOf(flaky, 1, 99_000);

  expect(rows[0]!.wait.from).toBe(0);
  expect([rows[0]!.waited, seconds]).toEqual([40, 60]);
});

test("an attempt that runs reaches until now, and nothing waits", () => {
  const job = { createdTime: at(0), attempts: [attempt(1, 10)] };
  const { rows, waits } = spansOf(job, 0, 30_000);

  expect(rows[0]).toMatchObject({ waited: 10, ran: 20, run: { to: 100 } });
  expect(waits).toBeNull();
});

test("a job between attempts, or before the first, waits until now", () => {
  const between = { createdTime: at(0), attempts: [attempt(1, 10, 20)] };

  expect(spansOf(between, 0, 50_000).waits).toEqual({ seconds: 30, part: { from: 40, to: 100 } });
  expect(spansOf({ createdTime: at(0), attempts: [] }, 0, 5000).waits?.seconds).toBe(5);
});

test("clocks that disagree give no negative times", () => {
  const job = { createdTime: at(50), attempts: [attempt(1, 10, 20)], finishedTime: at(20) };
  const { rows } = spansOf(job, 0, 0);

  expect(rows[0]).toMatchObject({ waited: 0, ran: 10 });
  expect(rows[0]!.run.from).toBeGreaterThanOrEqual(0);
});

test("a job waited whenever it did not run", () => {
  expect(totals(flaky, 0)).toEqual({ waited: 50, ran: 30 });
});
