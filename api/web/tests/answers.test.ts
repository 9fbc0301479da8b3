// Answers whose values are a job's.

import { expect, test } from "vitest";
import { readJob, readLine, readLog, readType } from "../src/answers";

test("a job's own values stay the texts that they were sent as", () => {
  const job = readJob(
    '{"uuid":"u","state":"imagined","attempt":2,"parameters":{"n":9007199254740993},"data":1.0,"jobState":null}',
  );

  expect(job).toMatchObject({
    uuid: "u",
    state: "imagined",
    attempt: 2,
    parameters: '{"n":9007199254740993}',
    data: "1.0",
    jobState: "null",
  });
});

test("a line without data has none", () => {
  expect(readLine('{"message":"m","seq":0}')).toEqual({ message: "m", seq: 0 });
  expect(readLine('{"message":"m","data":{"a":1.0}}').data).toBe('{"a":1.0}');
});

test("a log's lines of all levels are in the order of writing", () => {
  const line = (attempt: number, seq: number) => JSON.stringify({ attempt, seq });
  const { lines, next } = readLog(
    `{"events":[${line(1, 10)},${line(2, 0)}],"errors":[${line(1, 9)}],"warnings":[${line(1, 2)}],"next":"2-0"}`,
  );

  expect(lines.map(({ attempt, seq }) => `${attempt}-${seq}`)).toEqual([
    "1-2",
    "1-9",
    "1-10",
    "2-0",
  ]);
  expect(next).toBe("2-0");
});

test("a log may be empty, and end without saying so", () => {
  expect(readLog("{}")).toEqual({ lines: [], next: null });
});

test("a type's schema keeps its values as texts", () => {
  const type = readType(
    '{"name":"A","schema":{"properties":{"n":{"default":1.0,"enum":[1e400]}}}}',
  );

  expect(type.schema.properties!.n).toEqual({ default: "1.0", enum: ["1e400"] });
  expect(readType('{"name":"A"}').schema).toEqual({});
});
