// What a job was given, and below it, greyed, the defaults that it got for the rest.

import { readType } from "../answers";
import { useLoaded } from "../hooks";
import { Json } from "../json";
import { members } from "../jsontext";
import { GivenList } from "../run/effective";
import { givenOf } from "../run/given";
import { fieldsOf } from "../schema";
import type { Job } from "../types";
import { Empty } from "../ui";

export function Parameters({ job }: { job: Job }) {
  const type = useLoaded(`/v1/types/${encodeURIComponent(job.type)}`, readType);
  // Another version may have other defaults.
  const isOfJob = type.value?.schemaHash === job.schemaHash;
  const sent = new Set(members(job.parameters).map(([name]) => name));
  const fields = isOfJob ? fieldsOf(type.value!.schema) : [];
  const left = givenOf(fields, job.parameters).filter((given) => !sent.has(given.name));
  return (
    <section aria-labelledby="parameters">
      <h2 id="parameters">Parameters</h2>
      {sent.size === 0 ? (
        <Empty>{left.length > 0 ? "None given." : "None."}</Empty>
      ) : (
        <Json text={job.parameters} label="Parameters" file={`${job.uuid}-parameters.json`} />
      )}
      {left.length > 0 && (
        <div class="effective">
          <GivenList given={left} />
        </div>
      )}
    </section>
  );
}
