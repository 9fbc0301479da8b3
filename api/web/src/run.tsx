// Run a job: choose a type, fill in the form made from its JSON Schema, send.

import { useEffect, useId, useMemo, useRef, useState } from "preact/hooks";
import { ApiError, call, type Fault, get } from "./api";
import { duration } from "./format";
import { go, type Route, useLoaded, useTitle } from "./hooks";
import { type Field, fieldsOf, hintOf, labelOf, parametersOf, type Values, valuesOf } from "./schema";
import type { Job, JobType } from "./types";
import { Empty, sentence, Title, Trouble } from "./ui";

export function Run({ route }: { route: Route }) {
  const name = route.path[1];
  return name === undefined ? <Types /> : <RunType key={name} name={name} like={route.query.get("like")} />;
}

function Types() {
  useTitle("Run a job");
  const types = useLoaded<{ types: JobType[] }>("/v1/types");
  return (
    <div class="view">
      <Title>Run a job</Title>
      {types.error && <Trouble error={types.error} retry={types.reload} />}
      {types.value?.types.length === 0 && (
        <Empty>No worker has registered a job type yet. They appear here as soon as one starts.</Empty>
      )}
      <ul class="types">
        {types.value?.types.map((type) => (
          <li key={type.name}>
            <a href={`#/run/${encodeURIComponent(type.name)}`}>
              <span class="type-name">{type.name}</span>
              <span class="type-text">{type.description}</span>
              <span class="type-queue">{type.queue}</span>
            </a>
          </li>
        ))}
      </ul>
    </div>
  );
}

function RunType({ name, like }: { name: string; like: string | null }) {
  useTitle(`Run ${name}`);
  const type = useLoaded<JobType>(`/v1/types/${encodeURIComponent(name)}`);
  const [given, setGiven] = useState<{ parameters: unknown } | null>(null);
  const [trouble, setTrouble] = useState<Error | null>(null);
  useEffect(() => {
    if (like === null) setGiven({ parameters: undefined });
    else get<Job>(`/v1/jobs/${encodeURIComponent(like)}`).then((job) => setGiven(job), setTrouble);
  }, [like]);
  return (
    <div class="view narrow">
      <p class="crumbs">
        <a href="#/run">Run a job</a> / {name}
      </p>
      <Title>{name}</Title>
      {type.error && <Trouble error={type.error} retry={type.reload} />}
      {trouble && <Trouble error={trouble} />}
      {type.value && given && <TypeForm type={type.value} given={given.parameters} />}
    </div>
  );
}

interface Options {
  priority: string;
  delay: string;
  timeout: string;
}

/** Names a submission, so that sending it twice makes one job. */
function newKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function TypeForm({ type, given }: { type: JobType; given: unknown }) {
  const fields = useMemo(() => fieldsOf(type.schema), [type]);
  const [values, setValues] = useState<Values>(() => valuesOf(fields, given));
  const [raw, setRaw] = useState<string | null>(null);
  const [options, setOptions] = useState<Options>({ priority: "", delay: "", timeout: "" });
  const [faults, setFaults] = useState<Fault[]>([]);
  const [trouble, setTrouble] = useState<Error | null>(null);
  const [busy, setBusy] = useState(false);
  const key = useRef(newKey());
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
      setRaw(JSON.stringify(parametersOf(fields, values).parameters, null, 2));
      return;
    }
    try {
      setValues(valuesOf(fields, JSON.parse(raw)));
      setRaw(null);
    } catch (error) {
      fail([], new Error(`the parameters are no JSON: ${(error as Error).message}`));
    }
  };
  const submit = async (event: SubmitEvent) => {
    event.preventDefault();
    let parameters: unknown;
    if (raw === null) {
      const read = parametersOf(fields, values);
      if (read.mistakes.length > 0) return fail(read.mistakes, null);
      parameters = read.parameters;
    } else {
      try {
        parameters = JSON.parse(raw);
      } catch (error) {
        return fail([], new Error(`the parameters are no JSON: ${(error as Error).message}`));
      }
    }
    setBusy(true);
    try {
      const query = new URLSearchParams(Object.entries(options).filter(([, value]) => value !== ""));
      const path = `/v1/jobs/${encodeURIComponent(type.name)}?${query}`;
      const answer = await call<{ uuid: string }>("POST", path, parameters, { "Idempotency-Key": key.current });
      go(`/jobs/${answer!.uuid}`);
    } catch (error) {
      const told = error as ApiError;
      // The next try is another submission, unless nobody knows what became of this one.
      if (told.status !== 0) key.current = newKey();
      fail(told.faults, told.faults.length > 0 ? null : told);
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
              {faults.length - unplaced.length === 1 ? "One field does" : `${faults.length - unplaced.length} fields do`} not
              fit: see below.
            </p>
          )}
          {unplaced.map((fault) => (
            <p key={fault.path + fault.message}>
              <code>{fault.path}</code> {sentence(fault.message)}
            </p>
          ))}
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
        <Fields fields={fields} values={values} faults={faults} set={(path, text) => setValues((before) => ({ ...before, [path]: text }))} />
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
  fields.some((field) => (field.kind === "group" ? hasField(field.fields, path) : owns(field, path)));

/** A fault of a list's item or of something inside JSON belongs to the field. */
const owns = (field: Field, path: string): boolean =>
  path === field.path || path.startsWith(`${field.path}[`) || path.startsWith(`${field.path}.`);

function Option({ label, hint, value, set }: { label: string; hint: string; value: string; set: (text: string) => void }) {
  const id = useId();
  return (
    <div class="field">
      <label class="field-name" for={id}>
        {label}
      </label>
      <input
        id={id}
        type="number"
        min="0"
        step="any"
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
  const about = [field.schema.description && `${id}-about`, hint && `${id}-hint`, wrong.length && `${id}-wrong`];
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
            <option key={String(item)} value={JSON.stringify(item)}>
              {String(item)}
            </option>
          ))}
        </select>
      );
    case "integer":
    case "number":
      return (
        <input
          {...shared}
          type="number"
          inputMode="decimal"
          step={field.kind === "integer" ? 1 : "any"}
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
        <textarea {...shared} class="grow" rows={1} value={value} onInput={(event) => set(event.currentTarget.value)} />
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
      {value && <span class="field-hint">{value.length.toLocaleString("en")} characters of base64</span>}
    </>
  );
}
