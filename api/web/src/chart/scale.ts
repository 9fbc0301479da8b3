// Where the values of a chart stand, in pixels. Pure.

export interface Series {
  name: string;
  /** The colour's class in style.css. */
  kind: string;
  values: (number | null)[];
}

export const HEIGHT = 150;

export const PAD = { right: 6, top: 8, bottom: 20 };

/** A label of the value axis: its letters, and what is free beside it. */
const LETTER = 6.4;
const LABEL_GAP = 12;

/** How much room the labels of the value axis take, in pixels. */
export const leftOf = (labels: string[]): number =>
  Math.ceil(Math.max(...labels.map((label) => label.length)) * LETTER) + LABEL_GAP;

/** So far from both ends, in pixels, there is room for the times between them. */
const ROOM = 64;

/** Round numbers whose half is round, too. */
const STEPS = [1, 1.2, 1.6, 2, 2.4, 3, 4, 5, 6, 8, 10];

/** The next round number. */
export function niceCeiling(value: number): number {
  if (!(value > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return power * STEPS.find((step) => step * power >= value * 0.999999)!;
}

/** How a chart maps minutes and values to pixels. */
export interface Scale {
  top: number;
  /** Where the minutes begin. */
  left: number;
  /** The width of a minute. */
  step: number;
  x: (index: number) => number;
  y: (value: number) => number;
}

/** The values that are written at the value axis. */
export const marksOf = (highest: number): number[] =>
  [0, 0.5, 1].map((share) => share * niceCeiling(highest));

export function scaleOf(width: number, left: number, minutes: number, highest: number): Scale {
  const height = HEIGHT - PAD.top - PAD.bottom;
  const top = niceCeiling(highest);
  const step = (width - left - PAD.right) / Math.max(1, minutes);
  return {
    top,
    left,
    step,
    x: (index) => left + index * step,
    y: (value) => PAD.top + height * (1 - value / top),
  };
}

/** The highest point of bars that stand on each other, and of lines. */
export function highestOf(bars: Series[], lines: Series[], minutes: number): number {
  const stacked = Array.from({ length: minutes }, (_, index) =>
    bars.reduce((sum, bar) => sum + (bar.values[index] ?? 0), 0),
  );
  return Math.max(0, ...stacked, ...lines.flatMap(({ values }) => values.map((item) => item ?? 0)));
}

/** The bars of a minute that have a height, each on top of the one before. */
export function stackAt(
  bars: Series[],
  index: number,
): { bar: Series; from: number; to: number }[] {
  let to = 0;
  return bars.flatMap((bar) => {
    const value = bar.values[index] ?? 0;
    if (value === 0) return [];
    const from = to;
    to += value;
    return [{ bar, from, to }];
  });
}

/** A line without its last minute: one that is not over yet would look like a fall. */
export const withoutLast = (line: Series): Series => ({
  ...line,
  values: [...line.values.slice(0, -1), null],
});

/** The minute at an offset from a chart's left edge. */
export function minuteAt(offset: number, { left, step }: Scale, minutes: number): number | null {
  const index = Math.floor((offset - left) / step);
  return index >= 0 && index < minutes ? index : null;
}

/** Whether a minute's time is written below it: each quarter of an hour, where there is room. */
export function isWritten(text: string, index: number, step: number, minutes: number): boolean {
  const hasRoom = index * step > ROOM && (minutes - index) * step > ROOM;
  return hasRoom && new Date(text).getMinutes() % 15 === 0;
}

/** Neighbouring indices that have a value: a line is not drawn over what is unknown. */
export function runs(values: (number | null)[]): number[][] {
  const found: number[][] = [];
  values.forEach((value, index) => {
    if (value == null) return;
    const last = found.at(-1);
    if (last !== undefined && last.at(-1) === index - 1) last.push(index);
    else found.push([index]);
  });
  return found;
}
