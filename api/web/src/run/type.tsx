// The form of one job type, empty or like a job's parameters.

import { readJob, readType } from "../answers";
import { useLoaded, useTitle, useWorkersChanged } from "../hooks";
import { Title, Trouble } from "../ui";
import { TypeForm } from "./form";

export function RunType({ name, like }: { name: string; like: string | null }) {
  useTitle(`Run ${name}`);
  const type = useLoaded(`/v1/types/${encodeURIComponent(name)}`, readType);
  useWorkersChanged(type.reload);
  const job = useLoaded(like === null ? null : `/v1/jobs/${encodeURIComponent(like)}`, readJob);
  return (
    <div class="view narrow">
      <p class="crumbs">
        <a href="#/run">Run a job</a> / {name}
      </p>
      <Title>{name}</Title>
      {type.error && <Trouble error={type.error} retry={type.reload} />}
      {job.error && <Trouble error={job.error} retry={job.reload} />}
      {type.value?.served === false && (
        <p class="notice" role="status">
          No running worker knows this type. A job of it waits in queue {type.value.queue} until one
          starts.
        </p>
      )}
      {type.value && (like === null || job.value) && (
        <TypeForm type={type.value} given={job.value?.parameters} />
      )}
    </div>
  );
}
