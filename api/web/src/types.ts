// What the API answers, as far as the page looks at it.

export type State = "queued" | "running" | "waiting" | "succeeded" | "failed" | "cancelled";
export const STATES: State[] = ["queued", "running", "waiting", "succeeded", "failed", "cancelled"];
export const FINISHED: State[] = ["succeeded", "failed", "cancelled"];
export const isFinished = (state: State) => FINISHED.includes(state);

export interface Summary {
  uuid: string;
  type: string;
  queue: string;
  priority: number;
  state: State;
  resultCode: number;
  message?: string;
  createdTime: string;
  changedTime: string;
  startedTime?: string;
  finishedTime?: string;
  notBeforeTime?: string;
  cancelRequestedTime?: string;
  attempt: number;
}

export interface Attempt {
  number: number;
  worker: { name: string; pod?: string; node?: string; image?: string };
  startedTime: string;
  endedTime?: string;
  cause?: string;
  message?: string;
}

export interface Job extends Summary {
  parameters: unknown;
  data?: unknown;
  completeness: number;
  errors: number;
  crashes: number;
  continuations: number;
  replays: number;
  jobState?: unknown;
  limits: { maxErrors: number; maxCrashes: number; timeoutSeconds?: number };
  attempts: Attempt[];
}

export interface Progress {
  state: State;
  completeness: number;
  resultCode: number;
  attempt: number;
  message?: string;
}

export interface Line {
  attempt: number;
  seq: number;
  time: string;
  level: string;
  message: string;
  data?: unknown;
}

export interface Queue {
  name: string;
  ready: number;
  reserved: number;
  delayed: number;
  buried: number;
  arrivalPerMinute: number | null;
  departurePerMinute: number | null;
  waitingSeconds: number | null;
  /** Types with open jobs that no worker of the queue knows; null: no worker was seen yet. */
  unservedTypes: string[] | null;
}

export interface Worker {
  name: string;
  pod: string | null;
  node: string | null;
  queues: string[];
  slots: number;
  state: string;
  startedTime: string;
  running: { uuid: string; type: string; slot: number; attempt: number; startedTime: string }[];
}

export interface Pool {
  namespace: string;
  name: string;
  queue: string;
  minReplicas: number;
  maxReplicas: number;
  desiredReplicas?: number;
  readyReplicas?: number;
  starting?: number;
  retiring?: number;
  busy?: number;
  /** What the last decision about the number of workers says of itself. */
  decision: string;
  /** The condition Ready: "True", "False" or "Unknown", and what it says. */
  ready: string;
  message: string;
}

export interface Overview {
  queues: Queue[];
  workers: Worker[];
  pools: Pool[];
}

type Series = (number | null)[];

export interface QueueStats {
  name: string;
  accepted: number[];
  started: number[];
  succeeded: number[];
  failed: number[];
  cancelled: number[];
  again: number[];
  waitMeanSeconds: Series;
  wait95Seconds: Series;
  runMeanSeconds: Series;
}

export interface Stats {
  bucketSeconds: number;
  times: string[];
  queues: QueueStats[];
}

export interface JobType {
  name: string;
  description?: string;
  queue: string;
  priority: number;
  timeoutSeconds: number | null;
  maxErrors: number;
  schema: Schema;
}

export interface Schema {
  type?: string | string[];
  title?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  const?: unknown;
  format?: string;
  contentEncoding?: string;
  minimum?: number;
  maximum?: number;
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
