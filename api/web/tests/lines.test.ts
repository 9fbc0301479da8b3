// A log that is too long to be held as a whole.

import { describe, expect, test, vi } from "vitest";
import { hasText, linesBefore, newest, placeOf, wholeLog } from "../src/job/lines";
import type { Line } from "../src/types";

const line = (attempt: number, seq: number, message = "m", data?: string): Line => ({
  attempt,
  seq,
  message,
  level: "info",
  time: "2026-03-10T12:00:00Z",
  ...(data !== undefined && { data }),
});
const numbers = (lines: Line[]) => lines.map(({ attempt, seq }) => `${attempt}-${seq}`);

/** Before the first line. */
const BEGINNING = "0-99999";

/** An API that holds attempts of so many lines each; returns the cursors that it is asked for. */
function holding(attempts: Record<number, number>): string[] {
  const asked: string[] = [];
  const all = Object.entries(attempts).flatMap(([attempt, length]) =>
    Array.from({ length }, (_, seq) => line(Number(attempt), seq)),
  );
  vi.stubGlobal("sessionStorage", { getItem: () => null });
  vi.stubGlobal("fetch", (path: string) => {
    const query = new URL(path, "http://x").searchParams;
    const cursor = query.get("cursor") ?? BEGINNING;
    asked.push(cursor);
    const [attempt, seq] = cursor.split("-").map(Number) as [number, number];
    const after = all.filter(
      (item) => item.attempt > attempt || (item.attempt === attempt && item.seq > seq),
    );
    const page = after.slice(0, Number(query.get("limit")));
    const last = page.at(-1);
    const next = page.length < after.length ? `${last!.attempt}-${last!.seq}` : null;
    return Promise.resolve(new Response(JSON.stringify({ events: page, next })));
  });
  return asked;
}

describe("the newest lines", () => {
  test("are all of a short log, and none of an empty one", () => {
    expect(numbers(newest([line(1, 0), line(1, 1)]))).toEqual(["1-0", "1-1"]);
    expect(newest([])).toEqual([]);
  });

  test("are 2,000 at most", () => {
    const kept = newest(Array.from({ length: 2500 }, (_, seq) => line(1, seq)));

    expect([kept.length, kept[0]!.seq]).toEqual([2000, 500]);
  });

  test("are fewer where they are long, counting their data, and never none", () => {
    const long = "x".repeat(1_500_000);

    expect(
      numbers(newest([line(1, 0), line(1, 1, long), line(1, 2, "", long), line(1, 3, long)])),
    ).toEqual(["1-1", "1-2", "1-3"]);
    expect(numbers(newest([line(1, 0), line(1, 1, "x".repeat(9_000_000))]))).toEqual(["1-1"]);
  });
});

describe("earlier lines", () => {
  test("are the thousand that join", async () => {
    const asked = holding({ 1: 5000 });
    const found = await linesBefore("u", line(1, 3000), 1);

    expect([found.length, found[0]!.seq, found.at(-1)!.seq]).toEqual([1000, 2000, 2999]);
    expect(asked).toEqual(["1-1999"]);
  });

  test("begin with the attempt", async () => {
    holding({ 1: 10, 2: 5000 });

    expect(numbers(await linesBefore("u", line(2, 3), 1))).toEqual(["2-0", "2-1", "2-2"]);
  });

  test("of a line that is the first of its attempt are the end of the attempt before", async () => {
    holding({ 1: 2500, 2: 5 });
    const found = await linesBefore("u", line(2, 0), 1);

    expect([found.length, found[0]!.seq, found.at(-1)!.seq]).toEqual([1000, 1500, 2499]);
  });

  test("pass over attempts that wrote nothing", async () => {
    holding({ 1: 2, 2: 2, 4: 5 });

    expect(numbers(await linesBefore("u", line(4, 0), 1))).toEqual(["2-0", "2-1"]);
  });

  test("are none before the oldest attempt that is kept", async () => {
    const asked = holding({ 3: 5 });

    expect(await linesBefore("u", line(3, 0), 3)).toEqual([]);
    expect(asked).toEqual([]);
  });
});

test("a whole log is read page by page, from its beginning", async () => {
  const asked = holding({ 1: 1500, 3: 2 });
  const written = await wholeLog("u");

  expect(written).toHaveLength(1502);
  expect(written[0]).toBe("2026-03-10T12:00:00Z #1 info m\n");
  expect(written.at(-1)).toBe("2026-03-10T12:00:00Z #3 info m\n");
  expect(asked).toEqual([BEGINNING, "1-999"]);
});

test("a line has a text in what it says or in its data", () => {
  expect(hasText(line(1, 0, "Tile 7"), "tile")).toBe(true);
  expect(hasText(line(1, 0, "m", '{"path":"/Tmp"}'), "/tmp")).toBe(true);
  expect(hasText(line(1, 0), "x")).toBe(false);
});

test.each([
  ["1-0", { attempt: 1, seq: 0 }],
  ["12-3456", { attempt: 12, seq: 3456 }],
  ["1", null],
  ["1-x", null],
  ["-1-2", null],
  ["", null],
  [null, null],
])("the address's line %j is %j", (text, place) => {
  expect(placeOf(text)).toEqual(place);
});
