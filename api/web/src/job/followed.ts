// Follows a job's stream: its progress, and its log as it is written.

import { useEffect, useRef, useState } from "preact/hooks";
import { readLine } from "../answers";
import { type ApiError, follow } from "../api";
import { useVisible } from "../hooks";
import type { Job, Line, Progress } from "../types";
import { newest } from "./lines";

export interface Followed {
  progress: Partial<Progress>;
  /** The newest lines, and whether there were older ones. */
  lines: Line[];
  cut: boolean;
  trouble: ApiError | null;
  again: () => void;
}

/** Follow a job to its end; the document is read again whenever its state has moved. */
export function useFollowed(uuid: string, known: Job | null, reload: () => void): Followed {
  const [progress, setProgress] = useState<Partial<Progress>>({});
  const [lines, setLines] = useState<Line[]>([]);
  const [cut, setCut] = useState(false);
  const [trouble, setTrouble] = useState<ApiError | null>(null);
  const [round, setRound] = useState(0);
  const visible = useVisible();
  const seen = useRef("");
  useEffect(() => {
    if (!visible) return;
    const ended = new AbortController();
    let waiting: Line[] = [];
    let timer: ReturnType<typeof setTimeout> | undefined;
    let first = true;
    const show = () => {
      timer = undefined;
      const fresh = waiting;
      const start = first;
      waiting = [];
      first = false;
      setLines((before) => {
        const all = [...(start ? [] : before), ...fresh];
        const kept = newest(all);
        if (kept.length < all.length) setCut(true);
        return kept;
      });
    };
    void follow(
      `/v1/jobs/${encodeURIComponent(uuid)}/stream`,
      ended.signal,
      ({ event, data }) => {
        if (event === "log") {
          // A job may write thousands of lines: they are shown together, not one by one.
          waiting.push(readLine(data));
          timer ??= setTimeout(show, 100);
          return true;
        }
        const told = JSON.parse(data) as Progress;
        setProgress(told);
        setTrouble(null);
        const mark = `${told.state} ${told.attempt} ${told.resultCode}`;
        if (mark !== seen.current) {
          seen.current = mark;
          reload();
        }
        return event !== "end";
      },
      (_, error) => setTrouble(error ?? null),
    );
    return () => {
      ended.abort();
      clearTimeout(timer);
    };
  }, [uuid, visible, round, reload]);
  useEffect(() => {
    setProgress({});
    setLines([]);
    setCut(false);
    seen.current = "";
  }, [uuid]);
  const same = known !== null && progress.state !== undefined;
  return {
    progress: same ? progress : {},
    lines,
    cut,
    trouble,
    again: () => setRound((before) => before + 1),
  };
}
