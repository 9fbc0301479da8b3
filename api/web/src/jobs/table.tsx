// A page of jobs, one per row.

import { ago, DASH, duration, fullTime, secondsBetween } from "../format";
import { useNow } from "../hooks";
import { isFinished, type Summary } from "../types";
import { Badge, Empty } from "../ui";

export function Table({ jobs, filtered }: { jobs: Summary[]; filtered: boolean }) {
  const now = useNow(5000);
  if (jobs.length === 0)
    return filtered ? (
      <Empty>
        No job fits the filter. Finished jobs expire. <a href="#/jobs">Show all</a>
      </Empty>
    ) : (
      <Empty>
        No jobs yet. <a href="#/run">Run the first</a>
      </Empty>
    );
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Jobs">
      <table class="jobs">
        <thead>
          <tr>
            <th scope="col">Job</th>
            <th scope="col">State</th>
            <th scope="col" class="wide">
              UUID
            </th>
            <th scope="col" class="wide">
              Message
            </th>
            <th scope="col" class="wide">
              Queue
            </th>
            <th scope="col" class="num wide">
              Attempt
            </th>
            <th scope="col" class="num wide">
              Took
            </th>
            <th scope="col" class="num">
              Created
            </th>
          </tr>
        </thead>
        <tbody>
          {jobs.map((job) => (
            <tr key={job.uuid}>
              <th scope="row">
                <a href={`#/jobs/${job.uuid}`} aria-label={`${job.type} ${job.uuid}`}>
                  {job.type}
                </a>
                <span class="sub mono small-only">{job.uuid}</span>
              </th>
              <td>
                <Badge
                  state={job.state}
                  note={
                    isFinished(job.state) && ![200, 410, 500].includes(job.resultCode)
                      ? String(job.resultCode)
                      : ""
                  }
                />
              </td>
              <td class="wide mono muted nowrap">{job.uuid}</td>
              <td class="wide message">{job.message ?? ""}</td>
              <td class="wide">{job.queue}</td>
              <td class="num wide">{job.attempt || DASH}</td>
              <td class="num wide">
                {job.startedTime && job.finishedTime
                  ? duration(secondsBetween(job.startedTime, job.finishedTime))
                  : DASH}
              </td>
              <td class="num">
                <time dateTime={job.createdTime} title={fullTime(job.createdTime)}>
                  {ago(job.createdTime, now)}
                </time>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
