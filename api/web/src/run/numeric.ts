// What all fields for numbers have in common.

/**
 * A field of type number drops what it cannot read, rounds at its arrows, and refuses what is larger
 * than the browser's own numbers.
 */
export const NUMERIC = { type: "text", inputMode: "decimal", autocomplete: "off" } as const;
