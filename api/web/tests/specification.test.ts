// The calls of openapi.json, and requests made of what was typed.

import { expect, test } from "vitest";
import { type Call, laidOut, readSpecification, requestFor } from "../src/docs/specification";

const CALL: Call = {
  path: "/v1/jobs/{name}/{part}",
  method: "post",
  summary: "",
  parameters: [
    { name: "name", in: "path", required: true },
    { name: "state", in: "query", required: false },
    { name: "Idempotency-Key", in: "header", required: false },
    { name: "part", in: "path", required: true },
  ],
  hasBody: true,
  answers: [],
};

test("a request has each parameter in its place, encoded", () => {
  const { path, options } = requestFor(CALL, ["a/b $&", "x&y", "k", "ü"], '{"n":1.0}');

  expect(path).toBe("/v1/jobs/a%2Fb%20%24%26/%C3%BC?state=x%26y");
  expect(options).toEqual({
    method: "POST",
    headers: { "Idempotency-Key": "k", "Content-Type": "application/json" },
    body: '{"n":1.0}',
  });
});

test("what was left empty is left out, and stays visible in the path", () => {
  const call = { ...CALL, method: "get", hasBody: false };

  expect(requestFor(call, ["", "", "", ""], "{}")).toEqual({
    path: "/v1/jobs/{name}/{part}",
    options: { method: "GET", headers: {} },
  });
  expect(requestFor(call, [], "{}").path).toBe("/v1/jobs/{name}/{part}");
});

test("a specification has a call for each method, and schemas laid out with exact numbers", () => {
  const { calls, schemas } = readSpecification(` {
    "paths": {"/a": {
      "get": {"summary": "G", "parameters": [], "responses": {"200": {}, "404": {}}},
      "post": {"summary": "P", "parameters": [], "requestBody": {}, "responses": {"201": {}}}}},
    "components": {"schemas": {"S": {"maximum":18446744073709551615}}}}`);

  expect(
    calls.map(({ path, method, hasBody, answers }) => [path, method, hasBody, answers]),
  ).toEqual([
    ["/a", "get", false, ["200", "404"]],
    ["/a", "post", true, ["201"]],
  ]);
  expect(schemas).toEqual([["S", '{\n  "maximum": 18446744073709551615\n}']]);
  expect(readSpecification('{"paths":{}}')).toEqual({ calls: [], schemas: [] });
});

test("an answer is laid out if it is JSON, and shown as it is otherwise", () => {
  expect(laidOut('{"a":1.0}')).toBe('{\n  "a": 1.0\n}');
  expect(laidOut("zerog_jobs 1\n")).toBe("zerog_jobs 1\n");
  expect(laidOut("")).toBe("");
});
