// JSON for reading, copying and taking along.

import { useMemo, useState } from "preact/hooks";
import { save } from "./download";
import { indent } from "./jsontext";
import type { JsonText } from "./types";

const SHOWN_CHARS = 20_000;

/** Only where the connection is secure. */
const clipboard = navigator.clipboard as Clipboard | undefined;

interface Props {
  text: JsonText;
  label: string;
  /** The name of a file to save it as; none: it is not offered. */
  file?: string;
}

/** JSON for reading: bounded until somebody asks for all of it. The file holds it as it was sent. */
export function Json({ text: sent, label, file }: Props) {
  const [all, setAll] = useState(false);
  const [copied, setCopied] = useState(false);
  const text = useMemo(() => indent(sent), [sent]);
  const cut = !all && text.length > SHOWN_CHARS;
  const copy = async () => {
    await clipboard?.writeText(text);
    setCopied(true);
  };
  return (
    <div class="json">
      <pre tabIndex={0} role="group" aria-label={label}>
        {cut ? text.slice(0, SHOWN_CHARS) : text}
      </pre>
      <p class="json-actions">
        {cut && (
          <button type="button" class="link" onClick={() => setAll(true)}>
            Show all {text.length.toLocaleString("en")} characters
          </button>
        )}
        {clipboard && (
          <button
            type="button"
            class="link"
            onClick={() => void copy()}
            aria-label={`Copy ${label.toLowerCase()}`}
          >
            {copied ? "Copied" : "Copy"}
          </button>
        )}
        {file && (
          <button
            type="button"
            class="link"
            onClick={() => save(file, "application/json", [sent])}
            aria-label={`Download ${label.toLowerCase()}`}
          >
            Download
          </button>
        )}
      </p>
    </div>
  );
}
