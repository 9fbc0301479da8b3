// The values that were logged with a line.

import { kindOf, members } from "../jsontext";
import { plain } from "../schema";
import type { JsonText } from "../types";

/** Short values beside the line; a text of several lines, e.g. a traceback, is opened when wanted. */
export function LineData({ data }: { data: JsonText }) {
  const shown: [string, JsonText][] = kindOf(data) === "object" ? members(data) : [["data", data]];
  return (
    <>
      {shown.map(([name, value]) =>
        plain(value).includes("\n") ? (
          <details key={name}>
            <summary>{name}</summary>
            <pre tabIndex={0}>{plain(value)}</pre>
          </details>
        ) : (
          <code key={name}>
            {" "}
            {name}={plain(value)}
          </code>
        ),
      )}
    </>
  );
}
