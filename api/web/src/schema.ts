// From a JSON Schema to the fields of a form, and from what was typed back to JSON. Values are JSON
// texts on the whole way, so that none is rounded or rewritten. Pure.

import {
  check,
  indent,
  isNumber,
  isWhole,
  items,
  kindOf as kindOfText,
  members,
  same,
} from "./jsontext";
import { limitsOf, wrongCount, wrongNumber, wrongText } from "./limits";
import type { JsonText, Schema } from "./types";

export type Kind =
  "text" | "number" | "integer" | "boolean" | "choice" | "list" | "group" | "file" | "json";

export interface Field {
  /** As in the API's faults: `$.sizes`, `$.author.name`. */
  path: string;
  name: string;
  kind: Kind;
  required: boolean;
  /** null is a value. */
  nullable: boolean;
  schema: Schema;
  fields: Field[];
}

/** What was typed, by path. A list has one item a line; a switch is "true" or "false". */
export type Values = Record<string, string>;

export interface Mistake {
  path: string;
  message: string;
}

const MAX_DEPTH = 4;

const VALUES = new Set(["default", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]);
const SCHEMAS = new Set(["items", "additionalProperties"]);
const LISTS = new Set(["anyOf", "oneOf", "allOf", "prefixItems"]);
const MAPS = new Set(["properties", "$defs"]);

/** Read a schema from its text; the values in it stay texts. */
export function readSchema(text: JsonText): Schema {
  return Object.fromEntries(members(text).map(([name, value]) => [name, readKeyword(name, value)]));
}

function readKeyword(name: string, text: JsonText): unknown {
  if (VALUES.has(name)) return text;
  if (name === "enum") return items(text);
  if (LISTS.has(name)) return items(text).map(readSchema);
  if (MAPS.has(name))
    return Object.fromEntries(members(text).map(([key, value]) => [key, readSchema(value)]));
  if (SCHEMAS.has(name) && kindOfText(text) === "object") return readSchema(text);
  return JSON.parse(text);
}

function resolve(schema: Schema, root: Schema): { schema: Schema; nullable: boolean } {
  let current = schema;
  let nullable = false;
  for (let hops = 0; hops < 10; hops++) {
    if (current.$ref !== undefined) {
      const { $ref, ...beside } = current;
      const name = $ref.replace("#/$defs/", "");
      current = { ...(root.$defs?.[name] ?? {}), ...beside };
      continue;
    }
    if (current.allOf?.length === 1) {
      const { allOf, ...beside } = current;
      current = { ...allOf[0], ...beside };
      continue;
    }
    const options = current.anyOf ?? current.oneOf;
    const real = options?.filter((option) => option.type !== "null");
    if (options !== undefined && real?.length === 1) {
      nullable ||= real.length < options.length;
      const beside = { ...current };
      delete beside.anyOf;
      delete beside.oneOf;
      current = { ...real[0], ...beside };
      continue;
    }
    break;
  }
  return { schema: current, nullable };
}

function kindOf(schema: Schema, root: Schema, depth: number): Kind {
  if (schema.enum !== undefined) return "choice";
  if (schema.contentEncoding === "base64" || /^base64/.test(schema.format ?? "")) return "file";
  switch (schema.type) {
    case "string":
      return "text";
    case "integer":
    case "number":
    case "boolean":
      return schema.type;
    case "array": {
      const items = schema.items && resolve(schema.items, root).schema;
      const simple =
        items && !items.enum && ["string", "integer", "number"].includes(items.type as string);
      return simple && !schema.prefixItems ? "list" : "json";
    }
    case "object":
      return schema.properties && depth < MAX_DEPTH ? "group" : "json";
    default:
      return "json";
  }
}

export function fieldsOf(root: Schema, schema: Schema = root, at = "$", depth = 0): Field[] {
  return Object.entries(schema.properties ?? {}).map(([name, own]) => {
    const path = `${at}.${name}`;
    const { schema: found, nullable } = resolve(own, root);
    const kind = kindOf(found, root, depth);
    const fields = kind === "group" ? fieldsOf(root, found, path, depth + 1) : [];
    const required = schema.required?.includes(name) ?? false;
    const items = found.items && { items: resolve(found.items, root).schema };
    return { path, name, kind, required, nullable, schema: { ...found, ...items }, fields };
  });
}

/** What stands in the fields at first: the defaults, or the given parameters. */
export function valuesOf(fields: Field[], given: JsonText = "{}"): Values {
  const values: Values = {};
  const source = new Map(members(given));
  for (const field of fields) {
    const value = source.get(field.name) ?? field.schema.default ?? "null";
    if (field.kind !== "group") values[field.path] = textOf(field, value);
    // A group that is not wanted is empty: with defaults inside it would be sent.
    else if (field.required || value !== "null")
      Object.assign(values, valuesOf(field.fields, value));
  }
  return values;
}

export function textOf(field: Field, value: JsonText): string {
  const kind = kindOfText(value);
  switch (field.kind) {
    case "integer":
    case "number":
      return kind === "number" ? value : "";
    case "boolean":
      return kind === "boolean" ? value : "";
    case "choice":
      return field.schema.enum!.find((option) => same(option, value)) ?? "";
    case "list":
      return items(value).map(plain).join("\n");
    case "json":
      return kind === "null" ? "" : indent(value);
    default:
      return kind === "string" ? plain(value) : "";
  }
}

/** A string without its quotes; another value as it is. */
export const plain = (value: JsonText): string =>
  kindOfText(value) === "string" ? (JSON.parse(value) as string) : value;

/** Turn what was typed into parameters; what cannot be turned is a mistake at its field. */
export function parametersOf(
  fields: Field[],
  values: Values,
): { parameters: JsonText; mistakes: Mistake[] } {
  const parameters: [string, JsonText][] = [];
  const mistakes: Mistake[] = [];
  for (const field of fields) {
    if (field.kind === "group") {
      if (!field.required && !isFilled(field.fields, values)) continue;
      const inner = parametersOf(field.fields, values);
      mistakes.push(...inner.mistakes);
      parameters.push([field.name, inner.parameters]);
      continue;
    }
    const text = values[field.path] ?? "";
    if (text === "") {
      // Nothing typed: left out, so that the default holds; where null is the only "nothing", null.
      if (field.required && field.nullable) parameters.push([field.name, "null"]);
      else if (field.required && field.kind === "boolean") parameters.push([field.name, "false"]);
      else if (field.required) mistakes.push({ path: field.path, message: "is required" });
      continue;
    }
    try {
      parameters.push([field.name, parse(field, text)]);
    } catch (error) {
      mistakes.push({ path: field.path, message: (error as Error).message });
    }
  }
  const texts = parameters.map(([name, text]) => `${JSON.stringify(name)}:${text}`);
  return { parameters: `{${texts.join(",")}}`, mistakes };
}

const isFilled = (fields: Field[], values: Values): boolean =>
  fields.some((field) =>
    field.kind === "group" ? isFilled(field.fields, values) : (values[field.path] ?? "") !== "",
  );

/**
 * Whether the form can hold parameters exactly. It cannot hold a line break in an item of a list, an
 * empty text where the default is another, what the schema does not name, or what is no object.
 */
export function holds(fields: Field[], given: JsonText): boolean {
  if (kindOfText(given) !== "object") return false;
  return isKept(fields, given, parametersOf(fields, valuesOf(fields, given)).parameters);
}

/** Whether what was made is what was given: what was added or left out is a default. */
function isKept(fields: Field[], given: JsonText, made: JsonText): boolean {
  const found = new Map(members(made));
  return members(given).every(([name, text]) => {
    const field = fields.find((item) => item.name === name);
    const kept = found.get(name);
    if (kept === undefined)
      return field?.schema.default !== undefined && same(text, field.schema.default);
    if (field?.kind === "group" && kindOfText(text) === "object")
      return isKept(field.fields, text, kept);
    return same(text, kept);
  });
}

function parse(field: Field, text: string): JsonText {
  switch (field.kind) {
    case "integer":
    case "number":
      return numberOf(text, field.kind, field.schema);
    case "boolean":
      return text;
    case "list": {
      const item = field.schema.items!;
      const lines = text.split("\n").filter((line) => line.trim() !== "");
      refuse(wrongCount(lines.length, field.schema));
      const texts = lines.map((line) =>
        item.type === "string" ? stringOf(line, item) : numberOf(line, item.type as string, item),
      );
      return `[${texts.join(",")}]`;
    }
    case "choice":
    case "json":
      try {
        return check(text);
      } catch (error) {
        throw new Error(`is not JSON: ${(error as Error).message}`);
      }
    case "file":
      return JSON.stringify(text);
    default:
      return stringOf(text, field.schema);
  }
}

function refuse(wrong: string | null): void {
  if (wrong !== null) throw new Error(wrong);
}

function stringOf(text: string, schema: Schema): JsonText {
  refuse(wrongText(text, schema));
  return JSON.stringify(text);
}

/** The number as it was typed: the API and the job may know larger and finer ones than a browser. */
function numberOf(text: string, kind: string, schema: Schema): JsonText {
  const number = text.trim();
  if (kind === "integer" && !isWhole(number)) throw new Error("must be a whole number");
  if (!isNumber(number)) throw new Error("must be a number, e.g. 12 or 0.5");
  refuse(wrongNumber(number, schema));
  return number;
}

/** A fault of a list's item or of something inside JSON belongs to the field. */
export const owns = (field: Field, path: string): boolean =>
  path === field.path || path.startsWith(`${field.path}[`) || path.startsWith(`${field.path}.`);

export const hasField = (fields: Field[], path: string): boolean =>
  fields.some((field) =>
    field.kind === "group" ? hasField(field.fields, path) : owns(field, path),
  );

/** `max_errors` → `Max errors` */
export function labelOf(field: Field): string {
  const text = field.name.replace(/_/g, " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** The limits in words, and how the field is filled. */
export function hintOf(field: Field): string {
  const parts = limitsOf(field.schema);
  const { format } = field.schema;
  if (format !== undefined && field.kind === "text" && !isPicked(field)) parts.push(format);
  if (field.kind === "list") parts.push("one per line");
  if (field.kind === "json") parts.push("JSON");
  return parts.join(", ");
}

/** Whether a value is picked from a calendar. */
export const isPicked = ({ kind, schema }: Field): boolean =>
  kind === "text" && ["date", "date-time"].includes(schema.format ?? "");
