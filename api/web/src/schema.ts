// From a JSON Schema to the fields of a form, and from what was typed back to JSON. Pure.

import type { Schema } from "./types";

export type Kind = "text" | "number" | "integer" | "boolean" | "choice" | "list" | "group" | "file" | "json";

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
      const { anyOf, oneOf, ...beside } = current;
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
      const simple = items && !items.enum && ["string", "integer", "number"].includes(items.type as string);
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
export function valuesOf(fields: Field[], given?: unknown): Values {
  const values: Values = {};
  const source = (given ?? {}) as Record<string, unknown>;
  for (const field of fields) {
    const value = field.name in source ? source[field.name] : field.schema.default;
    if (field.kind === "group") Object.assign(values, valuesOf(field.fields, value));
    else values[field.path] = textOf(field, value);
  }
  return values;
}

function textOf(field: Field, value: unknown): string {
  if (value === undefined || value === null) return "";
  if (field.kind === "json" || field.kind === "choice") return JSON.stringify(value, null, 2);
  if (field.kind === "list") return (value as unknown[]).join("\n");
  return String(value);
}

/** Turn what was typed into parameters; what cannot be turned is a mistake at its field. */
export function parametersOf(fields: Field[], values: Values): { parameters: Record<string, unknown>; mistakes: Mistake[] } {
  const parameters: Record<string, unknown> = {};
  const mistakes: Mistake[] = [];
  for (const field of fields) {
    if (field.kind === "group") {
      if (!field.required && !isFilled(field.fields, values)) continue;
      const inner = parametersOf(field.fields, values);
      mistakes.push(...inner.mistakes);
      parameters[field.name] = inner.parameters;
      continue;
    }
    const text = values[field.path] ?? "";
    if (text === "") {
      // Nothing typed: left out, so that the default holds; where null is the only "nothing", null.
      if (field.required && field.nullable) parameters[field.name] = null;
      else if (field.required && field.kind === "boolean") parameters[field.name] = false;
      else if (field.required) mistakes.push({ path: field.path, message: "is needed" });
      continue;
    }
    try {
      parameters[field.name] = parse(field, text);
    } catch (error) {
      mistakes.push({ path: field.path, message: (error as Error).message });
    }
  }
  return { parameters, mistakes };
}

const isFilled = (fields: Field[], values: Values): boolean =>
  fields.some((field) => (field.kind === "group" ? isFilled(field.fields, values) : (values[field.path] ?? "") !== ""));

function parse(field: Field, text: string): unknown {
  switch (field.kind) {
    case "integer":
    case "number":
      return numberOf(text, field.kind);
    case "boolean":
      return text === "true";
    case "list": {
      const kind = field.schema.items!.type;
      const lines = text.split("\n").filter((line) => line.trim() !== "");
      return kind === "string" ? lines : lines.map((line) => numberOf(line.trim(), kind as string));
    }
    case "choice":
    case "json":
      try {
        return JSON.parse(text);
      } catch (error) {
        throw new Error(`is no JSON: ${(error as Error).message}`);
      }
    default:
      return text;
  }
}

function numberOf(text: string, kind: string): number {
  const number = Number(text);
  if (!Number.isFinite(number) || (kind === "integer" && !Number.isInteger(number)))
    throw new Error(kind === "integer" ? "has to be a whole number" : "has to be a number");
  return number;
}

/** `max_errors` → `Max errors` */
export function labelOf(field: Field): string {
  const text = field.name.replace(/_/g, " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** The limits in words, for people who have not read the schema. */
export function hintOf(field: Field): string {
  const { minimum, maximum, minLength, maxLength, pattern, format } = field.schema;
  const parts: string[] = [];
  if (minimum !== undefined && maximum !== undefined) parts.push(`${minimum} to ${maximum}`);
  else if (minimum !== undefined) parts.push(`at least ${minimum}`);
  else if (maximum !== undefined) parts.push(`at most ${maximum}`);
  if (minLength) parts.push(`at least ${minLength} characters`);
  if (maxLength !== undefined) parts.push(`at most ${maxLength} characters`);
  if (pattern !== undefined) parts.push(`matches ${pattern}`);
  if (format !== undefined && field.kind === "text") parts.push(format);
  if (field.kind === "list") parts.push("one a line");
  if (field.kind === "json") parts.push("JSON");
  return parts.join(", ");
}
