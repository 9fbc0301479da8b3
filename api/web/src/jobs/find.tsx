// Goes to the job whose UUID is typed or pasted.

import { useState } from "preact/hooks";
import { go } from "../route";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

export function Find() {
  const [wrong, setWrong] = useState(false);
  return (
    <form
      class="find"
      role="search"
      aria-label="Find a job"
      onSubmit={(event) => {
        event.preventDefault();
        const input = event.currentTarget.elements.namedItem("uuid") as HTMLInputElement;
        const uuid = input.value.trim().toLowerCase();
        if (UUID.test(uuid)) go(`/jobs/${uuid}`);
        else setWrong(true);
      }}
    >
      <label>
        <span class="hidden-text">Go to the job with the UUID</span>
        <input
          name="uuid"
          type="search"
          placeholder="Go to a UUID"
          autocomplete="off"
          spellcheck={false}
          aria-invalid={wrong}
          aria-describedby={wrong ? "find-wrong" : undefined}
          onInput={() => setWrong(false)}
        />
      </label>
      {wrong && (
        <span id="find-wrong" class="field-error" role="alert">
          That is no UUID.
        </span>
      )}
    </form>
  );
}
