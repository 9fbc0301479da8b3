// Numbers and times as people read them.

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  ago,
  count,
  DASH,
  duration,
  exactTime,
  fullTime,
  minute,
  plural,
  secondsBetween,
  time,
} from "../src/format";

describe("a count", () => {
  test.each([
    [0, "0"],
    [-0, "0"],
    [1, "1"],
    [9.94, "9.9"],
    [9.96, "10"],
    [10.4, "10"],
    [999, "999"],
    [1000, "1,000"],
    [1234567, "1,234,567"],
    [Number.MAX_SAFE_INTEGER, "9,007,199,254,740,991"],
    [1e21, "1,000,000,000,000,000,000,000"],
    [-3.25, "-3.3"],
  ])("of %d is %s", (value, text) => {
    expect(count(value)).toBe(text);
  });

  test.each([null, undefined, NaN, Infinity, -Infinity])("that is %s is a dash", (value) => {
    expect(count(value)).toBe(DASH);
  });

  test.each([0.04, 0.000001])("of %d is not shown as nothing", (value) => {
    expect(count(value)).toBe("<0.1");
  });

  test("has its noun in the singular for exactly one", () => {
    expect(plural(1, "job")).toBe("1 job");
    expect(plural(0, "job")).toBe("0 jobs");
    expect(plural(1200, "job")).toBe("1,200 jobs");
  });
});

describe("a duration", () => {
  test.each([
    [0, "0 s"],
    [0.0001, "1 ms"],
    [0.42, "420 ms"],
    [0.9994, "999 ms"],
    [0.9996, "1 s"],
    [1, "1 s"],
    [9.94, "9.9 s"],
    [12, "12 s"],
    [59.4, "59 s"],
    [59.5, "1 min"],
    [60, "1 min"],
    [185, "3 min 5 s"],
    [3599.6, "1 h"],
    [3600, "1 h"],
    [3601, "1 h"],
    [7800, "2 h 10 min"],
    [86_399.5, "1 d"],
    [86_400, "1 d"],
    [86_400 + 59, "1 d"],
    [3 * 86_400 + 4 * 3600 + 59, "3 d 4 h"],
    [400 * 86_400, "400 d"],
    [12_345 * 86_400, "12,345 d"],
  ])("of %d seconds is %s", (seconds, text) => {
    expect(duration(seconds)).toBe(text);
  });

  test.each([null, undefined, NaN, Infinity, -1])("of %s is a dash", (seconds) => {
    expect(duration(seconds)).toBe(DASH);
  });
});

describe("the seconds between two times", () => {
  test("are counted across zones", () => {
    expect(secondsBetween("2026-03-01T12:00:00Z", "2026-03-01T13:00:01.5+01:00")).toBe(1.5);
  });

  test("are none when clocks disagree", () => {
    expect(secondsBetween("2026-03-01T12:00:05Z", "2026-03-01T12:00:00Z")).toBe(0);
  });

  test("are unknown when a time cannot be read", () => {
    expect(duration(secondsBetween("soon", "2026-03-01T12:00:00Z"))).toBe(DASH);
  });
});

describe("how long ago", () => {
  const now = Date.parse("2026-03-10T12:00:00Z");

  test.each([
    ["2026-03-10T12:00:30Z", "now"],
    ["2026-03-10T11:59:56Z", "now"],
    ["2026-03-10T11:59:55Z", "5 s ago"],
    ["2026-03-10T11:59:00.001Z", "59 s ago"],
    ["2026-03-10T11:59:00Z", "1 min ago"],
    ["2026-03-10T11:00:00Z", "1 h ago"],
    ["2026-03-09T12:00:01Z", "23 h ago"],
    ["2026-03-09T12:00:00Z", "1 d ago"],
    ["2025-03-10T12:00:00Z", "365 d ago"],
  ])("%s is %s", (text, told) => {
    expect(ago(text, now)).toBe(told);
  });

  test("is a dash for what is no time", () => {
    expect(ago("", now)).toBe(DASH);
  });
});

describe("a time", () => {
  beforeEach(() => {
    vi.useFakeTimers({ now: new Date("2026-03-10T20:00:00Z"), toFake: ["Date"] });
  });
  afterEach(() => {
    vi.resetModules();
    vi.useRealTimers();
  });

  /** The formats read the zone when they are made. */
  async function formatsIn(name: string) {
    vi.stubEnv("TZ", name);
    vi.resetModules();
    return import("../src/format");
  }

  test("of today, in the reader's zone, is shown without its day", () => {
    // 01:45 on the 11th in Kathmandu, where the 11th has begun.
    expect(time("2026-03-10T18:15:00Z")).toBe("00:00:00");
    expect(time("2026-03-10T18:14:59Z")).toBe("10 Mar 23:59:59");
  });

  test.each([
    ["UTC", "18:14:59", "18:14"],
    ["America/New_York", "14:14:59", "14:14"],
    ["Pacific/Kiritimati", "08:14:59", "08:14"],
  ])("is told in %s", async (name, told, short) => {
    const formats = await formatsIn(name);

    expect(formats.time("2026-03-10T18:14:59Z")).toBe(told);
    expect(formats.minute("2026-03-10T18:14:59Z")).toBe(short);
  });

  test("names its offset where it is shown in full, so that the hour that comes twice is two", async () => {
    const formats = await formatsIn("Europe/Berlin");

    expect(formats.fullTime("2026-10-25T00:30:00Z")).toBe("25 Oct 2026, 02:30:00 CEST");
    expect(formats.fullTime("2026-10-25T01:30:00Z")).toBe("25 Oct 2026, 02:30:00 CET");
  });

  test.each(["", "never", "2026-13-01T00:00:00Z"])("that reads %j is a dash", (text) => {
    expect(time(text)).toBe(DASH);
    expect(minute(text)).toBe(DASH);
    expect(fullTime(text)).toBe(DASH);
  });
});

test("a line's time has milliseconds, and on another day its date", () => {
  expect(exactTime(new Date(new Date().setHours(9, 5, 7, 41)).toISOString())).toBe("09:05:07.041");
  expect(exactTime("2020-03-03T08:20:22.5Z")).toBe("3 Mar 14:05:22.500");
  expect(exactTime("never")).toBe("–");
});
