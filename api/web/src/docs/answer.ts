// Sends a request and holds its answer, head and text. A stream's text is held as it arrives.

import { useEffect, useRef, useState } from "preact/hooks";
import { raw } from "../api";
import { laidOut } from "./specification";

/** A stream is shown up to what somebody reads. */
const MAX_STREAM_CHARS = 20_000;

/** Give the texts to show, one after another. */
async function* shownOf({ response, text }: Awaited<ReturnType<typeof raw>>) {
  yield `${response.status} ${response.statusText}\n`;
  const streams = response.headers.get("Content-Type")?.includes("event-stream") ?? false;
  const parts: string[] = [];
  let size = 0;
  for await (const part of text) {
    if (!streams) {
      parts.push(part);
      continue;
    }
    yield part;
    size += part.length;
    if (size >= MAX_STREAM_CHARS) return;
  }
  yield laidOut(parts.join(""));
}

/** The answer so far, null before anything was sent. The next request ends the one before. */
export function useAnswer(): [
  string | null,
  (path: string, options: RequestInit) => Promise<void>,
] {
  const [answer, setAnswer] = useState<string | null>(null);
  const running = useRef<AbortController | null>(null);
  useEffect(() => () => running.current?.abort(), []);
  const send = async (path: string, options: RequestInit) => {
    running.current?.abort();
    const mine = new AbortController();
    running.current = mine;
    setAnswer("…");
    let text = "";
    const add = (part: string) => {
      text += part;
      if (!mine.signal.aborted) setAnswer(text);
    };
    try {
      for await (const part of shownOf(await raw(path, options, mine.signal))) add(part);
    } catch (error) {
      add(error instanceof Error ? error.message : String(error));
    } finally {
      mine.abort();
    }
  };
  return [answer, send];
}
