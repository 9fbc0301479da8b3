// The API's calls, read from openapi.json, and the requests that a person makes of them. Pure.

import { check, indent, member, members } from "../jsontext";

export interface Parameter {
  name: string;
  in: string;
  required: boolean;
  description?: string;
}

export interface Call {
  path: string;
  method: string;
  summary: string;
  parameters: Parameter[];
  hasBody: boolean;
  /** The statuses of its answers. */
  answers: string[];
}

export interface Specification {
  calls: Call[];
  /** By name, laid out for reading. */
  schemas: [string, string][];
}

interface Operation {
  summary: string;
  parameters: Parameter[];
  requestBody?: unknown;
  responses: Record<string, unknown>;
}

interface Document {
  paths: Record<string, Record<string, Operation>>;
}

export function readSpecification(text: string): Specification {
  const { paths } = JSON.parse(text) as Document;
  const calls = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      path,
      method,
      summary: operation.summary,
      parameters: operation.parameters,
      hasBody: operation.requestBody !== undefined,
      answers: Object.keys(operation.responses),
    })),
  );
  const components = member(check(text), "components") ?? "{}";
  const schemas = members(member(components, "schemas") ?? "{}");
  return { calls, schemas: schemas.map(([name, schema]) => [name, indent(schema)]) };
}

/** Make a request of what was typed for the parameters, in their order; empty ones are left out. */
export function requestFor(
  call: Call,
  values: string[],
  body: string,
): { path: string; options: RequestInit } {
  let path = call.path;
  const query = new URLSearchParams();
  const headers: Record<string, string> = {};
  call.parameters.forEach((parameter, index) => {
    const value = values[index] ?? "";
    if (value === "") return;
    if (parameter.in === "path")
      path = path.replace(`{${parameter.name}}`, encodeURIComponent(value));
    else if (parameter.in === "query") query.append(parameter.name, value);
    else headers[parameter.name] = value;
  });
  const options: RequestInit = { method: call.method.toUpperCase(), headers };
  if (call.hasBody) {
    headers["Content-Type"] = "application/json";
    options.body = body;
  }
  return { path: query.size > 0 ? `${path}?${query.toString()}` : path, options };
}

/** Lay an answer out for reading, if it is JSON. */
export function laidOut(text: string): string {
  try {
    return indent(check(text));
  } catch {
    return text;
  }
}
