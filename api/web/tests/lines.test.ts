// A log that is too long to be held as a whole.

import { describe, expect, test, vi } from "vitest";
import { linesBefore, newest } from "../src/job/lines";
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
  /** An API that holds attempts of so many lines each; returns the cursors that it is asked for. */
  function holding(attempts: Record<number, number>): string[] {
    const asked: string[] = [];
    const all = Object.entries(attempts).flatMap(([attempt, length]) =>
      Array.from({ length }, (_, seq) => line(Number(attempt), seq)),
    );
    vi.stubGlobal("sessionStorage", { getItem: () => null });
    vi.stubGlobal("fetch", (path: string) => {
      const query = new URL(path, "http://x").searchParams;
      const cursor = query.get("cursor")!;
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
