// Values that break their schema's limits.

import { expect, test } from "vitest";
import { type Field, fieldsOf, parametersOf, readSchema } from "../src/schema";

const fieldFor = (property: object | string): Field => {
  const text = typeof property === "string" ? property : JSON.stringify(property);
  return fieldsOf(readSchema(`{"properties":{"it":${text}}}`))[0]!;
};
const typed = (field: Field, text: string) => parametersOf([field], { "$.it": text });

test.each<[object, string, string]>([
  [{ type: "integer", minimum: 1 }, "0", "must be at least 1"],
  [{ type: "integer", maximum: 9 }, "10", "must be at most 9"],
  [{ type: "number", exclusiveMinimum: 0 }, "0", "must be more than 0"],
  [{ type: "number", exclusiveMaximum: 1 }, "1", "must be less than 1"],
  [{ type: "string", minLength: 2 }, "😀", "must have at least 2 characters"],
  [{ type: "string", maxLength: 1 }, "ab", "must have at most 1 character"],
  [{ type: "string", pattern: "^[A-Z]" }, "a", "must match ^[A-Z]"],
  [{ type: "array", items: { type: "string" }, minItems: 2 }, "a\n", "must have at least 2 lines"],
  [{ type: "array", items: { type: "integer" }, maxItems: 1 }, "1\n2", "must have at most 1 line"],
  [{ type: "array", items: { type: "integer", maximum: 5 } }, "1\n6", "must be at most 5"],
])("a value that breaks a limit is not sent: %j: %j %s", (schema, text, message) => {
  expect(typed(fieldFor(schema), text).mistakes).toEqual([{ path: "$.it", message }]);
});

test("whether a number fits is decided without rounding", () => {
  const field = fieldFor('{"type":"integer","maximum":9007199254740992}');

  expect(typed(field, "9007199254740992").mistakes).toEqual([]);
  expect(typed(field, "9007199254740993").mistakes).toHaveLength(1);
});

test.each<[object, string]>([
  [{ type: "string", pattern: "(?P<year>x)" }, "y"],
  [{ type: "string", pattern: "^\\d$" }, "٣"],
  [{ type: "string", maxLength: 1 }, "😀"],
  [{ type: "string", contentEncoding: "base64", maxLength: 2 }, "QUJD"],
])("what is not wrong for certain is left to the API: %j, %j", (schema, text) => {
  expect(typed(fieldFor(schema), text).mistakes).toEqual([]);
});
