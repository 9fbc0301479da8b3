// Texts of any length in the room that there is; the whole text is shown when pointed at.

/** A name on one line. */
export function Cut({ text }: { text: string }) {
  return (
    <span class="cut" title={text}>
      {text}
    </span>
  );
}

/** A message on two lines. */
export function Clamp({ text }: { text: string }) {
  return (
    <span class="clamp" title={text}>
      {text}
    </span>
  );
}
