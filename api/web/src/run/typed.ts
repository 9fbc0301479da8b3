// The parameters that a person types: in the fields of a form, or as JSON. Pure.

import { check } from "../jsontext";
import { type Field, holds, type Mistake, parametersOf, type Values, valuesOf } from "../schema";
import type { JsonText } from "../types";

/** JSON that a person edits; null: the fields hold the parameters. */
export type Raw = string | null;

/** What was typed, or why it cannot be sent: at its fields, or as a whole. */
export type Read =
  { parameters: JsonText } | { parameters: null; mistakes: Mistake[]; error: Error | null };

function checked(raw: string): JsonText {
  try {
    return check(raw);
  } catch (error) {
    throw new Error(`the parameters are not JSON: ${(error as Error).message}`);
  }
}

export function readTyped(fields: Field[], values: Values, raw: Raw): Read {
  if (raw === null) {
    const { parameters, mistakes } = parametersOf(fields, values);
    return mistakes.length > 0 ? { parameters: null, mistakes, error: null } : { parameters };
  }
  try {
    return { parameters: checked(raw) };
  } catch (error) {
    return { parameters: null, mistakes: [], error: error as Error };
  }
}

/** Put JSON into the fields. An `Error` says why they cannot hold it. */
export function fieldsFrom(fields: Field[], raw: string): Values {
  const parameters = checked(raw);
  if (!holds(fields, parameters))
    throw new Error("the form cannot hold these parameters exactly: they stay JSON");
  return valuesOf(fields, parameters);
}
