// Why a job was not sent, or not accepted. What belongs to a field is shown there.

import type { Ref } from "preact";
import type { Fault } from "../types";
import { Faults, sentence } from "../ui";

interface Props {
  trouble: Error | null;
  /** Faults that have a field, and those that have none. */
  placed: number;
  unplaced: Fault[];
  place: Ref<HTMLDivElement>;
}

export function Problems({ trouble, placed, unplaced, place }: Props) {
  return (
    <div class="trouble" role="alert" tabIndex={-1} ref={place}>
      {trouble && <p>{sentence(trouble.message)}</p>}
      {placed > 0 && (
        <p>{placed === 1 ? "One field does" : `${placed} fields do`} not fit: see below.</p>
      )}
      <Faults faults={unplaced} />
    </div>
  );
}
