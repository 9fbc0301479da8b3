// The limits that a schema sets to a value: in words, and checked before anything is sent. The API
// has the last word: what is not refused here for certain is sent. Pure.

import { plural } from "./format";
import { same } from "./jsontext";
import type { JsonText, Schema } from "./types";

const WHOLE = /^-?\d+$/;
/** For other texts the pattern's dialect matters: what is a letter or a digit. */
const PLAIN = /^[\x20-\x7e]*$/;

/** Whether a number is smaller. Rounding may make two numbers equal, and never turns them round. */
function isLess(one: JsonText, other: JsonText): boolean {
  if (WHOLE.test(one) && WHOLE.test(other)) return BigInt(one) < BigInt(other);
  return Number(one) < Number(other);
}

/** Say what is wrong with a number. */
export function wrongNumber(text: JsonText, schema: Schema): string | null {
  const { minimum, maximum, exclusiveMinimum: above, exclusiveMaximum: below } = schema;
  if (minimum !== undefined && isLess(text, minimum)) return `must be at least ${minimum}`;
  if (maximum !== undefined && isLess(maximum, text)) return `must be at most ${maximum}`;
  if (above !== undefined && (isLess(text, above) || same(text, above)))
    return `must be more than ${above}`;
  if (below !== undefined && (isLess(below, text) || same(text, below)))
    return `must be less than ${below}`;
  return null;
}

/** Say what is wrong with a text. */
export function wrongText(text: string, { minLength, maxLength, pattern }: Schema): string | null {
  const length = Array.from(text).length;
  if (minLength !== undefined && length < minLength)
    return `must have at least ${plural(minLength, "character")}`;
  if (maxLength !== undefined && length > maxLength)
    return `must have at most ${plural(maxLength, "character")}`;
  if (pattern !== undefined && PLAIN.test(text) && patternOf(pattern)?.test(text) === false)
    return `must match ${pattern}`;
  return null;
}

/** Say what is wrong with the number of a list's items. */
export function wrongCount(count: number, { minItems, maxItems }: Schema): string | null {
  if (minItems !== undefined && count < minItems)
    return `must have at least ${plural(minItems, "line")}`;
  if (maxItems !== undefined && count > maxItems)
    return `must have at most ${plural(maxItems, "line")}`;
  return null;
}

/** A pattern of another dialect may have no meaning here. */
function patternOf(pattern: string): RegExp | null {
  try {
    return new RegExp(pattern, "u");
  } catch {
    return null;
  }
}

/** The limits in words, for people who have not read the schema. */
export function limitsOf(schema: Schema): string[] {
  const { minimum, maximum, exclusiveMinimum, exclusiveMaximum } = schema;
  const { minLength, maxLength, pattern, minItems, maxItems } = schema;
  const parts: string[] = [];
  if (minimum !== undefined && maximum !== undefined) parts.push(`${minimum} to ${maximum}`);
  else if (minimum !== undefined) parts.push(`at least ${minimum}`);
  else if (maximum !== undefined) parts.push(`at most ${maximum}`);
  if (exclusiveMinimum !== undefined) parts.push(`more than ${exclusiveMinimum}`);
  if (exclusiveMaximum !== undefined) parts.push(`less than ${exclusiveMaximum}`);
  if (minLength) parts.push(`at least ${plural(minLength, "character")}`);
  if (maxLength !== undefined) parts.push(`at most ${plural(maxLength, "character")}`);
  if (pattern !== undefined) parts.push(`matches ${pattern}`);
  if (minItems) parts.push(`at least ${plural(minItems, "line")}`);
  if (maxItems !== undefined) parts.push(`at most ${plural(maxItems, "line")}`);
  return parts;
}
