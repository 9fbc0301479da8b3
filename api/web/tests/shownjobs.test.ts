// What the list shows of a job.

import { expect, test } from "vitest";
import { dueTime, holdsText, ranSeconds, waitedSeconds } from "../src/jobs/shown";
import type { Summary } from "../src/types";

const at = (second: number) => new Date(second * 1000).toISOString();
const job = (part: Partial<Summary> = {}): Summary => ({
  uuid: "01a22434-5506-717c-bf81-1a8ec868f3ad",
  type: "Invoice",
  queue: "mail",
  state: "queued",
  attempt: 0,
  changedTime: at(0),
  createdTime: at(10),
  priority: 5,
  resultCode: -1,
  schemaHash: "x",
  ...part,
});
const NOW = 100_000;

test.each([
  ["F3AD", true],
  [" invoice ", true],
  ["mail", true],
  ["no address", true],
  ["TEAM=media", true],
  ["gpu", false],
])("whether a job holds %j: %s", (text, answer) => {
  expect(
    holdsText(job({ message: "ValueError: no address", labels: { team: "media" } }), text),
  ).toBe(answer);
});

test("a job waits until its first start, and runs from then on", () => {
  expect([waitedSeconds(job(), NOW), ranSeconds(job(), NOW)]).toEqual([90, null]);
  const running = job({ startedTime: at(30) });
  expect([waitedSeconds(running, NOW), ranSeconds(running, NOW)]).toEqual([20, 70]);
  const finished = job({ startedTime: at(30), finishedTime: at(35) });
  expect([waitedSeconds(finished, NOW), ranSeconds(finished, NOW)]).toEqual([20, 5]);
});

test("a job that was cancelled before it started waited until then", () => {
  expect(waitedSeconds(job({ finishedTime: at(15) }), NOW)).toBe(5);
});

test("of a replayed job neither is known", () => {
  const replayed = job({ replays: 1, startedTime: at(30), finishedTime: at(35) });

  expect([waitedSeconds(replayed, NOW), ranSeconds(replayed, NOW)]).toEqual([null, null]);
});

test("a job is due at a time that is still to come", () => {
  expect(dueTime(job({ notBeforeTime: at(200) }), NOW)).toBe(at(200));
  expect(dueTime(job({ notBeforeTime: at(50) }), NOW)).toBeNull();
  expect(dueTime(job(), NOW)).toBeNull();
});
