// Times in JSON, and in a browser's field.

import { expect, test } from "vitest";
import { fromLocal, isDate, toLocal } from "../src/run/moment";

test.each([
  ["", true],
  ["2026-12-01", true],
  ["1 Dec", false],
  ["2026-12-01T00:00:00Z", false],
])("a field for dates holds %j: %s", (text, answer) => {
  expect(isDate(text)).toBe(answer);
});

// The tests' time zone is Kathmandu's: 5:45 east.
test.each([
  ["2026-12-01T10:30:00Z", "2026-12-01T16:15"],
  ["2026-12-01T10:30:05+05:45", "2026-12-01T10:30:05"],
  ["", ""],
  ["now", null],
  ["2026-12-01", null],
])("%j is shown in the reader's zone as %j", (text, local) => {
  expect(toLocal(text)).toBe(local);
});

test.each([
  ["2026-12-01T10:30", "2026-12-01T10:30:00+05:45"],
  ["2026-12-01T10:30:05", "2026-12-01T10:30:05+05:45"],
  ["", ""],
  ["never", ""],
])("what is chosen, %j, is sent as %j", (local, text) => {
  expect(fromLocal(local)).toBe(text);
});
