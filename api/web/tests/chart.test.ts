// Where the values of a chart stand.

import { describe, expect, test } from "vitest";
import {
  HEIGHT,
  highestOf,
  isWritten,
  leftOf,
  marksOf,
  minuteAt,
  niceCeiling,
  PAD,
  runs,
  scaleOf,
  type Series,
  stackAt,
  withoutLast,
} from "../src/chart/scale";

const LEFT = 54;

const series = (...values: (number | null)[]): Series => ({ name: "n", kind: "k", values });

describe("the top of a chart", () => {
  test.each([
    [0, 1],
    [-5, 1],
    [NaN, 1],
    [1, 1],
    [1.1, 1.2],
    [7, 8],
    [10, 10],
    [11, 12],
    [130, 160],
    [999, 1000],
    [1000, 1000],
    [1001, 1200],
    [0.03, 0.03],
    [4e12, 4e12],
  ])("over %d is the round number %d", (value, top) => {
    expect(niceCeiling(value)).toBeCloseTo(top, 10);
  });

  test("is never below the value, and never twice as high", () => {
    for (let value = 0.001; value < 1e15; value *= 1.37) {
      expect(niceCeiling(value)).toBeGreaterThanOrEqual(value * 0.999999);
      expect(niceCeiling(value)).toBeLessThan(value * 2);
    }
  });
});

describe("the highest point", () => {
  test("counts bars on top of each other, and lines each alone", () => {
    expect(highestOf([series(1, 2), series(3, null)], [series(3, 3.5), series(0)], 2)).toBe(4);
    expect(highestOf([series(1)], [series(9, null)], 2)).toBe(9);
  });

  test("of nothing, or of what is unknown, is zero", () => {
    expect(highestOf([], [], 0)).toBe(0);
    expect(highestOf([series(null)], [series(null)], 3)).toBe(0);
  });
});

describe("a scale", () => {
  const { top, step, x, y } = scaleOf(480, LEFT, 60, 7);

  test("spans the chart between its margins", () => {
    expect(top).toBe(8);
    expect(x(0)).toBe(LEFT);
    expect(x(60)).toBe(480 - PAD.right);
    expect(step).toBe(7);
    expect(y(0)).toBe(HEIGHT - PAD.bottom);
    expect(y(top)).toBe(PAD.top);
  });

  test("of no minutes and no values divides by nothing", () => {
    const empty = scaleOf(200, LEFT, 0, 0);

    expect([empty.step, empty.x(0), empty.y(0)].every(Number.isFinite)).toBe(true);
  });
});

describe("the labels of the value axis", () => {
  test("are half the top and the top, which are round", () => {
    expect(marksOf(7)).toEqual([0, 4, 8]);
  });

  test("get as much room as the longest needs", () => {
    // Drawn at 11 pixels, no letter is wider than 7.
    expect(leftOf(["0 s", "1 min 40 s"])).toBeGreaterThanOrEqual(10 * 6.4 + 6);
    expect(leftOf(["0", "5"])).toBeLessThan(20);
  });
});

describe("the bars of a minute", () => {
  const [one, none, unknown, two] = [series(1), series(0), series(null), series(2)];

  test("stand on each other, and those without a height are left out", () => {
    expect(stackAt([one, none, unknown, two], 0)).toEqual([
      { bar: one, from: 0, to: 1 },
      { bar: two, from: 1, to: 3 },
    ]);
  });

  test("that nobody counted are none", () => {
    expect(stackAt([one, two], 5)).toEqual([]);
  });
});

describe("a line", () => {
  test("is broken where a value is unknown, and zero is known", () => {
    expect(runs([null, 1, 0, null, null, 3, null])).toEqual([[1, 2], [5]]);
  });

  test.each([[[]], [[null, null]]])("of %j is none", (values) => {
    expect(runs(values)).toEqual([]);
  });

  test("ends before the minute that is not over", () => {
    expect(withoutLast(series(1, 2, 3)).values).toEqual([1, 2, null]);
  });
});

describe("the minute that is pointed at", () => {
  test.each([
    [LEFT - 0.1, null],
    [LEFT, 0],
    [LEFT + 6.9, 0],
    [LEFT + 7, 1],
    [LEFT + 7 * 60 - 0.1, 59],
    [LEFT + 7 * 60, null],
  ])("at %d pixels is %s", (offset, index) => {
    expect(minuteAt(offset, scaleOf(480, LEFT, 60, 7), 60)).toBe(index);
  });
});

describe("a time below a chart", () => {
  test("is written at each quarter of the reader's hour", () => {
    // 17:45 and 17:50 in Kathmandu.
    expect(isWritten("2026-03-10T12:00:00Z", 30, 7, 60)).toBe(true);
    expect(isWritten("2026-03-10T12:05:00Z", 30, 7, 60)).toBe(false);
  });

  test("is left out near the ends, where other words stand, and where it cannot be read", () => {
    expect(isWritten("2026-03-10T12:00:00Z", 9, 7, 60)).toBe(false);
    expect(isWritten("2026-03-10T12:00:00Z", 52, 7, 60)).toBe(false);
    expect(isWritten("", 30, 7, 60)).toBe(false);
  });
});
