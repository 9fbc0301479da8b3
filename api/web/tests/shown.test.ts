// Text that others wrote hides nothing.

import { expect, test } from "vitest";
import { shown } from "../src/shown";

test.each([
  ["a bidi override", "a\u202eb", String.raw`a\u202eb`],
  ["a bidi isolate", "\u2066", String.raw`\u2066`],
  ["a space of no width", "a\u200bb", String.raw`a\u200bb`],
  ["a filler that looks like nothing", "\u3164\u2800", String.raw`\u3164\u2800`],
  ["a control character", "\u0000\u001b[31m\r", String.raw`\u0000\u001b[31m\u000d`],
  ["a separator of lines", "\u2028", String.raw`\u2028`],
  ["a tag outside of the first plane", "\u{e0041}", String.raw`\udb40\udc41`],
  ["half of a pair", "\ud800", String.raw`\ud800`],
  [
    "the fifth mark on one letter",
    "a" + "\u0301".repeat(6),
    `a${"\u0301".repeat(4)}\\u0301\\u0301`,
  ],
])("%s is shown as an escape", (_, text, escaped) => {
  expect(shown(text)).toBe(escaped);
});

test.each(["", "plain\n\ttext ~", "Zażółć 日本語 ﷽ 😀", "é and e\u0301", String.raw`\u202e`])(
  "%j stays as it is",
  (text) => {
    expect(shown(text)).toBe(text);
  },
);

test("showing twice changes nothing", () => {
  const text = "a\u202e\u0301\u200d😀";

  expect(shown(shown(text))).toBe(shown(text));
});
