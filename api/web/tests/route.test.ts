// Addresses, also those that somebody typed.

import { expect, test } from "vitest";
import { jobsLink, routeOf } from "../src/route";

const read = (hash: string) => {
  const { path, query } = routeOf(hash);
  return [path, Object.fromEntries(query)];
};

test.each([
  ["", [], {}],
  ["#", [], {}],
  ["#/", [], {}],
  ["#/jobs", ["jobs"], {}],
  ["#jobs//", ["jobs"], {}],
  ["#/jobs?state=failed&type=A%26B", ["jobs"], { state: "failed", type: "A&B" }],
  ["#/run/A%2FB%20C?like=1", ["run", "A/B C"], { like: "1" }],
  ["#/jobs?type=a?b", ["jobs"], { type: "a?b" }],
  ["#/jobs/%", ["jobs", "%"], {}],
  ["#/run/100%25%ff", ["run", "100%25%ff"], {}],
])("%j leads to %j with %j", (hash, path, query) => {
  expect(read(hash)).toEqual([path, query]);
});

test("a link to jobs leads back to its filter", () => {
  const filter = { queue: "a&b=c?d#e", state: "queued" };

  expect(read(jobsLink(filter))).toEqual([["jobs"], filter]);
});
