// What a job gets for its parameters.

import { expect, test } from "vitest";
import { givenOf } from "../src/run/given";
import { fieldsOf, readSchema } from "../src/schema";

const fields = fieldsOf(
  readSchema('{"properties":{"a":{"type":"string"},"b":{"type":"number","default":1.0}}}'),
);

test("what was given is told, and the default of what was not, as it was written", () => {
  expect(givenOf(fields, '{"a":"x"}')).toEqual([
    { name: "a", text: '"x"', isDefault: false },
    { name: "b", text: "1.0", isDefault: true },
  ]);
});

test("what was given like the default is a default, and what has none is left out", () => {
  expect(givenOf(fields, '{"b":1.0}').map(({ text, isDefault }) => [text, isDefault])).toEqual([
    [undefined, true],
    ["1.0", true],
  ]);
});
