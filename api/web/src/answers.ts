// How answers are read whose values are a job's: those stay the texts that they were sent as.

import { items, member, members } from "./jsontext";
import { readSchema } from "./schema";
import type { Job, JobType, Line } from "./types";

function withTexts(text: string, names: string[]): object {
  const document = JSON.parse(text) as Record<string, unknown>;
  for (const [name, value] of members(text)) if (names.includes(name)) document[name] = value;
  return document;
}

export const readJob = (text: string): Job =>
  withTexts(text, ["parameters", "data", "jobState"]) as Job;

export const readLine = (text: string): Line => withTexts(text, ["data"]) as Line;

/** Read a page of a log: its lines in the order of writing. */
export function readLog(text: string): { lines: Line[]; next: string | null } {
  const fields = new Map(members(text));
  const lines = ["events", "warnings", "errors"].flatMap((name) =>
    items(fields.get(name) ?? "[]").map(readLine),
  );
  lines.sort((one, other) => one.attempt - other.attempt || one.seq - other.seq);
  return { lines, next: JSON.parse(fields.get("next") ?? "null") as string | null };
}

export const readType = (text: string): JobType => ({
  ...(JSON.parse(text) as JobType),
  schema: readSchema(member(text, "schema") ?? "{}"),
});
