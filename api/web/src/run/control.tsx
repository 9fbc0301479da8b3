// What a person types into, by the kind of the field.

import { type Field, isPicked, plain } from "../schema";
import { DateField } from "./datefield";
import { FileField } from "./file";
import { NUMERIC } from "./numeric";

export interface Shared {
  id: string;
  "aria-describedby": string | undefined;
  "aria-invalid": boolean;
  "aria-required": boolean;
  /** What holds while the field is empty. */
  placeholder: string | undefined;
  onBlur: () => void;
}

export interface ControlProps {
  field: Field;
  value: string;
  set: (text: string) => void;
  /** Attributes that all controls have. */
  shared: Shared;
}

export function Control({ field, value, set, shared }: ControlProps) {
  switch (field.kind) {
    case "choice":
      return (
        <select {...shared} value={value} onChange={(event) => set(event.currentTarget.value)}>
          {(!field.required || value === "") && (
            <option value="">{shared.placeholder ? `– (${shared.placeholder})` : "–"}</option>
          )}
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
      if (isPicked(field))
        return <DateField field={field} value={value} set={set} shared={shared} />;
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
