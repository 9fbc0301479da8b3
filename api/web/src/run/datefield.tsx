// Fields for dates and times: the browser's own pickers. What they cannot hold is typed as text.

import type { ControlProps } from "./control";
import { fromLocal, isDate, toLocal, zoneName } from "./moment";

export function DateField({ field, value, set, shared }: ControlProps) {
  if (field.schema.format === "date" && isDate(value))
    return (
      <input
        {...shared}
        type="date"
        value={value}
        onInput={(event) => set(event.currentTarget.value)}
      />
    );
  const local = field.schema.format === "date-time" ? toLocal(value) : null;
  if (local !== null)
    return (
      <>
        <input
          {...shared}
          type="datetime-local"
          step="1"
          value={local}
          onInput={(event) => set(fromLocal(event.currentTarget.value))}
        />
        <span class="field-hint">
          Your time zone, {zoneName()}
          {value && <>: sent as {value}</>}
        </span>
      </>
    );
  return (
    <input
      {...shared}
      type="text"
      value={value}
      onInput={(event) => set(event.currentTarget.value)}
    />
  );
}
