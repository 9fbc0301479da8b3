// The numbers at the top: jobs by where they are, and what became of those of the last hour.

import { count, plural } from "../format";
import { jobsLink } from "../route";
import type { Overview, Stats } from "../types";
import { ALL, of, sum } from "./history";

export function Tiles({
  overview,
  stats,
  queue,
}: {
  overview: Overview;
  stats: Stats | null;
  queue: string;
}) {
  const queues = of(overview.queues, queue);
  const history = stats && of(stats.queues, queue);
  const total = (field: "ready" | "reserved" | "delayed" | "buried") =>
    sum(queues.map((item) => item[field]));
  const lastHour = (field: "succeeded" | "failed" | "expired") =>
    history && sum(history.flatMap((item) => item[field]));
  const filter: Record<string, string> = queue === ALL ? {} : { queue };
  // The minutes that are counted, and no others.
  const ended = (state: string) =>
    jobsLink({ state, ...filter, ...(stats?.times[0] && { endedAfter: stats.times[0] }) });
  const slots = sum(overview.workers.map((worker) => worker.slots));
  const [ready, delayed] = [total("ready"), total("delayed")];
  const tiles: [string, string, string | null, string, string][] = [
    [
      "Queued and waiting",
      count(ready + delayed),
      jobsLink({ state: "queued,waiting", ...filter }),
      `${count(ready)} ready, ${count(delayed)} delayed`,
      "",
    ],
    [
      "Running",
      count(total("reserved")),
      jobsLink({ state: "running", ...filter }),
      queue === ALL ? `of ${plural(slots, "slot")}` : "held by workers",
      "",
    ],
    ["Succeeded", count(lastHour("succeeded")), ended("succeeded"), "in the last hour", ""],
    [
      "Failed",
      count(lastHour("failed")),
      ended("failed"),
      "in the last hour",
      lastHour("failed") ? "bad" : "",
    ],
  ];
  if (lastHour("expired"))
    tiles.push([
      "Expired",
      count(lastHour("expired")),
      ended("expired"),
      "in the last hour",
      "bad",
    ]);
  if (total("buried") > 0)
    tiles.push(["Buried", count(total("buried")), null, "entries of no known job", "bad"]);
  return (
    <ul class="tiles">
      {tiles.map(([name, value, link, note, kind]) => {
        const inner = (
          <>
            <span class="tile-name">{name}</span>
            <span class={`tile-value ${kind}`}>{value}</span>
            <span class="tile-note">{note}</span>
          </>
        );
        return (
          <li key={name}>{link === null ? <div>{inner}</div> : <a href={link}>{inner}</a>}</li>
        );
      })}
    </ul>
  );
}
