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

/** Where a line stands in the log. */
export type Place = Pick<Line, "attempt" | "seq">;

export const isBefore = (line: Place, other: Place): boolean =>
  line.attempt === other.attempt ? line.seq < other.seq : line.attempt < other.attempt;

export const placeText = ({ attempt, seq }: Place): string => `${attempt}-${seq}`;

/** Read a place from an address. */
export function placeOf(text: string | null): Place | null {
  const [, attempt, seq] = /^(\d{1,6})-(\d{1,9})$/.exec(text ?? "") ?? [];
  return attempt === undefined ? null : { attempt: Number(attempt), seq: Number(seq) };
}

/** Whether a line has a text, in what it says or in its data. */
export const hasText = (line: Line, text: string): boolean =>
  line.message.toLowerCase().includes(text) || (line.data ?? "").toLowerCase().includes(text);

const pathOf = (uuid: string, cursor: string | null): string =>
  `/v1/jobs/${encodeURIComponent(uuid)}/info?limit=${LOADED_LINES}` +
  (cursor === null ? "" : `&cursor=${cursor}`);

/** Read a log from its beginning, as the lines of a file. */
export async function wholeLog(uuid: string): Promise<string[]> {
  const written: string[] = [];
  let cursor: string | null = null;
  do {
    const page: { lines: Line[]; next: string | null } = await get(
      pathOf(uuid, cursor),
      undefined,
      readLog,
    );
    for (const { time, attempt, level, message, data } of page.lines)
      written.push(`${time} #${attempt} ${level} ${message}${data ? ` ${data}` : ""}\n`);
    cursor = page.next;
  } while (cursor !== null);
  return written;
}

/** Load the lines before a line, at most `LOADED_LINES` of them. `oldest` is the first attempt whose log is kept. */
export async function linesBefore(uuid: string, first: Line, oldest: number): Promise<Line[]> {
  const found: Line[] = [];
  const start = first.seq > 0 ? first.attempt : first.attempt - 1;
  for (let attempt = start; found.length === 0 && attempt >= oldest; attempt--) {
    const skipped = attempt === first.attempt ? first.seq - LOADED_LINES - 1 : -1;
    let cursor: string | null =
      skipped < 0 ? `${attempt - 1}-${BEHIND_ALL}` : `${attempt}-${skipped}`;
    while (cursor !== null) {
      const page: { lines: Line[]; next: string | null } = await get(
        pathOf(uuid, cursor),
        undefined,
        readLog,
      );
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
