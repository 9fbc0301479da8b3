// The job types to choose from.

import { hasToken } from "../api";
import { useLoaded, useTitle, useWorkersChanged } from "../hooks";
import type { JobType } from "../types";
import { Empty, Title, Trouble } from "../ui";

export function Types() {
  useTitle("Run a job");
  const types = useLoaded<{ types: JobType[] }>("/v1/types");
  useWorkersChanged(types.reload);
  return (
    <div class="view">
      <Title>Run a job</Title>
      {types.error && <Trouble error={types.error} retry={types.reload} />}
      {types.value?.types.length === 0 && (
        <Empty>
          {hasToken()
            ? "No job type that this token may list."
            : "No worker has registered a job type yet. They appear here as soon as one starts."}
        </Empty>
      )}
      <ul class="types">
        {types.value?.types.map((type) => (
          <li key={type.name}>
            <a href={`#/run/${encodeURIComponent(type.name)}`}>
              <span class="type-name">{type.name}</span>
              <span class="type-text">{type.description}</span>
              <span class="type-queue">{type.queue}</span>
              {type.served === false && <span class="type-unserved">No running worker</span>}
            </a>
          </li>
        ))}
      </ul>
    </div>
  );
}
