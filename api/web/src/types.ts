// What the API answers. The bodies are the specification's own (generated.ts); here they get short
// names, and values that have to stay as they were sent become texts.

import type { components } from "./generated";

type Schemas = components["schemas"];

/** A value as the JSON text that it was sent as; see jsontext.ts. */
export type JsonText = string;

export type Summary = Schemas["Summary"];
export type Attempt = Schemas["Attempt"];
export type Progress = Schemas["Progress"];
export type Page = Schemas["Page"];
export type Changed = Schemas["Changed"];
export type Problem = Schemas["Problem"];
export type Fault = NonNullable<Problem["errors"]>[number];

export type State = Summary["state"];
export const FINISHED: State[] = ["succeeded", "failed", "cancelled", "expired"];
export const STATES: State[] = ["queued", "running", "waiting", ...FINISHED];
export const isFinished = (state: State) => FINISHED.includes(state);

export type Line = Omit<Schemas["Line"], "data"> & { data?: JsonText };

export type Job = Omit<Schemas["Job"], "parameters" | "data" | "jobState" | "limits"> & {
  parameters: JsonText;
  data?: JsonText;
  jobState?: JsonText;
  limits: { maxErrors?: number; maxCrashes?: number; timeoutSeconds?: number | null };
};

export type Accepted = Schemas["Accepted"] & {
  /** Why the job may wait for long. */
  warning?: string;
};

export type Overview = Schemas["Queues"] & Schemas["Workers"] & Schemas["Pools"];
export type Held = Schemas["Held"];
export type Queue = Overview["queues"][number];
export type Worker = Overview["workers"][number];
/** The operator writes more into a pool's document than the specification promises. */
export type Pool = Overview["pools"][number] & {
  desiredReplicas?: number;
  readyReplicas?: number;
  busy?: number;
};

export type Stats = Schemas["Stats"];
export type QueueStats = Stats["queues"][number];

export type JobType = Omit<Schemas["Type"], "schema"> & {
  schema: Schema;
  /** Whether a living worker runs it; null or missing: unknown. */
  served?: boolean | null;
};

/** A JSON Schema, as far as a form is made of it. */
export interface Schema {
  type?: string | string[];
  title?: string;
  description?: string;
  default?: JsonText;
  enum?: JsonText[];
  format?: string;
  contentEncoding?: string;
  minimum?: JsonText;
  maximum?: JsonText;
  exclusiveMinimum?: JsonText;
  exclusiveMaximum?: JsonText;
  minItems?: number;
  maxItems?: number;
  minLength?: number;
  maxLength?: number;
  pattern?: string;
  items?: Schema;
  prefixItems?: Schema[];
  properties?: Record<string, Schema>;
  required?: string[];
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
  $ref?: string;
  $defs?: Record<string, Schema>;
  additionalProperties?: boolean | Schema;
}
