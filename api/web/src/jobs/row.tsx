// One job of the list.

import { Clamp, Cut } from "../cut";
import { ago, DASH, duration, fullTime, time } from "../format";
import { Labels } from "../labels";
import { isFinished, type Summary } from "../types";
import { Badge } from "../ui";
import { dueTime, ranSeconds, waitedSeconds } from "./shown";

const PAUSES = "From the first start, with the pauses between attempts";

/** A list does not tell how long each attempt ran. */
const mayHavePaused = (job: Summary): boolean =>
  ranSeconds(job, 0) !== null && (job.attempt > 1 || job.state === "waiting");

/** What the states say already. */
const USUAL_CODES = [200, 410, 500];

interface Props {
  job: Summary;
  now: number;
  labelLink: (label: string) => string;
  isChosen: boolean;
  choose: () => void;
}

export function JobRow({ job, now, labelLink, isChosen, choose }: Props) {
  return (
    <tr aria-selected={isChosen}>
      <td class="pick">
        <input
          type="checkbox"
          aria-label={`Choose ${job.type} ${job.uuid}`}
          checked={isChosen}
          onChange={choose}
        />
      </td>
      <th scope="row">
        <a href={`#/jobs/${job.uuid}`} aria-label={`${job.type} ${job.uuid}`}>
          <Cut text={job.type} />
        </a>
        <span class="sub mono">{job.uuid}</span>
        <Labels labels={job.labels} link={labelLink} />
      </th>
      <td>
        <Badge state={job.state} note={noteOf(job, now)} />
      </td>
      <td class="wide message">
        <Clamp text={job.message ?? ""} />
      </td>
      <td class="wide">
        <Cut text={job.queue} />
      </td>
      <td class="num wide">{job.attempt || DASH}</td>
      <td class="num wide">{secondsText(waitedSeconds(job, now))}</td>
      <td class="num wide" title={mayHavePaused(job) ? PAUSES : ""}>
        {mayHavePaused(job) && "≤ "}
        {secondsText(ranSeconds(job, now))}
      </td>
      <td class="num">
        <time dateTime={job.createdTime} title={fullTime(job.createdTime)}>
          {ago(job.createdTime, now)}
        </time>
      </td>
    </tr>
  );
}

/** Seconds that still pass are not shown in fractions. */
const secondsText = (seconds: number | null): string =>
  duration(seconds !== null && seconds >= 10 ? Math.floor(seconds) : seconds);

function noteOf(job: Summary, now: number): string {
  if (isFinished(job.state))
    return USUAL_CODES.includes(job.resultCode) ? "" : String(job.resultCode);
  const due = dueTime(job, now);
  return due === null ? "" : `until ${time(due)}`;
}
