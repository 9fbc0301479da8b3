// What people hold: queues that are paused and workers that drain, and the buttons for both.

import { call } from "./api";
import { time } from "./format";
import type { Held } from "./types";
import type { Question } from "./ui";

/** As the API has it. */
const MAX_REASON = 200;

/** Since when, by whom and why, as far as that is known. */
export function HeldNote({ what, held }: { what: string; held: Held }) {
  return (
    <span class="sub held">
      {what}
      {held.since && ` since ${time(held.since)}`}
      {held.by && ` by ${held.by}`}
      {held.reason && `: ${held.reason}`}
    </span>
  );
}

interface Words {
  place: "queues" | "workers";
  hold: string;
  lift: string;
  question: (name: string) => string;
  explained: string;
}

const QUEUE: Words = {
  place: "queues",
  hold: "Pause",
  lift: "Resume",
  question: (name) => `Pause the queue ${name}?`,
  explained:
    "Workers take no job of it until it is resumed. Jobs that run finish, new ones are accepted and wait.",
};
const WORKER: Words = {
  place: "workers",
  hold: "Drain",
  lift: "Undrain",
  question: (name) => `Let the worker ${name} drain?`,
  explained: "It finishes what it runs, takes no new job, and stays until it is undrained.",
};

interface Props {
  name: string;
  held: Held | null | undefined;
  ask: (question: Question) => void;
}

export const QueueButton = (props: Props) => <HoldButton words={QUEUE} {...props} />;
export const WorkerButton = (props: Props) => <HoldButton words={WORKER} {...props} />;

/** Holds after a question, and lifts after another one: either changes what others do. */
function HoldButton({ words, name, held, ask }: Props & { words: Words }) {
  const path = `/v1/${words.place}/${encodeURIComponent(name)}`;
  const hold = () => {
    let reason = "";
    ask({
      title: words.question(name),
      text: (
        <>
          <p>{words.explained}</p>
          <label class="field">
            <span class="field-name">Why, for others to read</span>
            <input
              type="text"
              maxLength={MAX_REASON}
              onInput={(event) => (reason = event.currentTarget.value.trim())}
            />
          </label>
        </>
      ),
      action: words.hold,
      run: async () => {
        await call(
          "POST",
          `${path}:${words.hold.toLowerCase()}`,
          reason ? JSON.stringify({ reason }) : undefined,
        );
      },
    });
  };
  const lift = () =>
    ask({
      title: `${words.lift} ${name}?`,
      text: <p>Jobs that wait begin at once.</p>,
      action: words.lift,
      run: async () => {
        await call("POST", `${path}:${words.lift.toLowerCase()}`);
      },
    });
  const action = held ? words.lift : words.hold;
  return (
    <button type="button" aria-label={`${action} ${name}`} onClick={held ? lift : hold}>
      {action}…
    </button>
  );
}
