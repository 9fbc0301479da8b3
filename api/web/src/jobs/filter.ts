// Which jobs the list shows: read from the address, and written for the API. Pure.

import type { State } from "../types";

const PAGE = 50;

const FILTERS = ["state", "type", "queue"] as const;

export type Filter = Record<(typeof FILTERS)[number], string>;

export function readFilter(query: URLSearchParams): Filter {
  const read = (name: string) => query.get(name) ?? "";
  return { state: read("state"), type: read("type"), queue: read("queue") };
}

export const isFiltered = (filter: Filter): boolean => FILTERS.some((name) => filter[name] !== "");

/** The query of the API's list. */
export function search(filter: Filter, cursor: string): URLSearchParams {
  const query = new URLSearchParams({ limit: String(PAGE) });
  for (const name of FILTERS)
    for (const value of filter[name].split(",")) if (value) query.append(name, value);
  if (cursor) query.set("cursor", cursor);
  return query;
}

/** The query of the view's own address. */
export function linkQuery(filter: Filter, cursor: string): URLSearchParams {
  const query = new URLSearchParams();
  for (const name of FILTERS) if (filter[name]) query.set(name, filter[name]);
  if (cursor) query.set("cursor", cursor);
  return query;
}

/** Whole sentences, so that nobody changes more than they thought. */
export function told(filter: Filter, states: State[]): string {
  const parts = [`state ${states.join(" or ")}`];
  if (filter.type) parts.push(`type ${filter.type}`);
  if (filter.queue) parts.push(`queue ${filter.queue}`);
  return parts.join(", ");
}
