// One line of a log. Its time is a link to it.

import { exactTime, fullTime } from "../format";
import type { Line } from "../types";
import { LineData } from "./linedata";
import { placeText } from "./lines";
import { lineId } from "./place";

interface Props {
  uuid: string;
  line: Line;
  /** Whether the attempt is shown. */
  isNumbered: boolean;
  isMarked: boolean;
}

export function LogLine({ uuid, line, isNumbered, isMarked }: Props) {
  const place = placeText(line);
  return (
    <li
      id={lineId(place)}
      class={`log-${line.level}${isMarked ? " marked" : ""}`}
      aria-current={isMarked ? "true" : undefined}
    >
      <a href={`#/jobs/${uuid}?line=${place}`} title={fullTime(line.time)}>
        <time dateTime={line.time}>{exactTime(line.time)}</time>
      </a>
      <span class="log-level">{isNumbered ? `#${line.attempt} ${line.level}` : line.level}</span>
      <span class="log-text" title={line.logger}>
        {line.message}
        {line.data !== undefined && <LineData data={line.data} />}
      </span>
    </li>
  );
}
