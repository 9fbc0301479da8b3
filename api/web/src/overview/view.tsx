// How things go: queues, workers, pools, and charts of the last hour.

import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { useLive, useTitle } from "../hooks";
import { Title, useQuestion } from "../ui";
import { Charts } from "./charts";
import { ALL } from "./history";
import { Pools } from "./pools";
import { Queues } from "./queues";
import { Tiles } from "./tiles";
import { Workers } from "./workers";

export function Overview() {
  useTitle("Overview");
  const { overview, stats } = useLive();
  const [chosen, choose] = useState(ALL);
  const [dialog, ask] = useQuestion();
  if (overview === null)
    return (
      <Heading>
        <p class="empty">Looking…</p>
      </Heading>
    );
  const names = overview.queues.map((queue) => queue.name);
  const queue = names.includes(chosen) ? chosen : ALL;
  return (
    <Heading
      beside={
        names.length > 1 && (
          <label class="inline-field">
            Queue{" "}
            <select value={queue} onChange={(event) => choose(event.currentTarget.value)}>
              <option value={ALL}>all</option>
              {names.map((name) => (
                <option key={name} value={name}>
                  {name}
                </option>
              ))}
            </select>
          </label>
        )
      }
    >
      <Tiles overview={overview} stats={stats} queue={queue} />
      {stats && <Charts stats={stats} queue={queue} />}
      <Queues queues={overview.queues} stats={stats} ask={ask} />
      <Workers workers={overview.workers} ask={ask} />
      {overview.pools.length > 0 && <Pools pools={overview.pools} />}
      {dialog}
    </Heading>
  );
}

function Heading({
  beside,
  children,
}: {
  beside?: ComponentChildren;
  children: ComponentChildren;
}) {
  return (
    <div class="view">
      <div class="title-row">
        <Title>Overview</Title>
        {beside}
      </div>
      {children}
    </div>
  );
}
