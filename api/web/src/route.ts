// Where a person is: the part of the address behind `#`, so that the server needs to know one page
// only.

export interface Route {
  path: string[];
  query: URLSearchParams;
}

/** Read a route from an address's `#…`. A part that was not encoded well is taken as it is. */
export function routeOf(hash: string): Route {
  const text = hash.replace(/^#\/?/, "");
  const mark = text.indexOf("?");
  const path = mark < 0 ? text : text.slice(0, mark);
  const query = mark < 0 ? "" : text.slice(mark + 1);
  return {
    path: path.split("/").filter(Boolean).map(decoded),
    query: new URLSearchParams(query),
  };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

export function go(path: string): void {
  location.hash = path;
}

export function jobsLink(query: Record<string, string>): string {
  return `#/jobs?${new URLSearchParams(query).toString()}`;
}
