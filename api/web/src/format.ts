// Numbers and times for people. Unknown is a dash, never a zero.

export const DASH = "–";

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const one = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

type Maybe = number | null | undefined;

const isKnown = (value: Maybe): value is number => value != null && Number.isFinite(value);

export function count(value: Maybe): string {
  if (!isKnown(value)) return DASH;
  if (value === 0) return "0";
  // A rate may be small. It is not nothing.
  if (value > 0 && value < 0.05) return "<0.1";
  return Math.abs(value) < 10 ? one.format(value) : whole.format(value);
}

/** A duration in the two units that matter: `420 ms`, `12 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h`. */
export function duration(seconds: Maybe): string {
  if (!isKnown(seconds) || seconds < 0) return DASH;
  if (seconds === 0) return "0 s";
  const milliseconds = Math.max(1, Math.round(seconds * 1000));
  if (milliseconds < 1000) return `${milliseconds} ms`;
  if (seconds < 10) return `${one.format(seconds)} s`;
  const total = Math.round(seconds);
  const parts: [number, string][] = [
    [Math.floor(total / 86400), "d"],
    [Math.floor(total / 3600) % 24, "h"],
    [Math.floor(total / 60) % 60, "min"],
    [total % 60, "s"],
  ];
  const first = parts.findIndex(([number]) => number > 0);
  return parts
    .slice(first, first + 2)
    .filter(([number]) => number > 0)
    .map(([number, unit]) => `${whole.format(number)} ${unit}`)
    .join(" ");
}

export function secondsBetween(from: string, to: string | number): number {
  const end = typeof to === "number" ? to : Date.parse(to);
  return Math.max(0, (end - Date.parse(from)) / 1000);
}

const clock = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
});
const short = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const full = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "long" });

/** Write a time; a dash for a text that is none, which a format would throw at. */
function written(text: string, write: (date: Date) => string): string {
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? DASH : write(date);
}

/** `14:03:22` today, `3 Mar 14:03:22` on another day. */
export const time = (text: string): string =>
  written(text, (date) => onDay(date, clock.format(date)));

const onDay = (date: Date, text: string): string =>
  new Date().toDateString() === date.toDateString() ? text : `${day.format(date)} ${text}`;

const milliseconds = new Intl.DateTimeFormat("en-GB", {
  hour: "2-digit",
  minute: "2-digit",
  second: "2-digit",
  fractionalSecondDigits: 3,
});

/** As `time`, with milliseconds: `14:03:22.041`. */
export const exactTime = (text: string): string =>
  written(text, (date) => onDay(date, milliseconds.format(date)));

export const minute = (text: string): string => written(text, (date) => short.format(date));
export const fullTime = (text: string): string => written(text, (date) => full.format(date));

/** How long ago, coarsely. */
export function ago(text: string, now: number): string {
  const seconds = secondsBetween(text, now);
  if (Number.isNaN(seconds)) return DASH;
  if (seconds < 5) return "now";
  if (seconds < 60) return `${Math.floor(seconds)} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86400)} d ago`;
}

export const plural = (number: number, word: string): string =>
  `${count(number)} ${word}${number === 1 ? "" : "s"}`;
