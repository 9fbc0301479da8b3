// What a job gets for each parameter: what was given, or the default of its type. Pure.

import { members } from "../jsontext";
import type { Field } from "../schema";
import type { JsonText } from "../types";

export interface Given {
  name: string;
  /** undefined: it is left out, and has no default. */
  text: JsonText | undefined;
  isDefault: boolean;
}

export function givenOf(fields: Field[], parameters: JsonText): Given[] {
  const sent = new Map(members(parameters));
  return fields.map(({ name, schema }) => {
    const text = sent.get(name) ?? schema.default;
    return { name, text, isDefault: text === undefined || text === schema.default };
  });
}
