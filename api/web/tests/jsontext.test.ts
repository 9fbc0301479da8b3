// JSON as text: nothing is rounded, reordered or rewritten.

import { describe, expect, test } from "vitest";
import {
  check,
  indent,
  isNumber,
  isWhole,
  items,
  kindOf,
  member,
  members,
  same,
} from "../src/jsontext";

const HARD = String.raw`{"10":1.0,"2":9007199254740993,"a\"b\\":[{},[],"}],:{"],"__proto__":{"x":1e400}}`;

test("members keep their order, their numbers and their escapes", () => {
  expect(members(HARD)).toEqual([
    ["10", "1.0"],
    ["2", "9007199254740993"],
    ['a"b\\', '[{},[],"}],:{"]'],
    ["__proto__", '{"x":1e400}'],
  ]);
});

test("a member that occurs twice is found at its first place, and both are listed", () => {
  expect(members('{"a":1,"a":2}')).toEqual([
    ["a", "1"],
    ["a", "2"],
  ]);
  expect(member('{"a":1,"a":2}', "a")).toBe("1");
});

test.each(["{}", "[]", "[ ]", "1", '"{}"', "null"])("%s has no members", (text) => {
  expect(members(text)).toEqual([]);
});

test("items are texts, and what is no array has none", () => {
  expect(items('[1, "a,b" , [2,3],{"c":[]}, null]')).toEqual([
    "1",
    '"a,b"',
    "[2,3]",
    '{"c":[]}',
    "null",
  ]);
  expect(items('{"a":1}')).toEqual([]);
  expect(items("[]")).toEqual([]);
});

test.each([
  ["{}", "object"],
  ["[]", "array"],
  ['"1"', "string"],
  ["-0.1e5", "number"],
  ["true", "boolean"],
  ["false", "boolean"],
  ["null", "null"],
])("%s is of kind %s", (text, kind) => {
  expect(kindOf(text)).toBe(kind);
});

describe("laying out", () => {
  test("changes nothing but space", () => {
    expect(indent(HARD).replace(/\n\s*|(?<=":) /g, "")).toBe(HARD);
  });

  test("has a line for each value, and none for empty brackets", () => {
    expect(indent('{"a":[1,{"b":{}}],"c":[]}')).toBe(
      '{\n  "a": [\n    1,\n    {\n      "b": {}\n    }\n  ],\n  "c": []\n}',
    );
  });

  test("does the same with what is laid out already", () => {
    expect(indent(indent(HARD))).toBe(indent(HARD));
  });

  test("takes a string of a megabyte, with a backslash in front of each quote", () => {
    const text = JSON.stringify({ a: '\\"'.repeat(250_000) });

    expect(members(text)).toHaveLength(1);
  });
});

describe("two texts", () => {
  test.each([
    ['{"a":1,"b":[2]}', '{ "b" : [ 2 ], "a" : 1 }'],
    [String.raw`"\u00e4"`, '"ä"'],
    ["[]", "[ ]"],
  ])("%s and %s mean the same", (one, other) => {
    expect(same(one, other)).toBe(true);
  });

  test.each([
    ["1", "1.0"],
    ["9007199254740992", "9007199254740993"],
    ["1", '"1"'],
    ["[1,2]", "[2,1]"],
    ["[1]", "[1,1]"],
    ['{"a":1}', '{"b":1}'],
    ['{"a":1}', "{}"],
    ["{}", '{"a":1}'],
    ["null", "false"],
  ])("%s and %s differ", (one, other) => {
    expect(same(one, other)).toBe(false);
  });
});

describe("what a person typed", () => {
  test("is taken without the space around it", () => {
    expect(check(' \n{"a": 1}\n')).toBe('{"a": 1}');
  });

  test.each(["", "{", "{a:1}", "01", "NaN", "'a'", "[1,]", "\u00a0{}"])("%j is no JSON", (text) => {
    expect(() => check(text)).toThrow(SyntaxError);
  });

  test.each(["0", "-0", "12.50", "1e5", "1E+5", "9".repeat(400), "-0.1e-7"])(
    "%s is a number",
    (text) => {
      expect(isNumber(text)).toBe(true);
    },
  );

  test.each(["", "+1", ".5", "1.", "0x10", "Infinity", "NaN", "1_000", "1,5", " 1", "01"])(
    "%j is no number",
    (text) => {
      expect(isNumber(text)).toBe(false);
      expect(isWhole(text)).toBe(false);
    },
  );

  test.each([
    "0",
    "-7",
    "1.0",
    "1e3",
    "1.50e1",
    "120e-1",
    "1e400",
    "9007199254740993",
    "0e-999",
    "0.000",
  ])("%s is whole", (text) => {
    expect(isWhole(text)).toBe(true);
  });

  test.each([
    "0.5",
    "1.25e1",
    "125e-1",
    "9007199254740993.5",
    "1.0000000000000000000001",
    "1e-400",
    "1.5e-99999999999999999999",
  ])("%s is not whole, however a browser rounds it", (text) => {
    expect(isWhole(text)).toBe(false);
  });
});
