// A field with its label, its hints and what is wrong with it.

import { useId } from "preact/hooks";
import { type Field, hintOf, labelOf } from "../schema";
import { sentence } from "../ui";
import { Control } from "./control";

interface OneProps {
  field: Field;
  value: string;
  wrong: string[];
  set: (text: string) => void;
}

export function OneField({ field, value, wrong, set }: OneProps) {
  const id = useId();
  const hint = hintOf(field);
  const about = [
    field.schema.description && `${id}-about`,
    hint && `${id}-hint`,
    wrong.length && `${id}-wrong`,
  ];
  const shared = {
    id,
    "aria-describedby": about.filter(Boolean).join(" ") || undefined,
    "aria-invalid": wrong.length > 0,
    "aria-required": field.required,
  };
  const boolean = field.kind === "boolean";
  return (
    <div class={boolean ? "field field-switch" : "field"}>
      {boolean && (
        <input
          {...shared}
          type="checkbox"
          checked={value === "true"}
          onChange={(event) => set(String(event.currentTarget.checked))}
        />
      )}
      <label class="field-name" for={id}>
        {labelOf(field)}
        {!field.required && !boolean && <span class="optional"> optional</span>}
      </label>
      {field.schema.description && (
        <span class="field-hint" id={`${id}-about`}>
          {field.schema.description}
        </span>
      )}
      {!boolean && <Control field={field} value={value} set={set} shared={shared} />}
      {hint && (
        <span class="field-hint" id={`${id}-hint`}>
          {hint}
        </span>
      )}
      {wrong.length > 0 && (
        <span class="field-error" id={`${id}-wrong`}>
          {wrong.map(sentence).join(" ")}
        </span>
      )}
    </div>
  );
}
