// A field with its label, its hints and what is wrong with it. A default is grey until it is changed.

import { useId } from "preact/hooks";
import { type Field, hintOf, labelOf, plain, textOf } from "../schema";
import { sentence } from "../ui";
import { Control, type Shared } from "./control";

interface OneProps {
  field: Field;
  value: string;
  wrong: string[];
  set: (text: string) => void;
  /** The person is done with it for now. */
  leave: () => void;
}

export function OneField({ field, value, wrong, set, leave }: OneProps) {
  const id = useId();
  const hint = hintOf(field);
  const { default: usual, description } = field.schema;
  const usualText = usual === undefined ? "" : textOf(field, usual);
  const isDefault = usualText !== "" && value === usualText;
  const about = [description && `${id}-about`, hint && `${id}-hint`, wrong.length && `${id}-wrong`];
  const shared: Shared = {
    id,
    "aria-describedby": about.filter(Boolean).join(" ") || undefined,
    "aria-invalid": wrong.length > 0,
    "aria-required": field.required,
    placeholder: usualText === "" ? undefined : plain(usual!),
    onBlur: leave,
  };
  const boolean = field.kind === "boolean";
  return (
    <div class={`field${boolean ? " field-switch" : ""}${isDefault ? " is-default" : ""}`}>
      {boolean && (
        <input
          {...shared}
          type="checkbox"
          checked={value === "true"}
          onChange={(event) => set(String(event.currentTarget.checked))}
        />
      )}
      <div class="field-head">
        <label class="field-name" for={id}>
          {labelOf(field)}
          {!field.required && !boolean && <span class="optional"> optional</span>}
        </label>
        {isDefault && !boolean && <span class="optional">default</span>}
        {usualText !== "" && !isDefault && (
          <button type="button" class="link" onClick={() => set(usualText)}>
            Default
          </button>
        )}
      </div>
      {description && (
        <span class="field-hint" id={`${id}-about`}>
          {description}
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
