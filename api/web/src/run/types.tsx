// The job types to choose from.

import { useState } from "preact/hooks";
import { hasToken } from "../api";
import { useLoaded, useTitle, useWorkersChanged } from "../hooks";
import type { JobType } from "../types";
import { Empty, Title, Trouble } from "../ui";

/** As many are seen at once. */
const FEW_TYPES = 8;

function holdsWords({ name, description, queue }: JobType, text: string): boolean {
  const sought = text.trim().toLowerCase();
  return [name, description, queue].some((word) => word.toLowerCase().includes(sought));
}

export function Types() {
  useTitle("Run a job");
  const types = useLoaded<{ types: JobType[] }>("/v1/types");
  useWorkersChanged(types.reload);
  const [text, setText] = useState("");
  const all = types.value?.types ?? [];
  const found = all.filter((type) => holdsWords(type, text));
  return (
    <div class="view">
      <div class="title-row">
        <Title>Run a job</Title>
        {all.length > FEW_TYPES && (
          <div class="find" role="search" aria-label="Find a job type">
            <input
              type="search"
              placeholder="Name, description or queue"
              aria-label="Search job types"
              autocomplete="off"
              spellcheck={false}
              value={text}
              onInput={(event) => setText(event.currentTarget.value)}
            />
          </div>
        )}
      </div>
      {types.error && <Trouble error={types.error} retry={types.reload} />}
      {types.value?.types.length === 0 && (
        <Empty>
          {hasToken()
            ? "No job type that this token may list."
            : "No worker has registered a job type yet. They appear here as soon as one starts."}
        </Empty>
      )}
      {all.length > 0 && found.length === 0 && <Empty>No job type contains “{text}”.</Empty>}
      <ul class="types">
        {found.map((type) => (
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
