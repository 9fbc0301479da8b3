// Says that a job waits because its queue is paused.

import { time } from "../format";
import { useLive } from "../hooks";
import type { Job } from "../types";

export function Paused({ job }: { job: Job }) {
  const { overview } = useLive();
  const held = overview?.queues.find((queue) => queue.name === job.queue)?.paused;
  if (!held) return null;
  return (
    <p class="notice" role="status">
      The queue {job.queue} is paused{held.since && ` since ${time(held.since)}`}
      {held.by && ` by ${held.by}`}
      {held.reason && `: ${held.reason}`}. The job waits until it is resumed.
    </p>
  );
}
