// JSON as text: cut into parts and laid out for reading, without a detour over numbers and objects.
// A browser's own values would round integers above 2^53, turn 1.0 into 1, reorder keys like "10"
// and undo escapes. So what a job was given, or gave, is text from the answer to the eye and to the
// next POST. Pure. Every text here must be valid JSON: `check` whatever a person typed.

/** A token of a JSON text: a string, a bracket, comma or colon, or a word such as a number. */
const WORD = /[^\s{}[\],:"]+/y;
const INDENT = "  ";

/** A JSON number, as typed or as the API wrote it. */
const NUMBER = /^-?(0|[1-9]\d*)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/;

export const isNumber = (text: string): boolean => NUMBER.test(text);

/** Whether a number has nothing behind its point. Read from its digits: a browser would round them. */
export function isWhole(text: string): boolean {
  const match = NUMBER.exec(text);
  if (match === null) return false;
  const [, before = "", behind = "", exponent = "0"] = match;
  const digits = (before + behind).replace(/0+$/, "");
  // How far behind the point the last digit stands that is not zero.
  return digits === "" || digits.length - before.length <= Number(exponent);
}

/** Return a text without space around it. A `SyntaxError` says why it is not JSON. */
export function check(text: string): string {
  JSON.parse(text);
  return text.trim();
}

export type Kind = "object" | "array" | "string" | "number" | "boolean" | "null";

export function kindOf(text: string): Kind {
  switch (text[0]) {
    case "{":
      return "object";
    case "[":
      return "array";
    case '"':
      return "string";
    case "t":
    case "f":
      return "boolean";
    case "n":
      return "null";
    default:
      return "number";
  }
}

/** Where the string ends that begins here. Strings may be long: no regular expression. */
function endOfString(text: string, start: number): number {
  for (let end = start + 1; ; end++) {
    end = text.indexOf('"', end);
    let escapes = 0;
    while (text[end - 1 - escapes] === "\\") escapes++;
    if (escapes % 2 === 0) return end + 1;
  }
}

function* tokens(text: string): Generator<{ token: string; start: number; end: number }> {
  for (let start = 0; start < text.length;) {
    const letter = text[start]!;
    let end = start + 1;
    if (letter === '"') end = endOfString(text, start);
    else if (!"{}[],:".includes(letter)) {
      WORD.lastIndex = start;
      if (!WORD.test(text)) {
        start++; // space
        continue;
      }
      end = WORD.lastIndex;
    }
    yield { token: text.slice(start, end), start, end };
    start = end;
  }
}

/** Return the texts of an array's items; none of what is not an array. */
export function items(text: string): string[] {
  return kindOf(text) === "array" ? parts(text).map(([, value]) => value) : [];
}

/** Return an object's members, each value as its text; none of what is not an object. */
export function members(text: string): [string, string][] {
  return kindOf(text) === "object" ? parts(text) : [];
}

/** Return the text of an object's member. */
export function member(text: string, name: string): string | undefined {
  return members(text).find(([found]) => found === name)?.[1];
}

function parts(text: string): [string, string][] {
  const found: [string, string][] = [];
  let depth = 0;
  let name = "";
  let begin = -1;
  let last = 0;
  for (const { token, start, end } of tokens(text)) {
    const closes = token === "}" || token === "]";
    if (closes) depth--;
    if ((depth === 1 && token === ",") || depth === 0) {
      if (begin >= 0) found.push([name, text.slice(begin, last)]);
      begin = -1;
    } else if (depth === 1 && token === ":") {
      name = JSON.parse(text.slice(begin, last)) as string;
      begin = -1;
    } else if (begin < 0) begin = start;
    if (token === "{" || token === "[") depth++;
    last = end;
  }
  return found;
}

/** Lay a text out for reading: only space outside of strings differs from it. */
export function indent(text: string): string {
  const out: string[] = [];
  let margin = "\n";
  let opened = false;
  for (const { token } of tokens(text)) {
    if (token === "}" || token === "]") {
      margin = margin.slice(0, -INDENT.length);
      out.push(opened ? token : margin + token);
      opened = false;
      continue;
    }
    if (opened) out.push(margin);
    opened = token === "{" || token === "[";
    if (opened) margin += INDENT;
    out.push(token === "," ? "," + margin : token === ":" ? ": " : token);
  }
  return out.join("");
}

/** Whether two texts mean the same: order of members, space and escapes apart. */
export function same(one: string, other: string): boolean {
  const kind = kindOf(one);
  if (kind !== kindOf(other)) return false;
  if (kind === "string") return JSON.parse(one) === JSON.parse(other);
  if (kind === "array") {
    const [left, right] = [items(one), items(other)];
    return left.length === right.length && left.every((text, index) => same(text, right[index]!));
  }
  if (kind !== "object") return one === other;
  const [left, right] = [new Map(members(one)), new Map(members(other))];
  return (
    left.size === right.size &&
    [...left].every(([name, text]) => right.has(name) && same(text, right.get(name)!))
  );
}
