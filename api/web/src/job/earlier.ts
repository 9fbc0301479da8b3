// The part of a log that is loaded when a person asks for it.

import { useState } from "preact/hooks";
import { ApiError } from "../api";
import type { Job, Line } from "../types";
import { isBefore, linesBefore, type Place } from "./lines";

/** More lines than this are not held: who needs them downloads the log. */
const MOST_LINES = 50_000;

/** The same each time, so that nothing is drawn again for it. */
const NONE: Line[] = [];

export interface Earlier {
  lines: Line[];
  more: boolean;
  loading: boolean;
  error: ApiError | null;
  /** Load the lines just before. */
  load: () => void;
  loadAll: () => void;
  /** Load until a line is there. */
  loadTo: (place: Place) => void;
}

/** The lines before those that are followed, loaded when a person asks for them. */
export function useEarlier(job: Job, live: Line[], cut: boolean): Earlier {
  const [loaded, setLoaded] = useState<Line[]>([]);
  const [before, setBefore] = useState("");
  const [exhausted, setExhausted] = useState("");
  const [loading, setLoading] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const place = (line: Line | undefined) => (line ? `${job.uuid} ${line.attempt}-${line.seq}` : "");
  // Once the oldest of the followed lines are dropped, the loaded ones do not join them any more.
  const lines = before === place(live[0]) ? loaded : NONE;
  const first = lines[0] ?? live[0];
  const oldest = job.attempts[0]?.number ?? 1;
  const load = async (isEnough: (start: Line, count: number) => boolean) => {
    if (first === undefined || loading) return;
    setLoading(true);
    setError(null);
    let [start, all] = [first, lines];
    try {
      for (;;) {
        const found = await linesBefore(job.uuid, start, oldest);
        all = [...found, ...all];
        setLoaded(all);
        setBefore(place(live[0]));
        setExhausted(found.length === 0 ? place(start) : "");
        start = found[0] ?? start;
        if (found.length === 0 || isEnough(start, all.length)) break;
      }
    } catch (failure) {
      setError(
        failure instanceof ApiError ? failure : new ApiError(0, "the lines could not be read"),
      );
    }
    setLoading(false);
  };
  const more =
    cut &&
    first !== undefined &&
    (first.seq > 0 || first.attempt > oldest) &&
    exhausted !== place(first);
  return {
    lines,
    more: more && lines.length < MOST_LINES,
    loading,
    error,
    load: () => void load(() => true),
    loadAll: () => void load((_, count) => count >= MOST_LINES),
    loadTo: (wanted) =>
      void load((start, count) => !isBefore(wanted, start) || count >= MOST_LINES),
  };
}
