// Forms made from JSON Schemas, as pydantic writes them and as others may.

import { describe, expect, test } from "vitest";
import {
  type Field,
  fieldsOf,
  hasField,
  hintOf,
  holds,
  labelOf,
  owns,
  parametersOf,
  plain,
  readSchema,
  valuesOf,
} from "../src/schema";

const fieldsFor = (schema: object | string): Field[] =>
  fieldsOf(readSchema(typeof schema === "string" ? schema : JSON.stringify(schema)));

/** A form with one field. */
const fieldFor = (property: object, required = false): Field =>
  fieldsFor({ properties: { it: property }, required: required ? ["it"] : [] })[0]!;

const typed = (field: Field, text: string) => parametersOf([field], { "$.it": text });

describe("the kind of a field", () => {
  test.each<[string, object]>([
    ["text", { type: "string" }],
    ["integer", { type: "integer" }],
    ["number", { type: "number" }],
    ["boolean", { type: "boolean" }],
    ["choice", { enum: ["a", 1, null] }],
    ["file", { type: "string", contentEncoding: "base64" }],
    ["file", { type: "string", format: "base64url" }],
    ["list", { type: "array", items: { type: "string" } }],
    ["list", { type: "array", items: { type: "number" } }],
    ["json", { type: "array", items: { type: "boolean" } }],
    ["json", { type: "array", items: { enum: ["a"], type: "string" } }],
    ["json", { type: "array", items: { type: "string" }, prefixItems: [{ type: "string" }] }],
    ["json", { type: "array", items: true }],
    ["json", { type: "array" }],
    ["json", { type: "object" }],
    ["json", { type: "object", additionalProperties: { type: "integer" } }],
    ["group", { type: "object", properties: { a: { type: "string" } } }],
    ["json", { type: ["string", "null"] }],
    ["json", { type: "imaginary" }],
    ["json", { anyOf: [{ type: "string" }, { type: "integer" }] }],
    ["json", {}],
  ])("is %s for %j", (kind, schema) => {
    expect(fieldFor(schema).kind).toBe(kind);
  });

  test("is JSON for a property that may be anything", () => {
    expect(fieldsFor('{"properties":{"it":true}}')[0]!.kind).toBe("json");
  });

  test.each<object>([
    { anyOf: [{ type: "integer" }, { type: "null" }] },
    { oneOf: [{ type: "null" }, { type: "integer" }] },
  ])("looks behind null in %j", (schema) => {
    expect(fieldFor(schema)).toMatchObject({ kind: "integer", nullable: true });
  });

  test("looks behind a reference, whose own words give way to those beside it", () => {
    const [field] = fieldsFor({
      properties: { it: { $ref: "#/$defs/Size", description: "beside" } },
      $defs: { Size: { allOf: [{ $ref: "#/$defs/Base" }] }, Base: { type: "integer", title: "T" } },
    });

    expect(field).toMatchObject({ kind: "integer", schema: { description: "beside", title: "T" } });
  });

  test("is JSON for a reference to itself or to nothing", () => {
    const definitions = { $defs: { Loop: { $ref: "#/$defs/Loop" } } };

    expect(
      fieldsFor({ properties: { it: { $ref: "#/$defs/Loop" } }, ...definitions })[0]!.kind,
    ).toBe("json");
    expect(fieldsFor({ properties: { it: { $ref: "#/$defs/Missing" } } })[0]!.kind).toBe("json");
  });

  test("is JSON where groups would nest too deep, also without an end", () => {
    const tree = {
      properties: { it: { $ref: "#/$defs/Node" } },
      $defs: { Node: { type: "object", properties: { next: { $ref: "#/$defs/Node" } } } },
    };
    let [field] = fieldsFor(tree);
    const kinds = [];
    for (; field !== undefined; field = field.fields[0]) kinds.push(field.kind);

    expect(kinds).toEqual(["group", "group", "group", "group", "json"]);
  });
});

test("a schema without properties has no fields", () => {
  expect(fieldsFor("{}")).toEqual([]);
  expect(fieldsFor("true")).toEqual([]);
});

test("a property may have any name", () => {
  const fields = fieldsFor(
    '{"properties":{"__proto__":{"type":"string"},"a.b":{"type":"string"}}}',
  );

  expect(fields.map((field) => field.path)).toEqual(["$.__proto__", "$.a.b"]);
  expect(parametersOf(fields, { "$.__proto__": "x" }).parameters).toBe('{"__proto__":"x"}');
});

describe("what was typed becomes parameters", () => {
  test.each<[object, string, string]>([
    [{ type: "string" }, 'a"b\\\n', String.raw`"a\"b\\\n"`],
    [{ type: "string" }, "\u2028 ", '"\u2028 "'],
    [{ type: "integer" }, " 9007199254740993 ", "9007199254740993"],
    [{ type: "integer" }, "1e3", "1e3"],
    [{ type: "number" }, "0.10", "0.10"],
    [{ type: "number" }, "-1e400", "-1e400"],
    [{ type: "boolean" }, "false", "false"],
    [{ enum: ["a", 1.5, null] }, "1.5", "1.5"],
    [{ type: "array", items: { type: "string" } }, "a\n\n b \n", '["a"," b "]'],
    [{ type: "array", items: { type: "integer" } }, "1\n 2 \n", "[1,2]"],
    [{ type: "object" }, ' {"a": 1.0} ', '{"a": 1.0}'],
  ])("%j: %j is %s", (schema, text, value) => {
    expect(typed(fieldFor(schema), text)).toEqual({ parameters: `{"it":${value}}`, mistakes: [] });
  });

  test.each<[object, string, string]>([
    [{ type: "integer" }, "1.5", "must be a whole number"],
    [{ type: "integer" }, "1e-400", "must be a whole number"],
    [{ type: "integer" }, "abc", "must be a whole number"],
    [{ type: "number" }, "1,5", "must be a number, e.g. 12 or 0.5"],
    [{ type: "number" }, "Infinity", "must be a number, e.g. 12 or 0.5"],
    [{ type: "array", items: { type: "integer" } }, "1\nx", "must be a whole number"],
  ])("%j: %j %s", (schema, text, message) => {
    expect(typed(fieldFor(schema), text).mistakes).toEqual([{ path: "$.it", message }]);
  });

  test("and what is no JSON is said to be none", () => {
    expect(typed(fieldFor({}), "{").mistakes[0]!.message).toMatch(/^is not JSON: /);
  });
});

describe("an empty field", () => {
  test("is left out, so that the default holds", () => {
    expect(typed(fieldFor({ type: "string", default: "x" }), "").parameters).toBe("{}");
  });

  test("that is required is a mistake", () => {
    expect(typed(fieldFor({ type: "string" }, true), "").mistakes).toEqual([
      { path: "$.it", message: "is required" },
    ]);
  });

  test("that is required and may be null is null", () => {
    const nullable = fieldFor({ anyOf: [{ type: "string" }, { type: "null" }] }, true);

    expect(typed(nullable, "").parameters).toBe('{"it":null}');
  });

  test("that is a required switch is off", () => {
    expect(typed(fieldFor({ type: "boolean" }, true), "").parameters).toBe('{"it":false}');
  });
});

describe("a group", () => {
  const group = {
    type: "object",
    properties: { a: { type: "integer", default: 7 } },
    required: ["a"],
  };

  test("that is optional and untouched is left out, with its defaults", () => {
    const fields = [fieldFor(group)];

    expect(valuesOf(fields)).toEqual({});
    expect(parametersOf(fields, {})).toEqual({ parameters: "{}", mistakes: [] });
  });

  test("that is required is filled, and what is missing in it is named", () => {
    const fields = [fieldFor(group, true)];

    expect(valuesOf(fields)).toEqual({ "$.it.a": "7" });
    expect(parametersOf(fields, {}).mistakes).toEqual([{ path: "$.it.a", message: "is required" }]);
  });

  test("owns the faults of its fields", () => {
    const fields = [fieldFor(group)];

    expect(hasField(fields, "$.it.a")).toBe(true);
    expect(hasField(fields, "$.it.b")).toBe(false);
  });
});

describe("given parameters", () => {
  const fields = fieldsFor({
    properties: {
      n: { type: "integer", default: 1 },
      s: { type: "string", default: "d" },
      l: { type: "array", items: { type: "string" } },
      c: { enum: [{ a: 1, b: 2 }, "x"] },
      o: { type: "object", properties: { deep: { type: "number" } } },
    },
  });

  test.each([
    "{}",
    '{"n":9007199254740993}',
    '{"n":-0}',
    '{"s":"a\\nb"}',
    '{"l":["a","b"]}',
    '{"l":[]}'.replace("[]", '["ä"]'),
    '{"c":{"b":2,"a":1}}',
    '{"o":{"deep":1.0}}',
    '{"s":"d","n":1}',
  ])("%s are held exactly", (given) => {
    expect(holds(fields, given)).toBe(true);
  });

  test.each([
    ["an unknown name", '{"other":1}'],
    ["an unknown name inside a group", '{"o":{"other":1}}'],
    ["a number where a text belongs", '{"s":1}'],
    ["an empty text where the default is another", '{"s":""}'],
    ["a line break in an item", '{"l":["a\\nb"]}'],
    ["an empty item", '{"l":[""]}'],
    ["no item at all", '{"l":[]}'],
    ["a value that is no choice", '{"c":"y"}'],
    ["a name twice", '{"n":1,"n":2}'],
    ["a list", "[1]"],
    ["a number", "5"],
    ["null", "null"],
  ])("with %s are not: %s", (_, given) => {
    expect(holds(fields, given)).toBe(false);
  });
});

describe("limits in words", () => {
  test.each<[object, string]>([
    [{ type: "integer", minimum: 0, maximum: 9 }, "0 to 9"],
    [{ type: "integer", minimum: 0 }, "at least 0"],
    [{ type: "number", maximum: 0.5 }, "at most 0.5"],
    [{ type: "string", minLength: 1, maxLength: 0 }, "at least 1 character, at most 0 characters"],
    [{ type: "string", minLength: 0 }, ""],
    [{ type: "string", pattern: "^a$", format: "uri" }, "matches ^a$, uri"],
    [{ type: "string", format: "date" }, ""],
    [{ type: "number", exclusiveMinimum: 0, exclusiveMaximum: 1 }, "more than 0, less than 1"],
    [
      { type: "array", items: { type: "string" }, minItems: 1, maxItems: 4 },
      "at least 1 line, at most 4 lines, one per line",
    ],
    [{ type: "array", items: { type: "string" } }, "one per line"],
    [{}, "JSON"],
  ])("of %j are %j", (schema, words) => {
    expect(hintOf(fieldFor(schema))).toBe(words);
  });

  test("are not rounded", () => {
    const [field] = fieldsFor(
      '{"properties":{"it":{"type":"integer","maximum":18446744073709551615}}}',
    );

    expect(hintOf(field!)).toBe("at most 18446744073709551615");
  });
});

test.each([
  ["$.it", true],
  ["$.it[0]", true],
  ["$.it.deep", true],
  ["$.item", false],
  ["$", false],
])("a fault at %s belongs to the field $.it: %s", (path, answer) => {
  expect(owns(fieldFor({}), path)).toBe(answer);
});

test("a label is a name with spaces", () => {
  expect(labelOf({ ...fieldFor({}), name: "max_open_files" })).toBe("Max open files");
  expect(labelOf({ ...fieldFor({}), name: "" })).toBe("");
});

test("a text is shown without quotes, and anything else as it is", () => {
  expect(plain('"a\\"b"')).toBe('a"b');
  expect(plain("1.0")).toBe("1.0");
});
