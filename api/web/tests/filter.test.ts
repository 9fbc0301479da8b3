// Which jobs a list shows.

import { expect, test } from "vitest";
import { isFiltered, linkQuery, readFilter, search, told } from "../src/jobs/filter";
import { isFinished, type State, STATES } from "../src/types";

const filter = (query: string) => readFilter(new URLSearchParams(query));

test("a filter is read from the address and written back, without what is not its own", () => {
  const read = filter("queue=a%26b&state=failed,running&color=red&type=");

  expect(read).toEqual({ state: "failed,running", type: "", queue: "a&b" });
  expect(linkQuery(read, "").toString()).toBe("state=failed%2Crunning&queue=a%26b");
  expect(linkQuery(read, "9").get("cursor")).toBe("9");
});

test("the API is asked for one page, and for each state", () => {
  expect(search(filter("state=failed,,imagined&type=A"), "c=1").toString()).toBe(
    "limit=50&state=failed&state=imagined&type=A&cursor=c%3D1",
  );
  expect(search(filter(""), "").toString()).toBe("limit=50");
});

test("only a name or a state makes a filter", () => {
  expect(isFiltered(filter("cursor=1&color=red"))).toBe(false);
  expect(isFiltered(filter("queue=q"))).toBe(true);
});

test("what is going to be changed is said in full", () => {
  expect(told(filter("queue=q&type=A"), ["failed", "cancelled"])).toBe(
    "state failed or cancelled, type A, queue q",
  );
  expect(told(filter(""), ["queued"])).toBe("state queued");
});

test("a state is finished or not, and one that the page does not know is not", () => {
  expect(STATES.filter(isFinished)).toEqual(["succeeded", "failed", "cancelled", "expired"]);
  expect(isFinished("imagined" as State)).toBe(false);
});
