// The fields of a form, those of a group inside its frame.

import { type Field, labelOf, owns, type Values } from "../schema";
import type { Fault } from "../types";
import { OneField } from "./field";

interface FieldsProps {
  fields: Field[];
  values: Values;
  faults: Fault[];
  set: (path: string, text: string) => void;
  leave: (path: string) => void;
}

export function Fields({ fields, values, faults, set, leave }: FieldsProps) {
  return (
    <>
      {fields.map((field) =>
        field.kind === "group" ? (
          <fieldset key={field.path} class="group">
            <legend>{labelOf(field)}</legend>
            <Fields fields={field.fields} values={values} faults={faults} set={set} leave={leave} />
          </fieldset>
        ) : (
          <OneField
            key={field.path}
            field={field}
            value={values[field.path] ?? ""}
            wrong={faults.filter((fault) => owns(field, fault.path)).map((fault) => fault.message)}
            set={(text) => set(field.path, text)}
            leave={() => leave(field.path)}
          />
        ),
      )}
    </>
  );
}
