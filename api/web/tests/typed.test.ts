// Parameters in the fields of a form or as JSON, and the way between them.

import { expect, test } from "vitest";
import { fieldsFrom, readTyped } from "../src/run/typed";
import { fieldsOf, readSchema } from "../src/schema";

const FIELDS = fieldsOf(readSchema('{"properties":{"n":{"type":"integer"}},"required":["n"]}'));

test("fields are read unless they have mistakes", () => {
  expect(readTyped(FIELDS, { "$.n": "1" }, null)).toEqual({ parameters: '{"n":1}' });
  expect(readTyped(FIELDS, {}, null)).toEqual({
    parameters: null,
    mistakes: [{ path: "$.n", message: "is required" }],
    error: null,
  });
});

test("JSON is sent as it was typed, and the API judges it", () => {
  expect(readTyped(FIELDS, {}, ' {"n": "x"} ')).toEqual({ parameters: '{"n": "x"}' });
});

test("what is no JSON is not sent", () => {
  expect(readTyped(FIELDS, {}, "{")).toMatchObject({
    parameters: null,
    mistakes: [],
    error: { message: expect.stringMatching(/^the parameters are not JSON: /) as string },
  });
});

test("JSON goes back to the fields where they hold it, and stays JSON otherwise", () => {
  expect(fieldsFrom(FIELDS, '{"n":12}')).toEqual({ "$.n": "12" });
  for (const raw of ['{"n":"x"}', '{"m":1}', "[1]", "null"])
    expect(() => fieldsFrom(FIELDS, raw), raw).toThrow("cannot hold these parameters exactly");
  expect(() => fieldsFrom(FIELDS, "{")).toThrow("the parameters are not JSON");
});
