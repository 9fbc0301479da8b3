// The list of jobs: filters in the address, keyset pages, changes by filter. At most one page is
// in the document, whatever the number of jobs.

import { useEffect, useRef, useState } from "preact/hooks";
import { call } from "./api";
import { ago, DASH, duration, plural, secondsBetween } from "./format";
import { go, type Route, useLive, useLoaded, useNow, useTitle } from "./hooks";
import {
  type Changed,
  isFinished,
  type JobType,
  type Page,
  STATES,
  type State,
  type Summary,
} from "./types";
import { Announce, Badge, Empty, type Question, Title, Trouble, useQuestion } from "./ui";

const PAGE = 50;
/** The first page is looked at again this often while something happens. */
const REFRESH_MS = 2000;
/** What the API changes in one call. */
const MANY = 1000;
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;
const FILTERS = ["state", "type", "queue"] as const;

type Filter = Record<(typeof FILTERS)[number], string>;

export function Jobs({ route }: { route: Route }) {
  useTitle("Jobs");
  const read = (name: string) => route.query.get(name) ?? "";
  const filter: Filter = { state: read("state"), type: read("type"), queue: read("queue") };
  const cursor = read("cursor");
  const page = useLoaded<Page>(`/v1/jobs?${search(filter, cursor)}`);
  const [dialog, ask] = useQuestion(page.reload);
  useRefresh(page.reload, cursor === "");
  const set = (part: Partial<Filter>) => go(`/jobs?${linkQuery({ ...filter, ...part }, "")}`);
  return (
    <div class="view">
      <Title>Jobs</Title>
      <Filters filter={filter} set={set} />
      <div class="toolbar">
        <ByFilter filter={filter} ask={ask} />
        <Find />
      </div>
      {page.error && <Trouble error={page.error} retry={page.reload} />}
      {page.value && (
        <Table jobs={page.value.jobs} filtered={FILTERS.some((name) => filter[name])} />
      )}
      {page.value && (
        <nav class="pages" aria-label="Pages">
          {cursor !== "" && <a href={`#/jobs?${linkQuery(filter, "")}`}>Newest</a>}
          {cursor !== "" && (
            <button type="button" class="link" onClick={() => history.back()}>
              Newer
            </button>
          )}
          {page.value.next && <a href={`#/jobs?${linkQuery(filter, page.value.next)}`}>Older</a>}
        </nav>
      )}
      <Announce
        text={page.value ? `${plural(page.value.jobs.length, "job")} on this page` : "Loading"}
      />
      {dialog}
    </div>
  );
}

function search(filter: Filter, cursor: string): URLSearchParams {
  const query = new URLSearchParams({ limit: String(PAGE) });
  for (const name of FILTERS)
    for (const value of filter[name].split(",")) if (value) query.append(name, value);
  if (cursor) query.set("cursor", cursor);
  return query;
}

function linkQuery(filter: Filter, cursor: string): URLSearchParams {
  const query = new URLSearchParams();
  for (const name of FILTERS) if (filter[name]) query.set(name, filter[name]);
  if (cursor) query.set("cursor", cursor);
  return query;
}

/** Look again when the live overview has changed, but not all the time. */
function useRefresh(reload: () => void, wanted: boolean) {
  const { overview } = useLive();
  const last = useRef(0);
  useEffect(() => {
    if (!wanted || overview === null) return;
    const wait = Math.max(0, last.current + REFRESH_MS - Date.now());
    const timer = setTimeout(() => {
      last.current = Date.now();
      reload();
    }, wait);
    return () => clearTimeout(timer);
  }, [overview, wanted, reload]);
}

function Filters({ filter, set }: { filter: Filter; set: (part: Partial<Filter>) => void }) {
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
      {FILTERS.some((name) => filter[name]) && <a href="#/jobs">Clear</a>}
    </form>
  );
}

interface ChoiceProps {
  name: string;
  value: string;
  options: string[];
  set: (value: string) => void;
}

function Choice({ name, value, options, set }: ChoiceProps) {
  const all = value && !options.includes(value) ? [value, ...options] : options;
  return (
    <label class="inline-field">
      {name}{" "}
      <select value={value} onChange={(event) => set(event.currentTarget.value)}>
        <option value="">any</option>
        {all.map((option) => (
          <option key={option} value={option}>
            {option}
          </option>
        ))}
      </select>
    </label>
  );
}

function Find() {
  const [wrong, setWrong] = useState(false);
  return (
    <form
      class="find"
      role="search"
      aria-label="Find a job"
      onSubmit={(event) => {
        event.preventDefault();
        const input = event.currentTarget.elements.namedItem("uuid") as HTMLInputElement;
        const uuid = input.value.trim().toLowerCase();
        if (UUID.test(uuid)) go(`/jobs/${uuid}`);
        else setWrong(true);
      }}
    >
      <label>
        <span class="hidden-text">Go to the job with the UUID</span>
        <input
          name="uuid"
          type="search"
          placeholder="Go to a UUID"
          autocomplete="off"
          spellcheck={false}
          aria-invalid={wrong}
          aria-describedby={wrong ? "find-wrong" : undefined}
          onInput={() => setWrong(false)}
        />
      </label>
      {wrong && (
        <span id="find-wrong" class="field-error" role="alert">
          That is no UUID.
        </span>
      )}
    </form>
  );
}

/** Whole sentences, so that nobody changes more than they thought. */
function told(filter: Filter, states: State[]): string {
  const parts = [`state ${states.join(" or ")}`];
  if (filter.type) parts.push(`type ${filter.type}`);
  if (filter.queue) parts.push(`queue ${filter.queue}`);
  return parts.join(", ");
}

function ByFilter({ filter, ask }: { filter: Filter; ask: (question: Question) => void }) {
  const chosen = filter.state.split(",").filter(Boolean) as State[];
  const finished = chosen.length > 0 ? chosen.filter(isFinished) : (["failed"] as State[]);
  const unfinished = (chosen.length > 0 ? chosen : STATES).filter((state) => !isFinished(state));
  const body = (states: State[]) => ({
    limit: MANY,
    filter: {
      state: states,
      ...(filter.type && { type: filter.type }),
      ...(filter.queue && { queue: filter.queue }),
    },
  });
  const change = async (path: string, states: State[], verb: string) => {
    const answer = await call<Changed>("POST", path, JSON.stringify(body(states)));
    return (
      <p>
        {plural(answer!.changed, "job")} {verb}.
        {answer!.more && " There are more: do it again for the next ones."}
      </p>
    );
  };
  return (
    <div class="actions">
      <button
        type="button"
        disabled={finished.length === 0}
        onClick={() =>
          ask({
            title: "Replay these jobs?",
            text: (
              <>
                <p>
                  Jobs with {told(filter, finished)} run again with fresh budgets, the newest{" "}
                  {MANY.toLocaleString("en")} at most.
                </p>
                {finished.includes("succeeded") && <p>What succeeded is done once more.</p>}
              </>
            ),
            action: "Replay",
            run: () => change("/v1/jobs:retry", finished, "replayed"),
          })
        }
      >
        Replay {chosen.length > 0 ? "matching" : "failed"}…
      </button>
      <button
        type="button"
        disabled={unfinished.length === 0}
        onClick={() =>
          ask({
            title: "Cancel these jobs?",
            text: (
              <p>
                Jobs with {told(filter, unfinished)} are cancelled, the newest{" "}
                {MANY.toLocaleString("en")} at most. Running ones get a moment to clean up.
              </p>
            ),
            action: "Cancel the jobs",
            danger: true,
            run: () => change("/v1/jobs:cancel", unfinished, "cancelled"),
          })
        }
      >
        Cancel {chosen.length > 0 ? "matching" : "unfinished"}…
      </button>
    </div>
  );
}

function Table({ jobs, filtered }: { jobs: Summary[]; filtered: boolean }) {
  const now = useNow(5000);
  if (jobs.length === 0)
    return filtered ? (
      <Empty>
        No job fits the filter. Finished jobs expire. <a href="#/jobs">Show all</a>
      </Empty>
    ) : (
      <Empty>
        No jobs yet. <a href="#/run">Run the first</a>
      </Empty>
    );
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Jobs">
      <table class="jobs">
        <thead>
          <tr>
            <th scope="col">Job</th>
            <th scope="col">State</th>
            <th scope="col" class="wide">
              UUID
            </th>
            <th scope="col" class="wide">
              Message
            </th>
            <th scope="col" class="wide">
              Queue
            </th>
            <th scope="col" class="num wide">
              Attempt
            </th>
            <th scope="col" class="num wide">
              Took
            </th>
            <th scope="col" class="num">
              Created
            </th>
          </tr>
        </thead>
        <tbody>
          {jobs.map((job) => (
            <tr key={job.uuid}>
              <th scope="row">
                <a href={`#/jobs/${job.uuid}`} aria-label={`${job.type} ${job.uuid}`}>
                  {job.type}
                </a>
                <span class="sub mono small-only">{job.uuid}</span>
              </th>
              <td>
                <Badge
                  state={job.state}
                  note={
                    isFinished(job.state) && ![200, 410, 500].includes(job.resultCode)
                      ? String(job.resultCode)
                      : ""
                  }
                />
              </td>
              <td class="wide mono muted nowrap">{job.uuid}</td>
              <td class="wide message">{job.message ?? ""}</td>
              <td class="wide">{job.queue}</td>
              <td class="num wide">{job.attempt || DASH}</td>
              <td class="num wide">
                {job.startedTime && job.finishedTime
                  ? duration(secondsBetween(job.startedTime, job.finishedTime))
                  : DASH}
              </td>
              <td class="num">
                <time
                  dateTime={job.createdTime}
                  title={new Date(job.createdTime).toLocaleString("en-GB")}
                >
                  {ago(job.createdTime, now)}
                </time>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
