// A job's log in parts: a tab holds its newest lines, and loads earlier ones page by page. A log may
// have 8 MiB per attempt, and a job 50 attempts: nothing here ever holds it as a whole.

import { readLog } from "../answers";
import { get } from "../api";
import type { Line } from "../types";

/** What a tab keeps of the log: lines, and characters of their JSON. */
const KEPT_LINES = 2000;
const KEPT_CHARS = 4_000_000;
/** Lines that are loaded together, and kept of what is read on the way to them. */
const LOADED_LINES = 1000;
/** Behind the last line of any attempt: the next attempt's log begins there. */
const BEHIND_ALL = 99_999;

const sizeOf = (line: Line): number => line.message.length + (line.data?.length ?? 0);

/** Return the newest lines, as many as are kept. */
export function newest(lines: Line[]): Line[] {
  let start = lines.length;
  let chars = 0;
  while (start > Math.max(0, lines.length - KEPT_LINES) && chars < KEPT_CHARS)
    chars += sizeOf(lines[--start]!);
  return lines.slice(start);
}

const isBefore = (line: Line, other: Line): boolean =>
  line.attempt === other.attempt ? line.seq < other.seq : line.attempt < other.attempt;

/** Load the lines before a line, at most `LOADED_LINES` of them. `oldest` is the first attempt whose log is kept. */
export async function linesBefore(uuid: string, first: Line, oldest: number): Promise<Line[]> {
  const found: Line[] = [];
  const start = first.seq > 0 ? first.attempt : first.attempt - 1;
  for (let attempt = start; found.length === 0 && attempt >= oldest; attempt--) {
    const skipped = attempt === first.attempt ? first.seq - LOADED_LINES - 1 : -1;
    let cursor: string | null =
      skipped < 0 ? `${attempt - 1}-${BEHIND_ALL}` : `${attempt}-${skipped}`;
    while (cursor !== null) {
      const path = `/v1/jobs/${encodeURIComponent(uuid)}/info?limit=${LOADED_LINES}&cursor=${cursor}`;
      const page: { lines: Line[]; next: string | null } = await get(path, undefined, readLog);
      const earlier = page.lines.filter((line) => isBefore(line, first));
      found.push(...earlier);
      found.splice(0, found.length - LOADED_LINES);
      const last = earlier.at(-1);
      const isJoined = last?.attempt === first.attempt && last.seq === first.seq - 1;
      cursor = earlier.length === page.lines.length && !isJoined ? page.next : null;
    }
  }
  return found;
}
