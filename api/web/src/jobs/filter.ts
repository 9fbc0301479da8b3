// Which jobs the list shows: read from the address, and written for the API. Pure.

import type { components } from "../generated";
import { time } from "../format";
import type { State } from "../types";

const PAGE = 50;

/** Names of the address, which are the API's. Only labels may hold a comma. */
const NAMES = ["state", "type", "queue"] as const;
export const TIMES = ["submittedAfter", "submittedBefore", "endedAfter", "endedBefore"] as const;
type TimeName = (typeof TIMES)[number];

/** A time is a text of RFC 3339, or how long ago it was: `1h`, `7d`. */
export type Filter = Record<(typeof NAMES)[number] | TimeName, string> & { label: string[] };
/** As the API's changes by filter take it. */
type Chosen = components["schemas"]["Filter"];

/** How long ago, and its words. */
export const PRESETS: [string, string][] = [
  ["1h", "last hour"],
  ["1d", "last 24 hours"],
  ["7d", "last 7 days"],
];
const AGO = /^(\d{1,4})([hd])$/;
const UNIT_MS = { h: 3_600_000, d: 86_400_000 };

export function readFilter(query: URLSearchParams): Filter {
  const read = (name: string) => query.get(name) ?? "";
  const one = Object.fromEntries([...NAMES, ...TIMES].map((name) => [name, read(name)]));
  return { ...one, label: query.getAll("label").filter(Boolean) } as Filter;
}

export const isFiltered = (filter: Filter): boolean =>
  filter.label.length > 0 || [...NAMES, ...TIMES].some((name) => filter[name] !== "");

/** Whether only finished jobs can fit. */
export const isOfEnds = (filter: Filter): boolean =>
  filter.endedAfter !== "" || filter.endedBefore !== "";

/** The time that a text of the address means now. */
export function timeOf(text: string, now: number): string {
  const [, number, unit] = AGO.exec(text) ?? [];
  if (number === undefined) return text;
  return new Date(now - Number(number) * UNIT_MS[unit as "h" | "d"]).toISOString();
}

/** The query of the API's list. Times that move with the clock are written by `askedNow`. */
export function search(filter: Filter, cursor: string): URLSearchParams {
  const query = new URLSearchParams({ limit: String(PAGE) });
  for (const name of NAMES)
    for (const value of filter[name].split(",")) if (value) query.append(name, value);
  addRest(query, filter, cursor);
  return query;
}

/** A call of the API, with the times that its texts mean now. */
export function askedNow(path: string, now = Date.now()): string {
  const [call, query] = path.split("?");
  const asked = new URLSearchParams(query);
  for (const name of TIMES) {
    const text = asked.get(name);
    if (text !== null) asked.set(name, timeOf(text, now));
  }
  return `${call}?${asked}`;
}

/** The query of the view's own address. */
export function linkQuery(filter: Filter, cursor: string): URLSearchParams {
  const query = new URLSearchParams();
  for (const name of NAMES) if (filter[name]) query.set(name, filter[name]);
  addRest(query, filter, cursor);
  return query;
}

function addRest(query: URLSearchParams, filter: Filter, cursor: string): void {
  for (const label of filter.label) query.append("label", label);
  for (const name of TIMES) if (filter[name]) query.set(name, filter[name]);
  if (cursor) query.set("cursor", cursor);
}

/** The address that shows only those of the jobs that have a label, too. */
export function labelLink(filter: Filter, label: string): string {
  const labels = [...new Set([...filter.label, label])];
  return `#/jobs?${linkQuery({ ...filter, label: labels }, "").toString()}`;
}

/** What is changed by filter: the shown jobs, of some states. */
export function chosenBy(filter: Filter, states: State[], now: number): Chosen {
  const { type, queue, label } = filter;
  const times = TIMES.filter((name) => filter[name] !== "");
  return {
    state: states,
    ...(type && { type }),
    ...(queue && { queue }),
    ...(label.length > 0 && { label }),
    ...Object.fromEntries(times.map((name) => [name, timeOf(filter[name], now)])),
  };
}

/** Whole sentences, so that nobody changes more than they thought. */
export function told(filter: Filter, states: State[]): string {
  const parts = [`state ${states.join(" or ")}`];
  if (filter.type) parts.push(`type ${filter.type}`);
  if (filter.queue) parts.push(`queue ${filter.queue}`);
  if (filter.label.length > 0) parts.push(`label ${filter.label.join(" and ")}`);
  for (const name of ["submitted", "ended"] as const) {
    const range = rangeText(filter[`${name}After`], filter[`${name}Before`]);
    if (range) parts.push(`${name} ${range}`);
  }
  return parts.join(", ");
}

function rangeText(after: string, before: string): string {
  const known = PRESETS.find(([text]) => text === after);
  const from = after && (known ? `in the ${known[1]}` : `from ${timeText(after)}`);
  return [from, before && `before ${timeText(before)}`].filter(Boolean).join(" and ");
}

const timeText = (text: string): string => (AGO.test(text) ? `${text} ago` : time(text));
