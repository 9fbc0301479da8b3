// Calls to the API: JSON in and out, problems as errors, server-sent events with a header.
// EventSource cannot send an Authorization header, so streams are read through fetch.

import { EventReader, type ServerEvent } from "./events";
import type { Fault, Problem } from "./types";
import { type Connection, Watchdog } from "./watchdog";

const TOKEN = "zerog-token";
const RECONNECT_MS = [500, 1000, 2000, 5000];
/** The API answers within seconds. After so long without a byte of an answer, it hangs. */
const ANSWER_MS = 30_000;
/** A large body gets the time that a slow uplink needs, on top. */
const UPLOAD_CHARS_PER_MS = 50;
/** The API sends an event at least every 5 s: so long without one, and two are missing. */
const SILENCE_MS = 12_000;
/** What `wait` and the streams may take in the page of the calls, and some. */
const RAW_MS = 90_000;

/** An answer that is an error, or no answer at all (status 0). */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly faults: Fault[] = [],
  ) {
    super(message);
  }
}

/** Asks a person for a token; false if there is none. Set by the page. */
let askForToken: (() => Promise<boolean>) | null = null;
let asking: Promise<boolean> | null = null;

export function onUnauthorized(ask: () => Promise<boolean>): void {
  askForToken = ask;
}

export function setToken(token: string): void {
  sessionStorage.setItem(TOKEN, token);
}

export function hasToken(): boolean {
  return sessionStorage.getItem(TOKEN) !== null;
}

export function forgetToken(): void {
  sessionStorage.removeItem(TOKEN);
}

/** Ends a request when nothing is heard for too long. */
class Patience {
  private readonly controller = new AbortController();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private over = false;
  readonly signal = this.controller.signal;

  constructor(
    private readonly milliseconds: number,
    private readonly asked: AbortSignal | undefined,
    private readonly message: string,
  ) {
    if (asked?.aborted) this.controller.abort();
    asked?.addEventListener("abort", () => this.end(), { signal: this.signal });
  }

  /** Something was sent or heard: wait for as long again. */
  restart(): void {
    this.pause();
    this.timer = setTimeout(() => {
      this.over = true;
      this.controller.abort();
    }, this.milliseconds);
  }

  pause(): void {
    clearTimeout(this.timer);
  }

  /** End the request, also where its answer has not been read to the end. */
  end(): void {
    this.pause();
    this.controller.abort();
  }

  /** Say what a failure means. What the caller has ended itself is left as it is. */
  explain(error: unknown): unknown {
    if (error instanceof ApiError || this.asked?.aborted) return error;
    return new ApiError(0, this.over ? this.message : "the API does not answer");
  }
}

const lasting = (milliseconds: number): string => `for ${milliseconds / 1000} seconds`;

async function send(path: string, options: RequestInit, patience: Patience): Promise<Response> {
  for (;;) {
    const headers = new Headers(options.headers);
    const token = sessionStorage.getItem(TOKEN);
    if (token !== null) headers.set("Authorization", `Bearer ${token}`);
    patience.restart();
    let response: Response;
    try {
      response = await fetch(path, { ...options, headers, signal: patience.signal });
    } catch (error) {
      throw patience.explain(error);
    }
    if (response.status !== 401 || askForToken === null) return response;
    // The token may have been given while this request was under way.
    if (sessionStorage.getItem(TOKEN) !== token) continue;
    // A person takes the time they need.
    patience.pause();
    asking ??= askForToken().finally(() => (asking = null));
    if (!(await asking)) return response;
  }
}

/** Give an answer's text as it arrives. */
async function* chunks(response: Response, patience: Patience): AsyncGenerator<string> {
  if (response.body === null) return;
  patience.restart();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      patience.restart();
      yield value;
    }
  } catch (error) {
    throw patience.explain(error);
  }
}

async function textOf(response: Response, patience: Patience): Promise<string> {
  const parts: string[] = [];
  for await (const chunk of chunks(response, patience)) parts.push(chunk);
  return parts.join("");
}

/** Read an error's body. What is not the API's own, e.g. a proxy's page, is not shown. */
async function problemOf(response: Response, patience: Patience): Promise<ApiError> {
  const { status, statusText } = response;
  try {
    const problem = JSON.parse(await textOf(response, patience)) as Partial<Problem>;
    if (typeof problem.detail === "string")
      return new ApiError(
        status,
        problem.detail,
        Array.isArray(problem.errors) ? problem.errors : [],
      );
  } catch {
    // Not JSON, or not whole.
  }
  return new ApiError(status, statusText || `status ${status}`);
}

/** Make a call and return the text of its answer. */
async function answerTo(path: string, options: RequestInit, patience: Patience): Promise<string> {
  try {
    const response = await send(path, options, patience);
    if (!response.ok) throw await problemOf(response, patience);
    return await textOf(response, patience);
  } finally {
    patience.end();
  }
}

function read<T>(text: string, parse: (text: string) => T): T {
  try {
    return parse(text);
  } catch {
    throw new ApiError(
      0,
      "what answered is not the API: check the address and the proxies on the way",
    );
  }
}

/** Load a document. `parse` reads its text. */
export async function get<T>(
  path: string,
  signal?: AbortSignal,
  parse: (text: string) => T = JSON.parse as (text: string) => T,
): Promise<T> {
  const message = `the API did not answer ${lasting(ANSWER_MS)}: check that it runs, then try again`;
  return read(await answerTo(path, {}, new Patience(ANSWER_MS, signal, message)), parse);
}

/** Change something. `body` is a JSON text. */
export async function call<T>(
  method: string,
  path: string,
  body?: string,
  headers: Record<string, string> = {},
): Promise<T | null> {
  const options: RequestInit = { method, headers };
  if (body !== undefined) {
    options.body = body;
    options.headers = { ...headers, "Content-Type": "application/json" };
  }
  const message =
    `the API did not answer ${lasting(ANSWER_MS)}, so this may or may not be done: ` +
    "check that the API runs, then try again";
  const patience = new Patience(
    ANSWER_MS + (body?.length ?? 0) / UPLOAD_CHARS_PER_MS,
    undefined,
    message,
  );
  const text = await answerTo(path, options, patience);
  return text === "" ? null : read(text, JSON.parse as (text: string) => T);
}

/** A request as it is, for the page of the calls: the answer's head, then its text as it arrives. */
export async function raw(
  path: string,
  options: RequestInit,
  signal: AbortSignal,
): Promise<{ response: Response; text: AsyncGenerator<string> }> {
  const message = `the API sent nothing ${lasting(RAW_MS)}: check that it runs, then try again`;
  const patience = new Patience(RAW_MS, signal, message);
  const response = await send(path, options, patience);
  return { response, text: chunks(response, patience) };
}

/**
 * Read server-sent events, and again when the connection ends or is silent, until aborted or until
 * `take` returns false. `tell` hears how the connection is: live from its first event, not from the
 * answer's head, which a server sends that then hangs; and not live once an event is overdue.
 */
export async function follow(
  path: string,
  signal: AbortSignal,
  take: (event: ServerEvent) => boolean,
  tell: (connection: Connection, error?: ApiError) => void = () => {},
): Promise<void> {
  let lastId = "";
  let failures = 0;
  const silent = `nothing was heard from the API ${lasting(SILENCE_MS)}: the page connects again by itself`;
  while (!signal.aborted) {
    const patience = new Patience(SILENCE_MS, signal, silent);
    const watchdog = new Watchdog(tell);
    try {
      const headers: Record<string, string> = lastId ? { "Last-Event-ID": lastId } : {};
      const response = await send(path, { headers }, patience);
      if (!response.ok) throw await problemOf(response, patience);
      for await (const { id, ...event } of eventsOf(response, patience)) {
        watchdog.hear();
        failures = 0;
        if (id) lastId = id;
        if (event.event !== ALIVE && !take(event)) return;
      }
      // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition
      if (!signal.aborted) tell("lost");
    } catch (error) {
      // It may have been since the loop began, which the compiler does not see.
      // eslint-disable-next-line @typescript-eslint/no-unnecessary-condition
      if (signal.aborted) return;
      const told = error instanceof ApiError ? error : new ApiError(0, "the connection was lost");
      const stopped = [401, 403, 404].includes(told.status);
      tell(stopped ? "stopped" : "lost", told);
      if (stopped) return;
    } finally {
      watchdog.end();
      patience.end();
    }
    const pause = RECONNECT_MS[Math.min(failures++, RECONNECT_MS.length - 1)];
    await new Promise((done) => setTimeout(done, pause));
  }
}

/** Sent when there is nothing else to send. */
const ALIVE = "alive";

async function* eventsOf(response: Response, patience: Patience) {
  const reader = new EventReader();
  for await (const chunk of chunks(response, patience)) yield* reader.read(chunk);
}
