// Where a person chooses which jobs to see.

import { useLive, useLoaded } from "../hooks";
import { type JobType, type State, STATES } from "../types";
import { Choice } from "./choice";
import { type Filter, isFiltered } from "./filter";
import { LabelFilter } from "./labelfilter";
import { TimeRange } from "./timerange";

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
    <div class="filters" role="search" aria-label="Filter jobs">
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
      <TimeRange
        name="Submitted"
        after={filter.submittedAfter}
        before={filter.submittedBefore}
        set={(submittedAfter, submittedBefore) => set({ submittedAfter, submittedBefore })}
      />
      <TimeRange
        name="Ended"
        after={filter.endedAfter}
        before={filter.endedBefore}
        set={(endedAfter, endedBefore) => set({ endedAfter, endedBefore })}
      />
      <LabelFilter labels={filter.label} set={(label) => set({ label })} />
      {isFiltered(filter) && <a href="#/jobs">Clear</a>}
    </div>
  );
}
