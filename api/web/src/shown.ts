// Text that others wrote, made fit to be shown: what `zerog.shown` does for terminals, for the page.
// Characters that reverse what is read or are not seen, and marks that pile up on one letter, are
// shown as escapes of JSON. Pure. `rendered` applies it to everything that Preact renders, so no view
// has to think of it; the page of the calls, which has no Preact, applies it where it makes elements.

/** The same as in `zerog.shown`, but line ends and tabs, which the page lays out, stay. */
const UNSEEN =
  /[^\P{C}\n\t]|[\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]|(?<=\p{M}{4})\p{M}/gu;
const PLAIN = /^[\n\t\x20-\x7e]*$/;

const escaped = (letter: string): string =>
  letter
    .split("")
    .map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`)
    .join("");

/** Return a text that holds nothing but what is seen. Showing twice changes nothing. */
export function shown(text: string): string {
  return PLAIN.test(text) ? text : text.replace(UNSEEN, escaped);
}
