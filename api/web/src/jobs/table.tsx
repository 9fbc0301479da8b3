// A page of jobs, one per row, each of which may be chosen.

import { useNow } from "../hooks";
import type { Summary } from "../types";
import { Empty } from "../ui";
import { JobRow } from "./row";

interface Props {
  jobs: Summary[];
  /** Whether anything hides jobs: the filter, or the text that is looked for. */
  isFiltered: boolean;
  text: string;
  /** Leads to those of the jobs that have a label. */
  labelLink: (label: string) => string;
  chosen: ReadonlySet<string>;
  choose: (uuids: ReadonlySet<string>) => void;
}

export function Table({ jobs, isFiltered, text, labelLink, chosen, choose }: Props) {
  const now = useNow();
  if (jobs.length === 0)
    return text !== "" ? (
      <Empty>No job on this page contains “{text}”.</Empty>
    ) : isFiltered ? (
      <Empty>
        No job fits the filter. Finished jobs expire. <a href="#/jobs">Show all</a>
      </Empty>
    ) : (
      <Empty>
        No jobs yet. <a href="#/run">Run the first</a>
      </Empty>
    );
  const all = jobs.every((job) => chosen.has(job.uuid));
  const toggle = (uuid: string) => {
    const next = new Set(chosen);
    if (!next.delete(uuid)) next.add(uuid);
    choose(next);
  };
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Jobs">
      <table class="jobs stack">
        <thead>
          <tr>
            <td class="pick">
              <input
                type="checkbox"
                aria-label="Choose all on this page"
                checked={all}
                onChange={() => choose(new Set(all ? [] : jobs.map((job) => job.uuid)))}
              />
            </td>
            <th scope="col">Job</th>
            <th scope="col">State</th>
            <th scope="col" class="wide">
              Message
            </th>
            <th scope="col" class="wide">
              Queue
            </th>
            <th scope="col" class="num wide">
              Attempt
            </th>
            <th scope="col" class="num wide" title="Until the first start">
              Waited
            </th>
            <th scope="col" class="num wide" title="From the first start on">
              Ran
            </th>
            <th scope="col" class="num">
              Submitted
            </th>
          </tr>
        </thead>
        <tbody>
          {jobs.map((job) => (
            <JobRow
              key={job.uuid}
              job={job}
              now={now}
              labelLink={labelLink}
              isChosen={chosen.has(job.uuid)}
              choose={() => toggle(job.uuid)}
            />
          ))}
        </tbody>
      </table>
    </div>
  );
}
