// One call of the API, with a form that makes it.

import { useState } from "preact/hooks";
import { useAnswer } from "./answer";
import { type Call, type Parameter, requestFor } from "./specification";

export function CallBlock({ call }: { call: Call }) {
  const [values, setValues] = useState<string[]>(() => call.parameters.map(() => ""));
  const [body, setBody] = useState("{}");
  const [answer, send] = useAnswer();
  const submit = () => {
    const { path, options } = requestFor(call, values, body);
    void send(path, options);
  };
  return (
    <details class="call">
      <summary>
        <span class={`method method-${call.method}`}>{call.method.toUpperCase()}</span>
        <code>{call.path}</code>
        <span class="call-text">{call.summary}</span>
      </summary>
      <div class="call-body">
        {call.parameters.map((parameter, index) => (
          <label key={`${parameter.in} ${parameter.name}`} class="field">
            <span class="field-name">{nameOf(parameter)}</span>
            <input
              autocomplete="off"
              spellcheck={false}
              required={parameter.required}
              value={values[index]}
              onInput={(event) => setValues(values.with(index, event.currentTarget.value))}
            />
            {parameter.description && <span class="field-hint">{parameter.description}</span>}
          </label>
        ))}
        {call.hasBody && (
          <label class="field">
            <span class="field-name">body (JSON)</span>
            <textarea
              class="mono"
              rows={4}
              spellcheck={false}
              value={body}
              onInput={(event) => setBody(event.currentTarget.value)}
            />
          </label>
        )}
        <p class="muted">Answers: {call.answers.join(", ")}</p>
        <button type="button" class="primary" onClick={submit}>
          Send
        </button>
        <pre role="status" tabIndex={0} hidden={answer === null}>
          {answer}
        </pre>
      </div>
    </details>
  );
}

const nameOf = ({ name, in: where, required }: Parameter): string =>
  `${name} (${where}${required ? ", required" : ""})`;
