// What the job will get: what was typed, and the defaults, greyed, for the rest.

import { parametersOf, type Field, type Values } from "../schema";
import { members } from "../jsontext";

export function Effective({ fields, values }: { fields: Field[]; values: Values }) {
  const sent = new Map(members(parametersOf(fields, values).parameters));
  return (
    <details class="effective">
      <summary>What the job gets</summary>
      <dl>
        {fields.map((field) => {
          const { default: usual } = field.schema;
          const text = sent.get(field.name) ?? usual;
          const isDefault = text === undefined || text === usual;
          return (
            <div key={field.path} class={isDefault ? "is-default" : ""}>
              <dt class="mono">{field.name}</dt>
              <dd class="mono">
                {text ?? "left out"}
                {isDefault && text !== undefined && " (default)"}
              </dd>
            </div>
          );
        })}
      </dl>
    </details>
  );
}
