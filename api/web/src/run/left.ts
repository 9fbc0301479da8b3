// Which fields a person has left. What is wrong with them is said from then on.

import { useEffect, useRef, useState } from "preact/hooks";

/**
 * A field that is left because a button is pressed counts as left once the press is over: a message that
 * appears meanwhile would move the button away, and the click would be lost.
 */
export function useLeft(): [ReadonlySet<string>, (path: string) => void] {
  const [left, setLeft] = useState<ReadonlySet<string>>(new Set());
  const pressed = useRef(false);
  const pending = useRef<string[]>([]);
  const flush = () => {
    const paths = pending.current;
    pending.current = [];
    if (paths.length > 0) setLeft((before) => new Set([...before, ...paths]));
  };
  useEffect(() => {
    const over = new AbortController();
    const listen = (name: string, take: () => void) =>
      addEventListener(name, take, { capture: true, signal: over.signal });
    const released = () => {
      pressed.current = false;
      // The click comes first.
      setTimeout(flush);
    };
    listen("pointerdown", () => (pressed.current = true));
    listen("pointerup", released);
    listen("pointercancel", released);
    return () => over.abort();
  }, []);
  return [
    left,
    (path) => {
      pending.current.push(path);
      if (!pressed.current) flush();
    },
  ];
}
