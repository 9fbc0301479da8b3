// Streams of events over a `fetch` that each test plays: cut, silent, broken, refused.

import { beforeEach, expect, test, vi } from "vitest";
import { follow } from "../src/api";
import type { ServerEvent } from "../src/events";
import type { Connection } from "../src/watchdog";
import { answering, body, bytes, hanging, header, json, play, silent, streaming } from "./played";

beforeEach(play);

/** Follow until `take` returns false. */
function followed(
  take: (event: ServerEvent) => boolean = () => true,
  ended = new AbortController(),
) {
  const events: ServerEvent[] = [];
  const told: [Connection, string?][] = [];
  const over = follow(
    "/v1/x/stream",
    ended.signal,
    (event) => {
      events.push(event);
      return take(event);
    },
    (connection, error) => told.push(error ? [connection, error.message] : [connection]),
  );
  return { events, told, over, ended };
}
const toEnd = ({ event }: ServerEvent) => event !== "end";
/** A stream that says it is alive when the test lets it. */
function spoken() {
  let enqueue!: () => void;
  const fetch = answering((_, { signal }) => {
    const start = (controller: ReadableStreamDefaultController<Uint8Array>) => {
      enqueue = () => controller.enqueue(bytes("event: alive\ndata: {}\n\n"));
      signal!.addEventListener("abort", () => controller.error(signal!.reason));
    };
    return new Response(new ReadableStream({ start }));
  });
  return { fetch, speak: () => enqueue() };
}
const END = "event: end\ndata: {}\n\n";

test("a stream gives its events until one is the last", async () => {
  answering(hanging(`event: log\ndata: 1\n\n${END}event: log\ndata: 2\n\n`));
  const { events, told, over } = followed(toEnd);
  await over;

  expect(events).toEqual([
    { event: "log", data: "1" },
    { event: "end", data: "{}" },
  ]);
  expect(told).toEqual([["live"]]);
});

test("a stream may be cut inside a letter", async () => {
  const text = bytes(`event: log\ndata: "zä€😀"\n\n${END}`);
  for (let at = 0; at <= text.length; at++) {
    answering(() => new Response(body([text.slice(0, at), text.slice(at)])));
    const { events, over } = followed(toEnd);
    await over;

    expect(events[0]).toEqual({ event: "log", data: '"zä€😀"' });
  }
});

test("a stream with bytes that are no letters goes on, and shows where they were", async () => {
  const broken = new Uint8Array([...bytes("data: a"), 0xff, 0xe2, 0x82, ...bytes(`b\n\n${END}`)]);
  answering(() => new Response(body([broken])));
  const { events, over } = followed(toEnd);
  await over;

  expect(events[0]!.data).toBe("a\ufffd\ufffdb");
});

test("a stream is live from its first event, not from its head", async () => {
  answering(hanging("event: alive\ndata: {}\n\n"), silent);
  const { events, told, ended } = followed();
  expect(told).toEqual([]);
  await vi.advanceTimersByTimeAsync(0);

  expect([told, events]).toEqual([[["live"]], []]);
  ended.abort();
});

test("a stream resumes behind the last event it was given", async () => {
  const fetch = answering(
    streaming("id: 1-5\nevent: log\ndata: 1\n\nid: 1-6\ndata: cut off"),
    streaming(END),
  );
  const { over } = followed(toEnd);
  await vi.advanceTimersByTimeAsync(500);
  await over;

  expect([0, 1].map((index) => header(fetch, index, "Last-Event-ID"))).toEqual([null, "1-5"]);
});

test("a stream with an event that cannot be read is made again behind it", async () => {
  const fetch = answering(streaming("id: 7\nevent: log\ndata: {broken\n\n"), streaming(END));
  const { told, over } = followed(({ event, data }) => {
    JSON.parse(data);
    return event !== "end";
  });
  await vi.advanceTimersByTimeAsync(500);
  await over;

  expect(told).toEqual([["live"], ["lost", "the connection was lost"], ["live"]]);
  expect(header(fetch, 1, "Last-Event-ID")).toBe("7");
});

test("a stream that is silent for 12 seconds is made again", async () => {
  const fetch = answering(hanging("event: log\ndata: 1\n\n"), streaming(END));
  const { told, over } = followed(toEnd);
  await vi.advanceTimersByTimeAsync(0);
  await vi.advanceTimersByTimeAsync(11_999);
  expect(fetch).toHaveBeenCalledTimes(1);
  await vi.advanceTimersByTimeAsync(501);
  await over;

  expect(told.slice(0, 2)).toEqual([["live"], ["quiet"]]);
  expect(told[2]![0]).toBe("lost");
  expect(told[2]![1]).toMatch(/^nothing was heard from the API for 12 seconds/);
});

test("a stream is not live once an event is overdue, and is again with the next one", async () => {
  const { speak } = spoken();
  const { told, ended } = followed();
  await vi.advanceTimersByTimeAsync(0);
  speak();
  await vi.advanceTimersByTimeAsync(6_999);
  expect(told).toEqual([["live"]]);
  await vi.advanceTimersByTimeAsync(1);
  expect(told).toEqual([["live"], ["quiet"]]);
  speak();
  await vi.advanceTimersByTimeAsync(0);

  expect(told).toEqual([["live"], ["quiet"], ["live"]]);
  ended.abort();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(told).toHaveLength(3);
});

test("a stream that the API ends is lost until it is made again", async () => {
  answering(streaming("event: alive\ndata: {}\n\n"), silent);
  const { told, ended } = followed();
  await vi.advanceTimersByTimeAsync(0);

  expect(told).toEqual([["live"], ["lost"]]);
  ended.abort();
});

test("a stream that speaks every 5 seconds is live all the time", async () => {
  const { speak, fetch } = spoken();
  const { told, ended } = followed();
  for (let said = 0; said < 5; said++) {
    await vi.advanceTimersByTimeAsync(5_000);
    speak();
  }
  await vi.advanceTimersByTimeAsync(0);

  expect(told).toEqual([["live"]]);
  expect(fetch).toHaveBeenCalledTimes(1);
  ended.abort();
});

test("a stream is tried again in longer and longer pauses", async () => {
  const fetch = answering(json(503, { detail: "away" }));
  const { told, ended } = followed();
  await vi.advanceTimersByTimeAsync(0);
  for (const [pause, calls] of [
    [500, 2],
    [1000, 3],
    [2000, 4],
    [5000, 5],
    [5000, 6],
  ] as const) {
    await vi.advanceTimersByTimeAsync(pause - 1);
    expect(fetch).toHaveBeenCalledTimes(calls - 1);
    await vi.advanceTimersByTimeAsync(1);
    expect(fetch).toHaveBeenCalledTimes(calls);
  }

  expect(told.at(-1)).toEqual(["lost", "away"]);
  ended.abort();
});

test.each([401, 403, 404])(
  "a stream that is refused with %d is not asked for again",
  async (status) => {
    const fetch = answering(json(status, { detail: "no" }));
    const { told, over } = followed();
    await over;

    expect(told).toEqual([["stopped", "no"]]);
    expect(fetch).toHaveBeenCalledTimes(1);
  },
);

test("a stream that is not wanted any more ends without a word", async () => {
  answering(silent);
  const { told, over, ended } = followed();
  await vi.advanceTimersByTimeAsync(0);
  ended.abort();
  await over;

  expect(told).toEqual([]);
});
