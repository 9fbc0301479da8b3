// What a job gets for its parameters, with the defaults greyed.

import { parametersOf, type Field, type Values } from "../schema";
import { type Given, givenOf } from "./given";

export function Effective({ fields, values }: { fields: Field[]; values: Values }) {
  return (
    <details class="effective">
      <summary>What the job gets</summary>
      <GivenList given={givenOf(fields, parametersOf(fields, values).parameters)} />
    </details>
  );
}

export function GivenList({ given }: { given: Given[] }) {
  return (
    <dl>
      {given.map(({ name, text, isDefault }) => (
        <div key={name} class={isDefault ? "is-default" : ""}>
          <dt class="mono">{name}</dt>
          <dd class="mono">
            {text ?? "left out"}
            {isDefault && text !== undefined && " (default)"}
          </dd>
        </div>
      ))}
    </dl>
  );
}
