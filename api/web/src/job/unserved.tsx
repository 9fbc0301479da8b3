// Says why a job may wait for long.

import { useLoaded, useWorkersChanged } from "../hooks";
import type { Job, JobType } from "../types";

/** Why a job may wait for long: no living worker runs its type. */
export function Unserved({ job }: { job: Job }) {
  const type = useLoaded<JobType>(`/v1/types/${encodeURIComponent(job.type)}`);
  useWorkersChanged(type.reload);
  if (type.value?.served !== false) return null;
  return (
    <p class="notice" role="status">
      No running worker knows {job.type}. The job waits in queue {job.queue} until one starts.
    </p>
  );
}
