// The form of a job type: its parameters, its options, and what became of sending it.

import { useMemo, useState } from "preact/hooks";
import { duration, plural } from "../format";
import { indent } from "../jsontext";
import { fieldsOf, hasField, holds, parametersOf, type Values, valuesOf } from "../schema";
import type { JobType, JsonText } from "../types";
import { Empty, sentence } from "../ui";
import { Effective } from "./effective";
import { Fields } from "./fields";
import { useLeft } from "./left";
import { Option } from "./option";
import { Problems } from "./problems";
import { type Options, useSubmission } from "./submission";
import { fieldsFrom, type Raw, readTyped } from "./typed";

interface Props {
  type: JobType;
  given: JsonText | undefined;
}

export function TypeForm({ type, given }: Props) {
  const fields = useMemo(() => fieldsOf(type.schema), [type]);
  const [values, setValues] = useState<Values>(() => valuesOf(fields, given));
  const [raw, setRaw] = useState<Raw>(() =>
    given === undefined || holds(fields, given) ? null : indent(given),
  );
  const [options, setOptions] = useState<Options>({ priority: "", delay: "", timeout: "" });
  const { faults, trouble, busy, accepted, summary, show, clear, forgive, send } = useSubmission(
    type.name,
  );
  const [left, leave] = useLeft();
  // What was typed wrongly is said when the field is left. What is missing waits until it is sent.
  const typed = parametersOf(fields, values).mistakes.filter(
    ({ path }) => left.has(path) && values[path],
  );
  const told = faults.filter((fault) => !typed.some(({ path }) => path === fault.path));
  const set = (path: string, text: string) => {
    setValues((before) => ({ ...before, [path]: text }));
    // The answer was about another value.
    forgive((fault) => fault.path === path || fault.path.startsWith(`${path}[`));
  };
  const switchForm = () => {
    clear();
    if (raw === null) {
      setRaw(indent(parametersOf(fields, values).parameters));
      return;
    }
    try {
      setValues(fieldsFrom(fields, raw));
      setRaw(null);
    } catch (error) {
      show([], error as Error);
    }
  };
  const submit = (event: SubmitEvent) => {
    event.preventDefault();
    const read = readTyped(fields, values, raw);
    if (read.parameters === null) show(read.mistakes, read.error);
    else void send(read.parameters, options);
  };
  const unplaced = faults.filter((fault) => raw !== null || !hasField(fields, fault.path));
  return (
    <form class="run-form" onSubmit={submit} noValidate>
      {type.description && <p class="lead">{type.description}</p>}
      {(faults.length > 0 || trouble) && (
        <Problems
          trouble={trouble}
          placed={faults.length - unplaced.length}
          unplaced={unplaced}
          place={summary}
        />
      )}
      {accepted && (
        <div class="notice" role="alert" tabIndex={-1} ref={summary}>
          <p>The job was accepted. {sentence(accepted.warning!)}</p>
          <p>
            <a href={`#/jobs/${accepted.uuid}`}>
              To the job <span class="mono">{accepted.uuid}</span>
            </a>
          </p>
        </div>
      )}
      <div class="h-row">
        <h2>Parameters</h2>
        {fields.length > 0 && (
          <button type="button" class="link" onClick={switchForm}>
            {raw === null ? "Edit as JSON" : "Back to the form"}
          </button>
        )}
      </div>
      {raw !== null ? (
        <label class="field">
          <span class="hidden-text">Parameters as JSON</span>
          <textarea
            class="mono"
            rows={12}
            spellcheck={false}
            value={raw}
            onInput={(event) => setRaw(event.currentTarget.value)}
          />
        </label>
      ) : fields.length === 0 ? (
        <Empty>None.</Empty>
      ) : (
        <>
          <Fields
            fields={fields}
            values={values}
            faults={[...told, ...typed]}
            set={set}
            leave={leave}
          />
          <Effective fields={fields} values={values} />
        </>
      )}
      <h2>Options</h2>
      <div class="options">
        <Option
          label="Priority"
          hint={`0 first to 9 last; ${type.priority} if empty`}
          value={options.priority}
          set={(priority) => setOptions({ ...options, priority })}
        />
        <Option
          label="Delay"
          hint="seconds until it may start"
          value={options.delay}
          set={(delay) => setOptions({ ...options, delay })}
        />
        <Option
          label="Timeout"
          hint={`seconds; ${type.timeoutSeconds ? duration(type.timeoutSeconds) : "none"} if empty`}
          value={options.timeout}
          set={(timeout) => setOptions({ ...options, timeout })}
        />
      </div>
      <div class="form-end">
        <button type="submit" class="primary" disabled={busy}>
          Run {type.name}
        </button>
        <span class="muted">
          in queue {type.queue}, tried up to {plural(type.maxErrors, "time")}
        </span>
      </div>
    </form>
  );
}
