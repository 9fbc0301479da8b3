// The part of a log that is loaded when a person asks for it.

import { useState } from "preact/hooks";
import { ApiError } from "../api";
import type { Job, Line } from "../types";
import { linesBefore } from "./lines";

/** The same each time, so that nothing is drawn again for it. */
const NONE: Line[] = [];

export interface Earlier {
  lines: Line[];
  more: boolean;
  loading: boolean;
  error: ApiError | null;
  load: () => void;
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
  const load = async () => {
    if (first === undefined || loading) return;
    setLoading(true);
    try {
      const found = await linesBefore(job.uuid, first, oldest);
      setLoaded([...found, ...lines]);
      setBefore(place(live[0]));
      setExhausted(found.length === 0 ? place(first) : "");
      setError(null);
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
  return { lines, more, loading, error, load: () => void load() };
}
