// What a person types into, by the kind of the field.

import { type Field, plain } from "../schema";
import { FileField } from "./file";
import { NUMERIC } from "./numeric";

export interface ControlProps {
  field: Field;
  value: string;
  set: (text: string) => void;
  shared: Record<string, unknown>;
}

export function Control({ field, value, set, shared }: ControlProps) {
  switch (field.kind) {
    case "choice":
      return (
        <select {...shared} value={value} onChange={(event) => set(event.currentTarget.value)}>
          {(!field.required || value === "") && <option value="">–</option>}
          {field.schema.enum!.map((item) => (
            <option key={item} value={item}>
              {plain(item)}
            </option>
          ))}
        </select>
      );
    case "integer":
    case "number":
      return (
        <input
          {...shared}
          {...NUMERIC}
          value={value}
          onInput={(event) => set(event.currentTarget.value)}
        />
      );
    case "file":
      return <FileField value={value} set={set} shared={shared} />;
    case "list":
    case "json":
      return (
        <textarea
          {...shared}
          class="mono grow"
          rows={3}
          spellcheck={false}
          value={value}
          onInput={(event) => set(event.currentTarget.value)}
        />
      );
    default:
      return (
        <textarea
          {...shared}
          class="grow"
          rows={1}
          value={value}
          onInput={(event) => set(event.currentTarget.value)}
        />
      );
  }
}
