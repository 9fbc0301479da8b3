// Run a job: choose a type, fill in the form made from its JSON Schema, send.

import { useId, useMemo, useRef, useState } from "preact/hooks";
import { readJob, readType } from "./answers";
import { ApiError, call, hasToken } from "./api";
import { duration } from "./format";
import { go, type Route, useLoaded, useTitle, useWorkersChanged } from "./hooks";
import { check, indent } from "./jsontext";
import {
  type Field,
  fieldsOf,
  hintOf,
  holds,
  labelOf,
  parametersOf,
  plain,
  type Values,
  valuesOf,
} from "./schema";
import type { Accepted, Fault, JobType, JsonText } from "./types";
import { Empty, sentence, Title, Trouble } from "./ui";

export function Run({ route }: { route: Route }) {
  const name = route.path[1];
  return name === undefined ? (
    <Types />
  ) : (
    <RunType key={name} name={name} like={route.query.get("like")} />
  );
}

function Types() {
  useTitle("Run a job");
  const types = useLoaded<{ types: JobType[] }>("/v1/types");
  useWorkersChanged(types.reload);
  return (
    <div class="view">
      <Title>Run a job</Title>
      {types.error && <Trouble error={types.error} retry={types.reload} />}
      {types.value?.types.length === 0 && (
        <Empty>
          {hasToken()
            ? "No job type that this token may list."
            : "No worker has registered a job type yet. They appear here as soon as one starts."}
        </Empty>
      )}
      <ul class="types">
        {types.value?.types.map((type) => (
          <li key={type.name}>
            <a href={`#/run/${encodeURIComponent(type.name)}`}>
              <span class="type-name">{type.name}</span>
              <span class="type-text">{type.description}</span>
              <span class="type-queue">{type.queue}</span>
              {type.served === false && <span class="type-unserved">No running worker</span>}
            </a>
          </li>
        ))}
      </ul>
    </div>
  );
}

function RunType({ name, like }: { name: string; like: string | null }) {
  useTitle(`Run ${name}`);
  const type = useLoaded(`/v1/types/${encodeURIComponent(name)}`, readType);
  useWorkersChanged(type.reload);
  const job = useLoaded(like === null ? null : `/v1/jobs/${encodeURIComponent(like)}`, readJob);
  return (
    <div class="view narrow">
      <p class="crumbs">
        <a href="#/run">Run a job</a> / {name}
      </p>
      <Title>{name}</Title>
      {type.error && <Trouble error={type.error} retry={type.reload} />}
      {job.error && <Trouble error={job.error} retry={job.reload} />}
      {type.value?.served === false && (
        <p class="notice" role="status">
          No running worker knows this type. A job of it waits in queue {type.value.queue} until one
          starts.
        </p>
      )}
      {type.value && (like === null || job.value) && (
        <TypeForm type={type.value} given={job.value?.parameters} />
      )}
    </div>
  );
}

interface Options {
  priority: string;
  delay: string;
  timeout: string;
}

/** After a submission without an answer. It has a key, so that sending it again is safe. */
const REPEAT = "Run it again without a change: that makes one job, not two";

/** Names a submission, so that sending it twice makes one job. */
function newKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join("");
}

function TypeForm({ type, given }: { type: JobType; given: JsonText | undefined }) {
  const fields = useMemo(() => fieldsOf(type.schema), [type]);
  const [values, setValues] = useState<Values>(() => valuesOf(fields, given));
  const [raw, setRaw] = useState<string | null>(() =>
    given === undefined || holds(fields, given) ? null : indent(given),
  );
  const [options, setOptions] = useState<Options>({ priority: "", delay: "", timeout: "" });
  const [faults, setFaults] = useState<Fault[]>([]);
  const [trouble, setTrouble] = useState<Error | null>(null);
  const [busy, setBusy] = useState(false);
  const [accepted, setAccepted] = useState<Accepted | null>(null);
  const sent = useRef({ request: "", key: "" });
  const summary = useRef<HTMLDivElement>(null);
  const fail = (found: Fault[], error: Error | null) => {
    setFaults(found);
    setTrouble(error);
    requestAnimationFrame(() => summary.current?.focus());
  };
  const switchForm = () => {
    setFaults([]);
    setTrouble(null);
    if (raw === null) {
      setRaw(indent(parametersOf(fields, values).parameters));
      return;
    }
    try {
      const typed = check(raw);
      if (!holds(fields, typed))
        return fail([], new Error("the form cannot hold these parameters exactly: they stay JSON"));
      setValues(valuesOf(fields, typed));
      setRaw(null);
    } catch (error) {
      fail([], new Error(`the parameters are no JSON: ${(error as Error).message}`));
    }
  };
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    let parameters: JsonText;
    if (raw === null) {
      const read = parametersOf(fields, values);
      if (read.mistakes.length > 0) return fail(read.mistakes, null);
      parameters = read.parameters;
    } else {
      try {
        parameters = check(raw);
      } catch (error) {
        return fail([], new Error(`the parameters are no JSON: ${(error as Error).message}`));
      }
    }
    setBusy(true);
    setAccepted(null);
    try {
      const query = new URLSearchParams(
        Object.entries(options).filter(([, value]) => value !== ""),
      );
      const path = `/v1/jobs/${encodeURIComponent(type.name)}?${query}`;
      const request = `${path} ${parameters}`;
      // The same again is the same job, whatever became of the first try; anything else is another.
      if (sent.current.request !== request) sent.current = { request, key: newKey() };
      const answer = (await call<Accepted>("POST", path, parameters, {
        "Idempotency-Key": sent.current.key,
      }))!;
      sent.current = { request: "", key: "" };
      if (answer.warning === undefined) return go(`/jobs/${answer.uuid}`);
      // It is to be read before the view changes.
      setFaults([]);
      setTrouble(null);
      setAccepted(answer);
      requestAnimationFrame(() => summary.current?.focus());
    } catch (error) {
      const told = error as ApiError;
      if (told.status === 0) fail([], new Error(`${told.message}. ${REPEAT}`));
      else fail(told.faults, told.faults.length > 0 ? null : told);
    }
    setBusy(false);
  };
  const unplaced = faults.filter((fault) => raw !== null || !hasField(fields, fault.path));
  return (
    <form class="run-form" onSubmit={submit} noValidate>
      {type.description && <p class="lead">{type.description}</p>}
      {(faults.length > 0 || trouble) && (
        <div class="trouble" role="alert" tabIndex={-1} ref={summary}>
          {trouble && <p>{sentence(trouble.message)}</p>}
          {faults.length > unplaced.length && (
            <p>
              {faults.length - unplaced.length === 1
                ? "One field does"
                : `${faults.length - unplaced.length} fields do`}{" "}
              not fit: see below.
            </p>
          )}
          {unplaced.map((fault) => (
            <p key={fault.path + fault.message}>
              <code>{fault.path}</code> {sentence(fault.message)}
            </p>
          ))}
        </div>
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
        <Empty>It needs none.</Empty>
      ) : (
        <Fields
          fields={fields}
          values={values}
          faults={faults}
          set={(path, text) => setValues((before) => ({ ...before, [path]: text }))}
        />
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
          in queue {type.queue}, tried up to {type.maxErrors} times
        </span>
      </div>
    </form>
  );
}

const hasField = (fields: Field[], path: string): boolean =>
  fields.some((field) =>
    field.kind === "group" ? hasField(field.fields, path) : owns(field, path),
  );

/** A fault of a list's item or of something inside JSON belongs to the field. */
const owns = (field: Field, path: string): boolean =>
  path === field.path || path.startsWith(`${field.path}[`) || path.startsWith(`${field.path}.`);

function Option({
  label,
  hint,
  value,
  set,
}: {
  label: string;
  hint: string;
  value: string;
  set: (text: string) => void;
}) {
  const id = useId();
  return (
    <div class="field">
      <label class="field-name" for={id}>
        {label}
      </label>
      <input
        id={id}
        {...NUMERIC}
        value={value}
        aria-describedby={`${id}-hint`}
        onInput={(event) => set(event.currentTarget.value)}
      />
      <span class="field-hint" id={`${id}-hint`}>
        {hint}
      </span>
    </div>
  );
}

interface FieldsProps {
  fields: Field[];
  values: Values;
  faults: Fault[];
  set: (path: string, text: string) => void;
}

function Fields({ fields, values, faults, set }: FieldsProps) {
  return (
    <>
      {fields.map((field) =>
        field.kind === "group" ? (
          <fieldset key={field.path} class="group">
            <legend>{labelOf(field)}</legend>
            <Fields fields={field.fields} values={values} faults={faults} set={set} />
          </fieldset>
        ) : (
          <OneField
            key={field.path}
            field={field}
            value={values[field.path] ?? ""}
            wrong={faults.filter((fault) => owns(field, fault.path)).map((fault) => fault.message)}
            set={(text) => set(field.path, text)}
          />
        ),
      )}
    </>
  );
}

interface OneProps {
  field: Field;
  value: string;
  wrong: string[];
  set: (text: string) => void;
}

function OneField({ field, value, wrong, set }: OneProps) {
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

/**
 * A field of type number drops what it cannot read, rounds at its arrows, and refuses what is larger
 * than the browser's own numbers.
 */
const NUMERIC = { type: "text", inputMode: "decimal", autocomplete: "off" } as const;

interface ControlProps {
  field: Field;
  value: string;
  set: (text: string) => void;
  shared: Record<string, unknown>;
}

function Control({ field, value, set, shared }: ControlProps) {
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

/** A file, sent as base64 within the parameters. */
function FileField({ value, set, shared }: Omit<ControlProps, "field">) {
  const read = (file: File | undefined) => {
    if (file === undefined) return set("");
    const reader = new FileReader();
    reader.onload = () => set((reader.result as string).split(",", 2)[1] ?? "");
    reader.readAsDataURL(file);
  };
  return (
    <>
      <input {...shared} type="file" onChange={(event) => read(event.currentTarget.files?.[0])} />
      {value && (
        <span class="field-hint">{value.length.toLocaleString("en")} characters of base64</span>
      )}
    </>
  );
}
