// Replays, cancels or deletes the jobs that a person has chosen in the list.

import { call } from "../api";
import { plural } from "../format";
import { type Changed, isFinished, type Summary } from "../types";
import type { Ask } from "../ui";

interface Props {
  jobs: Summary[];
  ask: Ask;
  clear: () => void;
}

export function Chosen({ jobs, ask, clear }: Props) {
  const finished = jobs.filter((job) => isFinished(job.state));
  const unfinished = jobs.filter((job) => !isFinished(job.state));
  const change = (action: "retry" | "cancel") => async (uuids: string[]) => {
    const body = JSON.stringify({ filter: { uuids } });
    return (await call<Changed>("POST", `/v1/jobs:${action}`, body))!.changed;
  };
  const buttons = [
    {
      verb: "Replay",
      done: "replayed",
      jobs: finished,
      text: "They keep their UUIDs and parameters and get fresh budgets.",
      danger: false,
      run: change("retry"),
    },
    {
      verb: "Cancel",
      done: "cancelled",
      jobs: unfinished,
      text: "Running jobs get a moment to clean up, then their processes are ended.",
      danger: true,
      run: change("cancel"),
    },
    {
      verb: "Delete",
      done: "deleted",
      jobs: finished,
      text: "Their records, logs, parameters and output are removed. This cannot be undone.",
      danger: true,
      run: remove,
    },
  ];
  return (
    <div class="chosen" role="group" aria-label="Chosen jobs">
      <span>{plural(jobs.length, "job")} chosen</span>
      {buttons.map(({ verb, done, jobs: fitting, text, danger, run }) => (
        <button
          key={verb}
          type="button"
          disabled={fitting.length === 0}
          onClick={() =>
            ask({
              title: `${verb} ${plural(fitting.length, "chosen job")}?`,
              text: <p>{text}</p>,
              action: `${verb} ${plural(fitting.length, "job")}`,
              danger,
              run: async () => {
                const changed = await run(fitting.map((job) => job.uuid));
                clear();
                return <p>{`${plural(changed, "job")} ${done}.`}</p>;
              },
            })
          }
        >
          {verb} {fitting.length}…
        </button>
      ))}
      <button type="button" class="link" onClick={clear}>
        Choose none
      </button>
    </div>
  );
}

/** Delete jobs one by one; what is gone or runs again by now is passed over. */
async function remove(uuids: string[]): Promise<number> {
  const ends = await Promise.allSettled(uuids.map((uuid) => call("DELETE", `/v1/jobs/${uuid}`)));
  const failed = ends.filter((end) => end.status === "rejected");
  if (failed.length === uuids.length && failed[0]) throw failed[0].reason as Error;
  return uuids.length - failed.length;
}
