// One job: where it stands, live; its attempts, log, parameters and output; what can be done with it.

import type { ComponentChildren } from "preact";
import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { readJob, readLine } from "./answers";
import { ApiError, call, follow } from "./api";
import { count, DASH, duration, fullTime, secondsBetween, time } from "./format";
import { go, jobsLink, useLoaded, useNow, useTitle, useVisible, useWorkersChanged } from "./hooks";
import { kindOf, members } from "./jsontext";
import { linesBefore, newest } from "./log";
import { plain } from "./schema";
import {
  type Attempt,
  isFinished,
  type Job,
  type JobType,
  type JsonText,
  type Line,
  type Progress,
} from "./types";
import {
  Announce,
  Badge,
  Empty,
  Json,
  type Question,
  Time,
  Title,
  Trouble,
  useQuestion,
} from "./ui";

/** Lines in the document; older ones are shown on demand. */
const SHOWN_LINES = 300;
const SHOWN_ATTEMPTS = 8;
const LEVELS = ["info", "warning", "error"];

export function JobView({ uuid }: { uuid: string }) {
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
      {now.state === "queued" && <Unserved job={now} />}
      <div class="job-grid">
        <div class="job-main">
          <Timeline job={now} />
          <Log job={now} lines={live.lines} cut={live.cut} />
        </div>
        <div class="job-side">
          <Facts job={now} />
          <section aria-labelledby="parameters">
            <h2 id="parameters">Parameters</h2>
            {members(now.parameters).length === 0 ? (
              <Empty>None.</Empty>
            ) : (
              <Json text={now.parameters} label="Parameters" />
            )}
          </section>
          <section aria-labelledby="output">
            <h2 id="output">Output</h2>
            {!isFinished(now.state) ? (
              <Empty>Not there yet.</Empty>
            ) : isEmpty(now.data) ? (
              <Empty>None.</Empty>
            ) : (
              <Json text={now.data!} label="Output" />
            )}
          </section>
          {!isEmpty(now.jobState) && (
            <section aria-labelledby="saved">
              <h2 id="saved">State kept between attempts</h2>
              <Json text={now.jobState!} label="State" />
            </section>
          )}
        </div>
      </div>
      {dialog}
    </div>
  );
}

const isEmpty = (value: JsonText | undefined) => value === undefined || value === "null";

/** Why a job may wait for long: no living worker runs its type. */
function Unserved({ job }: { job: Job }) {
  const type = useLoaded<JobType>(`/v1/types/${encodeURIComponent(job.type)}`);
  useWorkersChanged(type.reload);
  if (type.value?.served !== false) return null;
  return (
    <p class="notice" role="status">
      No running worker knows {job.type}. The job waits in queue {job.queue} until one starts.
    </p>
  );
}

interface Followed {
  progress: Partial<Progress>;
  /** The newest lines, and whether there were older ones. */
  lines: Line[];
  cut: boolean;
  trouble: ApiError | null;
  again: () => void;
}

/** Follow a job to its end; the document is read again whenever its state has moved. */
function useFollowed(uuid: string, known: Job | null, reload: () => void): Followed {
  const [progress, setProgress] = useState<Partial<Progress>>({});
  const [lines, setLines] = useState<Line[]>([]);
  const [cut, setCut] = useState(false);
  const [trouble, setTrouble] = useState<ApiError | null>(null);
  const [round, setRound] = useState(0);
  const visible = useVisible();
  const seen = useRef("");
  useEffect(() => {
    if (!visible) return;
    const ended = new AbortController();
    let waiting: Line[] = [];
    let timer = 0;
    let first = true;
    const show = () => {
      timer = 0;
      const fresh = waiting;
      const start = first;
      waiting = [];
      first = false;
      setLines((before) => {
        const all = [...(start ? [] : before), ...fresh];
        const kept = newest(all);
        if (kept.length < all.length) setCut(true);
        return kept;
      });
    };
    void follow(
      `/v1/jobs/${encodeURIComponent(uuid)}/stream`,
      ended.signal,
      ({ event, data }) => {
        if (event === "log") {
          // A job may write thousands of lines: they are shown together, not one by one.
          waiting.push(readLine(data));
          timer ||= window.setTimeout(show, 100);
          return true;
        }
        const told: Progress = JSON.parse(data);
        setProgress(told);
        setTrouble(null);
        const mark = `${told.state} ${told.attempt} ${told.resultCode}`;
        if (mark !== seen.current) {
          seen.current = mark;
          reload();
        }
        return event !== "end";
      },
      (_, error) => setTrouble(error ?? null),
    );
    return () => {
      ended.abort();
      clearTimeout(timer);
    };
  }, [uuid, visible, round, reload]);
  useEffect(() => {
    setProgress({});
    setLines([]);
    setCut(false);
    seen.current = "";
  }, [uuid]);
  const same = known !== null && progress.state !== undefined;
  return {
    progress: same ? progress : {},
    lines,
    cut,
    trouble,
    again: () => setRound((before) => before + 1),
  };
}

function Head({
  job,
  ask,
  again,
}: {
  job: Job;
  ask: (question: Question) => void;
  again: () => void;
}) {
  const done = isFinished(job.state);
  const percent = Math.floor(job.completeness * 100);
  const change = async (path: string) => {
    await call("POST", `/v1/jobs/${job.uuid}/${path}`);
    again();
  };
  return (
    <header class="job-head">
      <p class="crumbs">
        <a href="#/jobs">Jobs</a> / <a href={jobsLink({ type: job.type })}>{job.type}</a>
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
                  title: "Run this job again?",
                  text: (
                    <p>
                      It keeps its UUID and parameters and gets fresh budgets. Its output is written
                      anew.
                    </p>
                  ),
                  action: "Run again",
                  run: () => change("retry"),
                })
              }
            >
              Retry…
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
                  title: "Forget this job?",
                  text: (
                    <p>
                      Its record, log, parameters and output are removed. Nothing brings them back.
                    </p>
                  ),
                  action: "Forget it",
                  danger: true,
                  run: async () => {
                    await call("DELETE", `/v1/jobs/${job.uuid}`);
                    go("/jobs");
                  },
                })
              }
            >
              Forget…
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

function Facts({ job }: { job: Job }) {
  const now = useNow();
  const end = job.finishedTime ?? now;
  const limits = job.limits;
  const facts: [string, ComponentChildren][] = [
    ["Queue", <a href={jobsLink({ queue: job.queue })}>{job.queue}</a>],
    ["Priority", `${job.priority} (0 first, 9 last)`],
    ["Created", <Time value={job.createdTime} />],
    ["Started", <Time value={job.startedTime} />],
    ["Finished", <Time value={job.finishedTime} />],
    ["Waited", job.startedTime ? duration(secondsBetween(job.createdTime, job.startedTime)) : DASH],
    ["Took", job.startedTime ? duration(secondsBetween(job.startedTime, end)) : DASH],
    ["Errors", `${count(job.errors)} of ${count(limits.maxErrors)}`],
    ["Crashes", `${count(job.crashes)} of ${count(limits.maxCrashes)}`],
  ];
  if (job.notBeforeTime && !isFinished(job.state))
    facts.splice(3, 0, ["Not before", <Time value={job.notBeforeTime} />]);
  if (limits.timeoutSeconds) facts.push(["Timeout", duration(limits.timeoutSeconds)]);
  if (job.continuations) facts.push(["Continued", count(job.continuations)]);
  if (job.replays) facts.push(["Replayed", count(job.replays)]);
  return (
    <section aria-labelledby="facts">
      <h2 id="facts" class="hidden-text">
        Facts
      </h2>
      <dl class="facts">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

const CAUSE_STATE: Record<string, string> = {
  succeeded: "succeeded",
  finished: "succeeded",
  continued: "waiting",
  interrupted: "waiting",
  cancelled: "cancelled",
};

function Timeline({ job }: { job: Job }) {
  const now = useNow();
  const [all, setAll] = useState(false);
  const shown = all ? job.attempts : job.attempts.slice(-SHOWN_ATTEMPTS);
  const hidden = job.attempts.length - shown.length;
  const begin = Date.parse(hidden > 0 ? shown[0]!.startedTime : job.createdTime);
  const end = job.finishedTime ? Date.parse(job.finishedTime) : now;
  const span = Math.max(1, end - begin);
  const place = (text: string | undefined) =>
    (100 * ((text ? Date.parse(text) : now) - begin)) / span;
  return (
    <section aria-labelledby="attempts">
      <h2 id="attempts">Attempts</h2>
      {job.attempts.length === 0 && <Empty>None yet: the job waits for a worker.</Empty>}
      {hidden > 0 && (
        <button type="button" class="link" onClick={() => setAll(true)}>
          Show {hidden} earlier
        </button>
      )}
      <ol class="timeline">
        {shown.map((attempt) => (
          <AttemptRow
            key={attempt.number}
            attempt={attempt}
            from={place(attempt.startedTime)}
            to={place(attempt.endedTime)}
            now={now}
          />
        ))}
      </ol>
      {shown.length > 0 && (
        <p class="timeline-scale">
          <span>
            {hidden > 0 ? time(shown[0]!.startedTime) : `created ${time(job.createdTime)}`}
          </span>
          <span>{duration(span / 1000)}</span>
          <span>{job.finishedTime ? `finished ${time(job.finishedTime)}` : "now"}</span>
        </p>
      )}
    </section>
  );
}

function AttemptRow({
  attempt,
  from,
  to,
  now,
}: {
  attempt: Attempt;
  from: number;
  to: number;
  now: number;
}) {
  const kind = attempt.cause === undefined ? "running" : (CAUSE_STATE[attempt.cause] ?? "failed");
  const took = secondsBetween(attempt.startedTime, attempt.endedTime ?? now);
  const { worker } = attempt;
  return (
    <li>
      <p class="attempt-line">
        <b>#{attempt.number}</b>
        <Badge state={kind === "running" ? "running" : kind} note="" />
        {attempt.cause && attempt.cause !== kind && <span>{words(attempt.cause)}</span>}
        <span class="muted">
          {time(attempt.startedTime)} · {duration(took)} ·{" "}
          <span title={worker.image}>{worker.pod ?? worker.name}</span>
          {worker.node && ` on ${worker.node}`}
        </span>
      </p>
      <svg class="attempt-bar" width="100%" height="8" aria-hidden="true">
        <rect class="track" width="100%" height="8" rx="2" />
        <rect
          class={`fill-${kind}`}
          x={`${from}%`}
          width={`${Math.max(0.6, to - from)}%`}
          height="8"
          rx="2"
        />
      </svg>
      {attempt.message && <p class="attempt-message">{attempt.message}</p>}
    </li>
  );
}

/** Short values beside the line; a text of several lines, e.g. a traceback, is opened when wanted. */
function LineData({ data }: { data: JsonText }) {
  const shown: [string, JsonText][] = kindOf(data) === "object" ? members(data) : [["data", data]];
  return (
    <>
      {shown.map(([name, value]) =>
        plain(value).includes("\n") ? (
          <details key={name}>
            <summary>{name}</summary>
            <pre tabIndex={0}>{plain(value)}</pre>
          </details>
        ) : (
          <code key={name}>
            {" "}
            {name}={plain(value)}
          </code>
        ),
      )}
    </>
  );
}

/** `outOfMemory` → `out of memory` */
const words = (text: string) => text.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);

interface Earlier {
  lines: Line[];
  more: boolean;
  loading: boolean;
  error: ApiError | null;
  load: () => Promise<void>;
}

/** The lines before those that are followed, loaded when a person asks for them. */
function useEarlier(job: Job, live: Line[], cut: boolean): Earlier {
  const [loaded, setLoaded] = useState<Line[]>([]);
  const [before, setBefore] = useState("");
  const [exhausted, setExhausted] = useState("");
  const [loading, setLoading] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const place = (line: Line | undefined) => (line ? `${job.uuid} ${line.attempt}-${line.seq}` : "");
  // Once the oldest of the followed lines are dropped, the loaded ones do not join them any more.
  const lines = before === place(live[0]) ? loaded : [];
  const first = lines[0] ?? live[0];
  const oldest = job.attempts[0]?.number ?? 1;
  const load = async () => {
    if (first === undefined || loading) return;
    setLoading(true);
    try {
      const found = await linesBefore(job.uuid, first, oldest);
      setLoaded([...found, ...lines]);
      setBefore(place(live[0]));
      setExhausted(found.length === 0 ? place(first) : "");
      setError(null);
    } catch (failure) {
      setError(
        failure instanceof ApiError ? failure : new ApiError(0, "the lines could not be read"),
      );
    }
    setLoading(false);
  };
  const more =
    cut &&
    first !== undefined &&
    (first.seq > 0 || first.attempt > oldest) &&
    exhausted !== place(first);
  return { lines, more, loading, error, load };
}

/** So close to the end, in pixels, a reader follows what is written. */
const FOLLOWING = 30;

/**
 * Where a reader is in the log: at its end, or at a line, which stays where it is on the screen while
 * others are added or dropped before it. Not every browser does that, and none at the very top.
 */
function usePlace(changed: unknown[]) {
  const box = useRef<HTMLDivElement>(null);
  const line = useRef<{ id: string; offset: number } | null>(null);
  const note = () => {
    const { scrollHeight, scrollTop, clientHeight } = box.current!;
    const items = [...box.current!.querySelectorAll("li")];
    const top = items[0]?.offsetTop ?? 0;
    const first = items.find((item) => item.offsetTop - top + item.offsetHeight > scrollTop);
    const follows = scrollHeight - scrollTop - clientHeight < FOLLOWING;
    line.current =
      follows || !first ? null : { id: first.id, offset: first.offsetTop - top - scrollTop };
  };
  useLayoutEffect(() => {
    const list = box.current;
    if (list === null) return;
    if (line.current === null) {
      list.scrollTop = list.scrollHeight;
      return;
    }
    const item = document.getElementById(line.current.id);
    const top = list.querySelector("li")?.offsetTop ?? 0;
    if (item) list.scrollTop = item.offsetTop - top - line.current.offset;
  }, changed);
  return { box, note };
}

function Log({ job, lines: live, cut }: { job: Job; lines: Line[]; cut: boolean }) {
  const { attempt: attempts, state } = job;
  const finished = isFinished(state);
  const [level, setLevel] = useState("info");
  const [shown, setShown] = useState(SHOWN_LINES);
  const earlier = useEarlier(job, live, cut);
  const lines = [...earlier.lines, ...live];
  const wanted = lines.filter((line) => LEVELS.indexOf(line.level) >= LEVELS.indexOf(level));
  const part = wanted.slice(-shown);
  const showEarlier = () => {
    setShown(shown + 1000);
    if (wanted.length - part.length < 1000) void earlier.load();
  };
  const place = usePlace([live, level, part.length, part[0]]);
  return (
    <section aria-labelledby="log">
      <div class="h-row">
        <h2 id="log">
          Log{" "}
          <span class="h-note">
            {lines.length > 0 && `${earlier.more ? "newest " : ""}${count(lines.length)}`}
          </span>
        </h2>
        {lines.length > 0 && (
          <label class="inline-field">
            From{" "}
            <select value={level} onChange={(event) => setLevel(event.currentTarget.value)}>
              {LEVELS.map((item) => (
                <option key={item}>{item}</option>
              ))}
            </select>
          </label>
        )}
      </div>
      {wanted.length === 0 && (
        <Empty>
          {lines.length > 0
            ? "No line of this level."
            : finished
              ? "It wrote nothing."
              : "Nothing yet."}
        </Empty>
      )}
      {(wanted.length > part.length || earlier.more) && (
        <button type="button" class="link" disabled={earlier.loading} onClick={showEarlier}>
          {earlier.loading ? "Loading…" : "Show earlier"}
        </button>
      )}
      {earlier.error && <Trouble error={earlier.error} retry={earlier.load} />}
      {part.length > 0 && (
        <div
          ref={place.box}
          class="log"
          tabIndex={0}
          role="log"
          aria-labelledby="log"
          aria-live="off"
          onScroll={place.note}
        >
          <ol>
            {part.map((line) => (
              <li
                key={`${line.attempt}-${line.seq}`}
                id={`line-${line.attempt}-${line.seq}`}
                class={`log-${line.level}`}
              >
                <time dateTime={line.time} title={fullTime(line.time)}>
                  {time(line.time)}
                </time>
                <span class="log-level">
                  {attempts > 1 ? `#${line.attempt} ${line.level}` : line.level}
                </span>
                <span class="log-text">
                  {line.message}
                  {line.data !== undefined && <LineData data={line.data} />}
                </span>
              </li>
            ))}
          </ol>
        </div>
      )}
    </section>
  );
}
