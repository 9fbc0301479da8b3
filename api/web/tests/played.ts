// An API that a test plays, by answering the page's own `fetch`. No time passes by itself.

import { type Mock, vi } from "vitest";

export type Answer = (path: string, options: RequestInit) => Response | Promise<Response>;

export const bytes = (text: string) => new TextEncoder().encode(text);

/** A body that ends after its chunks, or stays open. */
export function body(chunks: Uint8Array[], open = false, signal?: AbortSignal | null) {
  return new ReadableStream<Uint8Array>({
    start(controller) {
      for (const chunk of chunks) controller.enqueue(chunk);
      if (!open) controller.close();
      signal?.addEventListener("abort", () => controller.error(signal.reason));
    },
  });
}

export const streaming =
  (text: string): Answer =>
  () =>
    new Response(body([bytes(text)]));

export const hanging =
  (text = ""): Answer =>
  (_, { signal }) =>
    new Response(body([bytes(text)], true, signal));

export const silent: Answer = (_, { signal }) =>
  new Promise((_resolve, reject) => {
    signal!.addEventListener("abort", () => reject(signal!.reason as Error));
  });

export const json =
  (status: number, value: unknown): Answer =>
  () =>
    new Response(JSON.stringify(value), { status, statusText: "Said" });

/** Let these answer, one request each; the last one answers all that come after. */
export function answering(...answers: Answer[]): Mock<Answer> {
  let made = 0;
  const fetch = vi.fn<Answer>((path, options) =>
    answers[Math.min(made++, answers.length - 1)]!(path, options),
  );
  vi.stubGlobal("fetch", fetch);
  return fetch;
}

export const header = (fetch: Mock<Answer>, index: number, name: string) =>
  new Headers(fetch.mock.calls[index]![1].headers).get(name);

/** Begin a test: nobody has a token, and timers wait. Returns what ends it. */
export function play(): () => void {
  const kept = new Map<string, string>();
  vi.stubGlobal("sessionStorage", {
    getItem: (name: string) => kept.get(name) ?? null,
    setItem: (name: string, value: string) => void kept.set(name, value),
  });
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  return () => {
    vi.useRealTimers();
  };
}
