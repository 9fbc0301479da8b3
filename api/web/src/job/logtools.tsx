// Searches a log, chooses its level, and saves it.

import { useState } from "preact/hooks";
import { save } from "../download";
import { wholeLog } from "./lines";

export interface LogChoice {
  level: string;
  text: string;
}

interface Props {
  uuid: string;
  levels: string[];
  choice: LogChoice;
  choose: (choice: LogChoice) => void;
}

export function LogTools({ uuid, levels, choice, choose }: Props) {
  const [saving, setSaving] = useState<"" | "busy" | "failed">("");
  const download = async () => {
    setSaving("busy");
    try {
      save(`${uuid}.log`, "text/plain", await wholeLog(uuid));
      setSaving("");
    } catch {
      setSaving("failed");
    }
  };
  return (
    <div class="log-tools">
      <input
        type="search"
        placeholder="Search the log"
        aria-label="Search the log"
        value={choice.text}
        onInput={(event) => choose({ ...choice, text: event.currentTarget.value })}
      />
      <label class="inline-field">
        From{" "}
        <select
          value={choice.level}
          onChange={(event) => choose({ ...choice, level: event.currentTarget.value })}
        >
          {levels.map((item) => (
            <option key={item}>{item}</option>
          ))}
        </select>
      </label>
      <button
        type="button"
        class="link"
        aria-label="Download the log"
        disabled={saving === "busy"}
        onClick={() => void download()}
      >
        {saving === "busy" ? "Loading…" : saving === "failed" ? "Failed: try again" : "Download"}
      </button>
    </div>
  );
}
