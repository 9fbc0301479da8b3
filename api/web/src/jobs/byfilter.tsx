// Replays or cancels all jobs that the filter shows.

import { call } from "../api";
import { plural } from "../format";
import { type Changed, FINISHED, isFinished, type State, STATES } from "../types";
import type { Ask } from "../ui";
import { chosenBy, type Filter, isOfEnds, told } from "./filter";

/** What the API changes in one call. */
const MANY = 1000;

export function ByFilter({ filter, ask }: { filter: Filter; ask: Ask }) {
  const chosen = filter.state.split(",").filter(Boolean) as State[];
  const finished = chosen.length > 0 ? chosen.filter(isFinished) : (["failed"] as State[]);
  const unfinished = (chosen.length > 0 ? chosen : isOfEnds(filter) ? FINISHED : STATES).filter(
    (state) => !isFinished(state),
  );
  const change = async (path: string, states: State[], verb: string) => {
    const body = { limit: MANY, filter: chosenBy(filter, states, Date.now()) };
    const answer = await call<Changed>("POST", path, JSON.stringify(body));
    return (
      <p>
        {plural(answer!.changed, "job")} {verb}.
        {answer!.more && " There are more: do it again for the next ones."}
      </p>
    );
  };
  return (
    <div class="actions">
      <button
        type="button"
        disabled={finished.length === 0}
        onClick={() =>
          ask({
            title: "Replay these jobs?",
            text: (
              <>
                <p>
                  Jobs with {told(filter, finished)} run again with fresh budgets, the newest{" "}
                  {MANY.toLocaleString("en")} at most.
                </p>
                {finished.includes("succeeded") && <p>What succeeded is done once more.</p>}
              </>
            ),
            action: "Replay",
            run: () => change("/v1/jobs:retry", finished, "replayed"),
          })
        }
      >
        Replay {chosen.length > 0 ? "matching" : "failed"}…
      </button>
      <button
        type="button"
        disabled={unfinished.length === 0}
        onClick={() =>
          ask({
            title: "Cancel these jobs?",
            text: (
              <p>
                Jobs with {told(filter, unfinished)} are cancelled, the newest{" "}
                {MANY.toLocaleString("en")} at most. Running ones get a moment to clean up.
              </p>
            ),
            action: "Cancel the jobs",
            danger: true,
            run: () => change("/v1/jobs:cancel", unfinished, "cancelled"),
          })
        }
      >
        Cancel {chosen.length > 0 ? "matching" : "unfinished"}…
      </button>
    </div>
  );
}
