// Keeps a reader's place in the log.

import { useLayoutEffect, useRef } from "preact/hooks";
import type { Line } from "../types";

/** So close to the end, in pixels, a reader follows what is written. */
const FOLLOWING = 30;

/** The id of a line's element, by its place in the log. */
export const lineId = (place: string): string => `line-${place}`;

/**
 * Where a reader is in the log: at its end, or at a line, which stays where it is on the screen while
 * others are added or dropped before it. Not every browser does that, and none at the very top.
 * `marked` is the place of a line that is shown once it is there.
 */
export function usePlace(lines: Line[], marked: string | null) {
  const box = useRef<HTMLDivElement>(null);
  const line = useRef<{ id: string; offset: number } | null>(null);
  const shownMark = useRef<string | null>(null);
  const note = () => {
    // A list that has gone may still be told that it was scrolled.
    if (box.current === null) return;
    const { scrollHeight, scrollTop, clientHeight } = box.current;
    const items = [...box.current.querySelectorAll("li")];
    const top = items[0]?.offsetTop ?? 0;
    const first = items.find((item) => item.offsetTop - top + item.offsetHeight > scrollTop);
    const follows = scrollHeight - scrollTop - clientHeight < FOLLOWING;
    line.current =
      follows || !first ? null : { id: first.id, offset: first.offsetTop - top - scrollTop };
  };
  useLayoutEffect(() => {
    const list = box.current;
    if (list === null) return;
    const mark = marked === null ? null : document.getElementById(lineId(marked));
    if (mark && shownMark.current !== marked) {
      shownMark.current = marked;
      if (!isSeen(mark, list)) mark.scrollIntoView({ block: "center" });
      note();
      return;
    }
    if (line.current === null) {
      list.scrollTop = list.scrollHeight;
      return;
    }
    const item = document.getElementById(line.current.id);
    const top = list.querySelector("li")?.offsetTop ?? 0;
    if (item) list.scrollTop = item.offsetTop - top - line.current.offset;
  }, [lines, marked]);
  return { box, note };
}

/** Whether a line can be seen now. */
function isSeen(line: HTMLElement, list: HTMLElement): boolean {
  const [inner, outer] = [line.getBoundingClientRect(), list.getBoundingClientRect()];
  return inner.top >= Math.max(0, outer.top) && inner.bottom <= Math.min(innerHeight, outer.bottom);
}
