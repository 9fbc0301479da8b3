// The buttons that pause and resume a queue, and drain and undrain a worker.

import { call } from "../api";
import type { Held } from "../types";
import type { Ask } from "../ui";

/** As the API has it. */
const MAX_REASON = 200;

interface Words {
  place: "queues" | "workers";
  hold: string;
  lift: string;
  question: (name: string) => string;
  explained: string;
  lifted: string;
}

const QUEUE: Words = {
  place: "queues",
  hold: "Pause",
  lift: "Resume",
  question: (name) => `Pause the queue ${name}?`,
  explained:
    "Workers take no job of it until it is resumed. Jobs that run finish, new ones are accepted and wait.",
  lifted: "Jobs that wait begin at once.",
};
const WORKER: Words = {
  place: "workers",
  hold: "Drain",
  lift: "Undrain",
  question: (name) => `Let the worker ${name} drain?`,
  explained: "It finishes what it runs, takes no new job, and stays until it is undrained.",
  lifted: "It takes new jobs again.",
};

interface Props {
  name: string;
  held: Held | null | undefined;
  ask: Ask;
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
            <span class="field-name">Reason (shown to others)</span>
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
      text: <p>{words.lifted}</p>,
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
