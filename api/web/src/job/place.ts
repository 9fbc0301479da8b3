// Keeps a reader's place in the log.

import { useLayoutEffect, useRef } from "preact/hooks";
import type { Line } from "../types";

/** So close to the end, in pixels, a reader follows what is written. */
const FOLLOWING = 30;

/**
 * Where a reader is in the log: at its end, or at a line, which stays where it is on the screen while
 * others are added or dropped before it. Not every browser does that, and none at the very top.
 */
export function usePlace(lines: Line[]) {
  const box = useRef<HTMLDivElement>(null);
  const line = useRef<{ id: string; offset: number } | null>(null);
  const note = () => {
    const { scrollHeight, scrollTop, clientHeight } = box.current!;
    const items = [...box.current!.querySelectorAll("li")];
    const top = items[0]?.offsetTop ?? 0;
    const first = items.find((item) => item.offsetTop - top + item.offsetHeight > scrollTop);
    const follows = scrollHeight - scrollTop - clientHeight < FOLLOWING;
    line.current =
      follows || !first ? null : { id: first.id, offset: first.offsetTop - top - scrollTop };
  };
  useLayoutEffect(() => {
    const list = box.current;
    if (list === null) return;
    if (line.current === null) {
      list.scrollTop = list.scrollHeight;
      return;
    }
    const item = document.getElementById(line.current.id);
    const top = list.querySelector("li")?.offsetTop ?? 0;
    if (item) list.scrollTop = item.offsetTop - top - line.current.offset;
  }, [lines]);
  return { box, note };
}
