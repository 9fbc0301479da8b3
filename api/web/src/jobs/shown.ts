// What the list shows of a job, and which jobs of a page hold a text. Pure.

import { secondsBetween } from "../format";
import type { Summary } from "../types";

/** Whether a job of the page holds a text that was typed. */
export function holdsText(job: Summary, text: string): boolean {
  const sought = text.trim().toLowerCase();
  const labels = Object.entries(job.labels ?? {}).map(([key, value]) => `${key}=${value}`);
  const words = [job.uuid, job.type, job.queue, job.message ?? "", String(job.resultCode)];
  return [...words, ...labels].some((word) => word.toLowerCase().includes(sought));
}

/** How long a job waited for its first start, or waits; null: that is not known. */
export function waitedSeconds(job: Summary, now: number): number | null {
  if (job.replays) return null;
  return secondsBetween(job.createdTime, job.startedTime ?? job.finishedTime ?? now);
}

/** How long a job took from its first start; pauses between attempts are in it. */
export function ranSeconds(job: Summary, now: number): number | null {
  if (!job.startedTime || job.replays) return null;
  return secondsBetween(job.startedTime, job.finishedTime ?? now);
}

/** When a job that waits is due, if that is still to come. */
export const dueTime = (job: Summary, now: number): string | null =>
  job.notBeforeTime !== undefined && Date.parse(job.notBeforeTime) > now ? job.notBeforeTime : null;
