// Sends a job, and holds what came back.

import { useRef, useState } from "preact/hooks";
import { type ApiError, call } from "../api";
import { go } from "../route";
import type { Accepted, Fault, JsonText } from "../types";

export interface Options {
  priority: string;
  delay: string;
  timeout: string;
}

/** After a submission without an answer. It has a key, so that sending it again is safe. */
const REPEAT = "Run it again without a change: that makes one job, not two";

/** Names a submission, so that sending it twice makes one job. */
function newKey(): string {
  const bytes = [...crypto.getRandomValues(new Uint8Array(16))];
  return bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function useSubmission(type: string) {
  const [faults, setFaults] = useState<Fault[]>([]);
  const [trouble, setTrouble] = useState<Error | null>(null);
  const [busy, setBusy] = useState(false);
  const [accepted, setAccepted] = useState<Accepted | null>(null);
  const sent = useRef({ request: "", key: "" });
  /** Where the outcome is shown. It gets the focus. */
  const summary = useRef<HTMLDivElement>(null);
  const show = (found: Fault[], error: Error | null) => {
    setFaults(found);
    setTrouble(error);
    requestAnimationFrame(() => summary.current?.focus());
  };
  const clear = () => {
    setFaults([]);
    setTrouble(null);
  };
  /** Drop what was said of a value that has changed since. */
  const forgive = (isOld: (fault: Fault) => boolean) =>
    setFaults((before) => (before.some(isOld) ? before.filter((it) => !isOld(it)) : before));
  const send = async (parameters: JsonText, options: Options) => {
    setBusy(true);
    setAccepted(null);
    try {
      const filled = Object.entries(options).filter(([, value]) => value !== "");
      const query = new URLSearchParams(filled).toString();
      const path = `/v1/jobs/${encodeURIComponent(type)}?${query}`;
      const request = `${path} ${parameters}`;
      // The same again is the same job, whatever became of the first try; anything else is another.
      if (sent.current.request !== request) sent.current = { request, key: newKey() };
      const headers = { "Idempotency-Key": sent.current.key };
      const answer = (await call<Accepted>("POST", path, parameters, headers))!;
      sent.current = { request: "", key: "" };
      if (answer.warning === undefined) {
        go(`/jobs/${answer.uuid}`);
        return;
      }
      // It is to be read before the view changes.
      setAccepted(answer);
      show([], null);
    } catch (error) {
      const told = error as ApiError;
      if (told.status === 0) show([], new Error(`${told.message}. ${REPEAT}`));
      else show(told.faults, told.faults.length > 0 ? null : told);
    }
    setBusy(false);
  };
  return { faults, trouble, busy, accepted, summary, show, clear, forgive, send };
}
