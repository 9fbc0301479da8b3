// When an attempt was waited for and when it ran, as a bar.

import type { Part } from "./spans";

/** Whatever has happened is seen, however short it was. */
const LEAST_PIXELS = 4;

export function Bar({ parts }: { parts: [kind: string, part: Part][] }) {
  return (
    <div class="attempt-bar" aria-hidden="true">
      {parts.map(([kind, { from, to }]) => (
        <span
          key={kind}
          class={`part-${kind}`}
          style={{
            left: `min(${from}%, 100% - ${LEAST_PIXELS}px)`,
            width: `max(${LEAST_PIXELS}px, ${to - from}%)`,
          }}
        />
      ))}
    </div>
  );
}
