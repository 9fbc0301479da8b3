// Where a person chooses which jobs to see.

import { useLive, useLoaded } from "../hooks";
import { type JobType, type State, STATES } from "../types";
import { Choice } from "./choice";
import { type Filter, isFiltered } from "./filter";

export function Filters({ filter, set }: { filter: Filter; set: (part: Partial<Filter>) => void }) {
  const types = useLoaded<{ types: JobType[] }>("/v1/types");
  const { overview } = useLive();
  const queues = overview?.queues.map((queue) => queue.name) ?? [];
  const states = new Set(filter.state.split(",").filter(Boolean));
  const toggle = (state: State) => {
    if (!states.delete(state)) states.add(state);
    set({ state: STATES.filter((item) => states.has(item)).join(",") });
  };
  const names = types.value?.types.map((type) => type.name) ?? [];
  return (
    <form
      class="filters"
      role="search"
      aria-label="Filter jobs"
      onSubmit={(event) => event.preventDefault()}
    >
      <fieldset class="chips">
        <legend class="hidden-text">State</legend>
        {STATES.map((state) => (
          <label key={state} class={`chip badge-${state}`}>
            <input type="checkbox" checked={states.has(state)} onChange={() => toggle(state)} />
            <span class="dot" aria-hidden="true" />
            {state}
          </label>
        ))}
      </fieldset>
      <Choice name="Type" value={filter.type} options={names} set={(type) => set({ type })} />
      <Choice name="Queue" value={filter.queue} options={queues} set={(queue) => set({ queue })} />
      {isFiltered(filter) && <a href="#/jobs">Clear</a>}
    </form>
  );
}
