// When a job waited and when it ran, on a line from 0 to 100. Pure.

import type { Attempt, Job } from "../types";

/** From here to there, in per cent of the line. */
export interface Part {
  from: number;
  to: number;
}

export interface Row {
  attempt: Attempt;
  waited: number;
  ran: number;
  wait: Part;
  run: Part;
}

export interface Spans {
  rows: Row[];
  /** Since the last attempt, or since the job was created; null: it does not wait. */
  waits: { seconds: number; part: Part } | null;
  /** What the line stands for. */
  seconds: number;
}

type Times = Pick<Job, "attempts" | "createdTime" | "finishedTime">;

/** Place the attempts from `skipped` on. The line begins with the wait for the first of them. */
export function spansOf(job: Times, skipped: number, now: number): Spans {
  const { attempts } = job;
  const shown = attempts.slice(skipped);
  const ended = (index: number) => timeOf(attempts[index]?.endedTime) ?? now;
  const begin = skipped > 0 ? ended(skipped - 1) : Date.parse(job.createdTime);
  const end = Math.max(begin + 1, timeOf(job.finishedTime) ?? now);
  const part = (from: number, to: number): Part => ({
    from: percent(from - begin, end - begin),
    to: percent(to - begin, end - begin),
  });
  let last = begin;
  const rows = shown.map((attempt, index): Row => {
    const [start, stop] = [Date.parse(attempt.startedTime), ended(skipped + index)];
    const row = {
      attempt,
      waited: seconds(last, start),
      ran: seconds(start, stop),
      wait: part(last, start),
      run: part(start, stop),
    };
    last = stop;
    return row;
  });
  const isOver = job.finishedTime !== undefined || isRunning(attempts.at(-1));
  const waits = isOver ? null : { seconds: seconds(last, now), part: part(last, now) };
  return { rows, waits, seconds: seconds(begin, end) };
}

/** How long a job ran in all its attempts, and how long it did not run until its end, or until now. */
export function totals(job: Times, now: number): { waited: number; ran: number } {
  const spans = spansOf(job, 0, now);
  const ran = spans.rows.reduce((sum, row) => sum + row.ran, 0);
  return { ran, waited: Math.max(0, spans.seconds - ran) };
}

const isRunning = (attempt: Attempt | undefined): boolean =>
  attempt !== undefined && attempt.endedTime === undefined;

const timeOf = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : Date.parse(text);

const seconds = (from: number, to: number): number => Math.max(0, (to - from) / 1000);

const percent = (part: number, whole: number): number =>
  Math.min(100, Math.max(0, (100 * part) / whole));
