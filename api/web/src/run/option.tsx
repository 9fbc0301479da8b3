// An option of a submission: a number with a hint.

import { useId } from "preact/hooks";
import { NUMERIC } from "./numeric";

export function Option({
  label,
  hint,
  value,
  set,
}: {
  label: string;
  hint: string;
  value: string;
  set: (text: string) => void;
}) {
  const id = useId();
  return (
    <div class="field">
      <label class="field-name" for={id}>
        {label}
      </label>
      <input
        id={id}
        {...NUMERIC}
        value={value}
        aria-describedby={`${id}-hint`}
        onInput={(event) => set(event.currentTarget.value)}
      />
      <span class="field-hint" id={`${id}-hint`}>
        {hint}
      </span>
    </div>
  );
}
