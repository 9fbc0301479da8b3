// One job: where it stands, live; its attempts, log, parameters and output; what can be done with it.

import { readJob } from "../answers";
import { useLoaded, useTitle } from "../hooks";
import { isFinished, type Job, type JsonText } from "../types";
import { Json } from "../json";
import { Empty, Title, Trouble, useQuestion } from "../ui";
import { Facts } from "./facts";
import { useFollowed } from "./followed";
import { Head } from "./head";
import { Log } from "./log";
import { Parameters } from "./parameters";
import { Paused } from "./paused";
import { Timeline } from "./timeline";
import { Unserved } from "./unserved";

interface Props {
  uuid: string;
  /** The place of the line of the log that the address names. */
  marked: string | null;
}

export function JobView({ uuid, marked }: Props) {
  const job = useLoaded(`/v1/jobs/${encodeURIComponent(uuid)}`, readJob);
  const live = useFollowed(uuid, job.value, job.reload);
  const [dialog, ask] = useQuestion();
  useTitle(job.value ? `${job.value.type} ${uuid.slice(-6)}` : "Job");
  if (job.value === null)
    return (
      <div class="view">
        <Title>Job</Title>
        {job.error ? <Trouble error={job.error} retry={job.reload} /> : <Empty>Looking…</Empty>}
        {job.error?.status === 404 && <a href="#/jobs">All jobs</a>}
      </div>
    );
  const now: Job = { ...job.value, ...live.progress };
  return (
    <div class="view job">
      <Head job={now} ask={ask} again={live.again} />
      {live.trouble && !isFinished(now.state) && <Trouble error={live.trouble} />}
      {(now.state === "queued" || now.state === "waiting") && <Paused job={now} />}
      {now.state === "queued" && <Unserved job={now} />}
      {(now.state === "succeeded" || !isEmpty(now.data)) && <Output job={now} />}
      <div class="job-grid">
        <div class="job-main">
          <Timeline job={now} />
          <Log job={now} lines={live.lines} cut={live.cut} marked={marked} />
        </div>
        <div class="job-side">
          <Facts job={now} />
          <Parameters job={now} />
          {!isEmpty(now.jobState) && (
            <section aria-labelledby="saved">
              <h2 id="saved">State kept between attempts</h2>
              <Json text={now.jobState} label="State" />
            </section>
          )}
        </div>
      </div>
      {dialog}
    </div>
  );
}

function Output({ job }: { job: Job }) {
  return (
    <section aria-labelledby="output">
      <h2 id="output">Output</h2>
      {isEmpty(job.data) ? (
        <Empty>None.</Empty>
      ) : (
        <Json text={job.data} label="Output" file={`${job.uuid}-output.json`} />
      )}
    </section>
  );
}

const isEmpty = (value: JsonText | undefined) => value === undefined || value === "null";
