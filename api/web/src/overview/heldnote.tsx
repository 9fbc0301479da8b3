// Says what a person holds: a queue that is paused, or a worker that drains.

import { time } from "../format";
import type { Held } from "../types";

/** Since when, by whom and why, as far as that is known. */
export function HeldNote({ what, held }: { what: string; held: Held }) {
  return (
    <span class="sub held">
      {what}
      {held.since && ` since ${time(held.since)}`}
      {held.by && ` by ${held.by}`}
      {held.reason && `: ${held.reason}`}
    </span>
  );
}
