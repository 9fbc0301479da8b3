// Which jobs a list shows.

import { expect, test } from "vitest";
import {
  askedNow,
  chosenBy,
  isFiltered,
  isOfEnds,
  labelLink,
  linkQuery,
  readFilter,
  search,
  timeOf,
  told,
} from "../src/jobs/filter";
import { isFinished, type State, STATES } from "../src/types";

const filter = (query: string) => readFilter(new URLSearchParams(query));
const NOW = Date.parse("2026-11-29T12:00:00Z");

test("a filter is read from the address and written back, without what is not its own", () => {
  const read = filter("queue=a%26b&state=failed,running&color=red&type=&label=&label=a=1,2");

  expect([read.state, read.type, read.queue, read.label]).toEqual([
    "failed,running",
    "",
    "a&b",
    ["a=1,2"],
  ]);
  expect(linkQuery(read, "").toString()).toBe("state=failed%2Crunning&queue=a%26b&label=a%3D1%2C2");
  expect(linkQuery(read, "9").get("cursor")).toBe("9");
});

test.each([
  "state=failed&label=a%3D1&label=b%3D2&submittedAfter=7d&endedAfter=1h",
  "submittedAfter=2026-11-28T10%3A00%3A00Z&submittedBefore=2026-11-28T11%3A00%3A00Z",
])("an address is the same after it was read: %s", (query) => {
  expect(linkQuery(filter(query), "").toString()).toBe(query);
});

test("the API is asked for one page, and for each state", () => {
  expect(search(filter("state=failed,,imagined&type=A"), "c=1").toString()).toBe(
    "limit=50&state=failed&state=imagined&type=A&cursor=c%3D1",
  );
  expect(search(filter(""), "").toString()).toBe("limit=50");
});

test("a label is asked for as it is, though it has a comma", () => {
  expect(search(filter("label=a=1,2&label=b=3"), "").getAll("label")).toEqual(["a=1,2", "b=3"]);
});

test("only a name, a state, a label or a time makes a filter", () => {
  expect(isFiltered(filter("cursor=1&color=red"))).toBe(false);
  for (const query of ["queue=q", "label=a=1", "endedBefore=2026-11-28T10:00:00Z"])
    expect(isFiltered(filter(query))).toBe(true);
});

test.each([
  ["1h", "2026-11-29T11:00:00.000Z"],
  ["7d", "2026-11-22T12:00:00.000Z"],
  ["2026-11-28T10:00:00Z", "2026-11-28T10:00:00Z"],
  ["7 days", "7 days"],
])("the time %s means %s now", (text, time) => {
  expect(timeOf(text, NOW)).toBe(time);
});

test("a range that moves with the clock is written when the API is asked", () => {
  const path = `/v1/jobs?${search(filter("endedAfter=1h&label=a=1h"), "")}`;

  expect(askedNow(path, NOW)).toBe(
    "/v1/jobs?limit=50&label=a%3D1h&endedAfter=2026-11-29T11%3A00%3A00.000Z",
  );
});

test("a job's label narrows the list that it is in, once", () => {
  expect(labelLink(filter("state=failed&label=a=1"), "b=2")).toBe(
    "#/jobs?state=failed&label=a%3D1&label=b%3D2",
  );
  expect(labelLink(filter("label=a=1"), "a=1")).toBe("#/jobs?label=a%3D1");
});

test("what is changed by filter is what the list shows", () => {
  const read = filter(
    "type=A&queue=q&label=a=1&submittedAfter=1d&endedBefore=2026-11-28T10:00:00Z",
  );

  expect(chosenBy(read, ["failed"], NOW)).toEqual({
    state: ["failed"],
    type: "A",
    queue: "q",
    label: ["a=1"],
    submittedAfter: "2026-11-28T12:00:00.000Z",
    endedBefore: "2026-11-28T10:00:00Z",
  });
  expect(chosenBy(filter(""), ["queued"], NOW)).toEqual({ state: ["queued"] });
});

test("only a time of the end is of finished jobs alone", () => {
  expect(isOfEnds(filter("submittedAfter=1h"))).toBe(false);
  expect(isOfEnds(filter("endedAfter=1h"))).toBe(true);
  expect(isOfEnds(filter("endedBefore=1h"))).toBe(true);
});

test("what is going to be changed is said in full", () => {
  expect(told(filter("queue=q&type=A&label=a=1&label=b=2"), ["failed", "cancelled"])).toBe(
    "state failed or cancelled, type A, queue q, label a=1 and b=2",
  );
  expect(told(filter(""), ["queued"])).toBe("state queued");
});

test("times of what is going to be changed are said in full", () => {
  expect(told(filter("submittedAfter=1d&endedAfter=36h"), ["failed"])).toBe(
    "state failed, submitted in the last 24 hours, ended from 36h ago",
  );
  expect(
    told(filter("endedAfter=2020-11-28T10:00:00&endedBefore=2020-11-29T11:00:00"), ["failed"]),
  ).toBe("state failed, ended from 28 Nov 10:00:00 and before 29 Nov 11:00:00");
});

test("a state is finished or not, and one that the page does not know is not", () => {
  expect(STATES.filter(isFinished)).toEqual(["succeeded", "failed", "cancelled", "expired"]);
  expect(isFinished("imagined" as State)).toBe(false);
});
