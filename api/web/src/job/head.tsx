// A job's name and state, how far it is, and what can be done with it.

import { call } from "../api";
import { Cut } from "../cut";
import { go, jobsLink } from "../route";
import { isFinished, type Job } from "../types";
import { Announce, type Ask, Badge, Title } from "../ui";

export function Head({ job, ask, again }: { job: Job; ask: Ask; again: () => void }) {
  const done = isFinished(job.state);
  const percent = Math.floor(job.completeness * 100);
  const change = async (path: string) => {
    await call("POST", `/v1/jobs/${job.uuid}/${path}`);
    again();
  };
  return (
    <header class="job-head">
      <p class="crumbs">
        <a href="#/jobs">Jobs</a> /{" "}
        <a href={jobsLink({ type: job.type })}>
          <Cut text={job.type} />
        </a>
      </p>
      <div class="job-title">
        <Title>{job.type}</Title>
        <Badge state={job.state} note={done ? String(job.resultCode) : ""} />
        <div class="actions">
          {!done && (
            <button
              type="button"
              disabled={job.cancelRequestedTime !== undefined}
              onClick={() =>
                ask({
                  title: "Cancel this job?",
                  text: <p>A running job gets a moment to clean up, then its process is ended.</p>,
                  action: "Cancel the job",
                  danger: true,
                  run: () => change("cancel"),
                })
              }
            >
              {job.cancelRequestedTime ? "Cancelling…" : "Cancel…"}
            </button>
          )}
          {done && (
            <button
              type="button"
              onClick={() =>
                ask({
                  title: "Replay this job?",
                  text: (
                    <p>
                      It keeps its UUID and parameters and gets fresh budgets. Its output is written
                      again.
                    </p>
                  ),
                  action: "Replay",
                  run: () => change("retry"),
                })
              }
            >
              Replay…
            </button>
          )}
          <a class="button" href={`#/run/${encodeURIComponent(job.type)}?like=${job.uuid}`}>
            Run one like it
          </a>
          {done && (
            <button
              type="button"
              onClick={() =>
                ask({
                  title: "Delete this job?",
                  text: (
                    <p>
                      Its record, log, parameters and output are removed. Nothing brings them back.
                    </p>
                  ),
                  action: "Delete the job",
                  danger: true,
                  run: async () => {
                    await call("DELETE", `/v1/jobs/${job.uuid}`);
                    go("/jobs");
                  },
                })
              }
            >
              Delete…
            </button>
          )}
        </div>
      </div>
      <p class="mono uuid">{job.uuid}</p>
      {job.message && <p class={`job-message ${job.state}`}>{job.message}</p>}
      {(job.state === "running" || job.state === "waiting" || (done && job.completeness > 0)) && (
        <div class="progress-row">
          <progress
            class={`bar-${job.state}`}
            value={job.completeness}
            max={1}
            aria-label="Progress"
          />
          <span class="num">{percent} %</span>
        </div>
      )}
      <Announce
        text={`${job.type} is ${job.state}${job.state === "running" ? `, ${Math.floor(percent / 25) * 25} %` : ""}`}
      />
    </header>
  );
}
