// Calls to the API: JSON in and out, problems as errors, server-sent events with a header.
// EventSource cannot send an Authorization header, so streams are read through fetch.

const TOKEN = "zerog-token";
const RECONNECT_MS = [500, 1000, 2000, 5000];

export interface Fault {
  path: string;
  message: string;
}

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

async function send(path: string, options: RequestInit): Promise<Response> {
  for (;;) {
    const headers = new Headers(options.headers);
    const token = sessionStorage.getItem(TOKEN);
    if (token !== null) headers.set("Authorization", `Bearer ${token}`);
    let response: Response;
    try {
      response = await fetch(path, { ...options, headers });
    } catch (error) {
      if (options.signal?.aborted) throw error;
      throw new ApiError(0, "the API does not answer");
    }
    if (response.status !== 401 || askForToken === null) return response;
    // The token may have been given while this request was under way.
    if (sessionStorage.getItem(TOKEN) !== token) continue;
    asking ??= askForToken().finally(() => (asking = null));
    if (!(await asking)) return response;
  }
}

async function problemOf(response: Response): Promise<ApiError> {
  try {
    const problem = await response.json();
    return new ApiError(response.status, problem.detail ?? response.statusText, problem.errors ?? []);
  } catch {
    return new ApiError(response.status, response.statusText || `status ${response.status}`);
  }
}

export async function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  const response = await send(path, { signal });
  if (!response.ok) throw await problemOf(response);
  return response.json();
}

export async function call<T>(
  method: string,
  path: string,
  body?: unknown,
  headers: Record<string, string> = {},
): Promise<T | null> {
  const options: RequestInit = { method, headers };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers = { ...headers, "Content-Type": "application/json" };
  }
  const response = await send(path, options);
  if (!response.ok) throw await problemOf(response);
  return response.status === 204 ? null : response.json();
}

/** A request as it is, for the page of the calls. */
export function raw(path: string, options: RequestInit): Promise<Response> {
  return send(path, options);
}

export interface ServerEvent {
  event: string;
  data: unknown;
}

/** `stopped`: trying again would not help. */
export type Connection = "connecting" | "live" | "lost" | "stopped";

/**
 * Read server-sent events, and again when the connection ends, until aborted or until `take`
 * returns false. `tell` hears how the connection is.
 */
export async function follow(
  path: string,
  signal: AbortSignal,
  take: (event: ServerEvent) => boolean,
  tell: (connection: Connection, error?: ApiError) => void = () => {},
): Promise<void> {
  let lastId = "";
  let failures = 0;
  while (!signal.aborted) {
    try {
      const headers: Record<string, string> = lastId ? { "Last-Event-ID": lastId } : {};
      const response = await send(path, { signal, headers });
      if (!response.ok) throw await problemOf(response);
      tell("live");
      failures = 0;
      for await (const { id, ...event } of events(response)) {
        if (id) lastId = id;
        if (!take(event)) return;
      }
    } catch (error) {
      if (signal.aborted) return;
      const told = error instanceof ApiError ? error : new ApiError(0, "the connection was lost");
      const stopped = [401, 403, 404].includes(told.status);
      tell(stopped ? "stopped" : "lost", told);
      if (stopped) return;
    }
    const pause = RECONNECT_MS[Math.min(failures++, RECONNECT_MS.length - 1)];
    await new Promise((done) => setTimeout(done, pause));
  }
}

async function* events(response: Response): AsyncGenerator<ServerEvent & { id: string }> {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    text += value;
    let end: number;
    while ((end = text.indexOf("\n\n")) >= 0) {
      const block = text.slice(0, end);
      text = text.slice(end + 2);
      const fields: Record<string, string> = {};
      for (const line of block.split("\n")) {
        const colon = line.indexOf(": ");
        if (colon > 0) fields[line.slice(0, colon)] = line.slice(colon + 2);
      }
      if (fields.data !== undefined)
        yield { event: fields.event ?? "message", id: fields.id ?? "", data: JSON.parse(fields.data) };
    }
  }
}
