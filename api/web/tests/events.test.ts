// Server-sent events, wherever a stream is cut.

import { describe, expect, test } from "vitest";
import { EventReader } from "../src/events";

const read = (...chunks: string[]) => {
  const reader = new EventReader();
  return chunks.flatMap((chunk) => reader.read(chunk));
};

const TWO = 'event: log\nid: 1-7\ndata: {"message":"a: b"}\n\nevent: end\ndata: {}\n\n';

test("an event has a kind, a place to resume at, and a text", () => {
  expect(read(TWO)).toEqual([
    { event: "log", id: "1-7", data: '{"message":"a: b"}' },
    { event: "end", id: "", data: "{}" },
  ]);
});

test("a stream may be cut anywhere", () => {
  for (let at = 0; at <= TWO.length; at++)
    expect(read(TWO.slice(0, at), TWO.slice(at))).toEqual(read(TWO));
  expect(read(...TWO.split(""))).toEqual(read(TWO));
});

test.each(["\r\n", "\r"])("lines may end in %j, wherever the stream is cut", (ending) => {
  const text = TWO.replaceAll("\n", ending);

  for (let at = 0; at <= text.length; at++)
    expect(read(text.slice(0, at), text.slice(at))).toEqual(read(TWO));
  expect(read(...text.split(""))).toEqual(read(TWO));
});

test("an event that is not whole at the end is none", () => {
  expect(read("data: 1\n\ndata: 2\n")).toEqual([{ event: "message", id: "", data: "1" }]);
});

test("an event without data is none, and leaves nothing to the next", () => {
  expect(read("event: log\nid: 9\n\ndata: 1\n\n")).toEqual([
    { event: "message", id: "", data: "1" },
  ]);
});

test("a text may have several lines", () => {
  expect(read("data: [1,\ndata: 2]\n\n")).toEqual([{ event: "message", id: "", data: "[1,\n2]" }]);
});

describe("of a field's value", () => {
  test.each([
    ["data:x", "x"],
    ["data: x", "x"],
    ["data:  x", " x"],
    ["data: a:b: c", "a:b: c"],
    ["data:", ""],
    ["data", ""],
  ])("%j gives %j: one space goes", (line, data) => {
    expect(read(`${line}\n\n`)).toEqual([{ event: "message", id: "", data }]);
  });
});

test("comments, unknown fields and empty lines are passed over", () => {
  expect(read("\n\n: hello\nretry: 10\n__proto__: x\nnonsense\ndata: 1\n\n\n")).toEqual([
    { event: "message", id: "", data: "1" },
  ]);
});
