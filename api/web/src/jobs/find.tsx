// Looks for a text in the page of jobs, and goes to the job whose UUID is typed or pasted.

import { go } from "../route";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

export function Find({ text, set }: { text: string; set: (text: string) => void }) {
  return (
    <form
      class="find"
      role="search"
      aria-label="Find a job"
      onSubmit={(event) => {
        event.preventDefault();
        const uuid = text.trim().toLowerCase();
        if (UUID.test(uuid)) go(`/jobs/${uuid}`);
      }}
    >
      <input
        type="search"
        placeholder="Search this page, or go to a UUID"
        aria-label="Search this page, or go to a UUID"
        autocomplete="off"
        spellcheck={false}
        value={text}
        onInput={(event) => set(event.currentTarget.value)}
      />
    </form>
  );
}
