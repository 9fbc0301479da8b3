// Small charts of the last hour, drawn as SVG: bars on top of each other, and lines.
// Every chart says its essence to screen readers and has its numbers in a table.

import { useEffect, useRef, useState } from "preact/hooks";
import { DASH, duration, minute } from "./format";

export interface Series {
  name: string;
  /** The colour's class in style.css. */
  kind: string;
  values: (number | null)[];
}

interface Props {
  title: string;
  times: string[];
  bars?: Series[];
  lines?: Series[];
  /** What the chart says in one sentence. */
  summary: string;
  format: (value: number) => string;
}

const HEIGHT = 150;
const PAD = { left: 54, right: 6, top: 8, bottom: 20 };
/** So far from both ends, in pixels, there is room for the times between them. */
const ROOM = 64;

/** Round numbers whose half is round, too. */
const STEPS = [1, 1.2, 1.6, 2, 2.4, 3, 4, 5, 6, 8, 10];

/** The next round number. */
export function niceCeiling(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return power * STEPS.find((step) => step * power >= value * 0.999999)!;
}

function useWidth() {
  const element = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(480);
  useEffect(() => {
    const watch = new ResizeObserver(([entry]) =>
      setWidth(Math.max(200, Math.floor(entry!.contentRect.width))),
    );
    watch.observe(element.current!);
    return () => watch.disconnect();
  }, []);
  return [element, width] as const;
}

export function Chart({ title, times, bars = [], lines: given = [], summary, format }: Props) {
  // The minute that is not over yet would look like a fall.
  const lines = given.map((line) => ({ ...line, values: [...line.values.slice(0, -1), null] }));
  const [element, width] = useWidth();
  const [at, setAt] = useState<number | null>(null);
  const inner = { width: width - PAD.left - PAD.right, height: HEIGHT - PAD.top - PAD.bottom };
  const stacked = times.map((_, index) =>
    bars.reduce((sum, bar) => sum + (bar.values[index] ?? 0), 0),
  );
  const highest = Math.max(
    0,
    ...stacked,
    ...lines.flatMap((line) => line.values.map((value) => value ?? 0)),
  );
  const top = niceCeiling(highest);
  const step = inner.width / Math.max(1, times.length);
  const x = (index: number) => PAD.left + index * step;
  const y = (value: number) => PAD.top + inner.height * (1 - value / top);
  const all = [...bars, ...given];
  const read = (event: PointerEvent) => {
    const box = (event.currentTarget as SVGElement).getBoundingClientRect();
    const index = Math.floor((event.clientX - box.left - PAD.left) / step);
    setAt(index >= 0 && index < times.length ? index : null);
  };
  const told = (series: Series, index: number) => {
    const value = series.values[index];
    return value == null ? DASH : format(value);
  };
  return (
    <figure class="chart">
      <figcaption>
        <h3>{title}</h3>
        <p class="legend">
          {at !== null && <span class="legend-time">{minute(times[at]!)}</span>}
          {all.map((series) => (
            <span key={series.name} class="legend-item">
              <span class={`swatch fill-${series.kind}`} aria-hidden="true" />
              {series.name}
              {at !== null && <b> {told(series, at)}</b>}
            </span>
          ))}
        </p>
      </figcaption>
      <div ref={element}>
        <svg
          width={width}
          height={HEIGHT}
          role="img"
          aria-label={`${title}. ${summary}`}
          onPointerMove={read}
          onPointerLeave={() => setAt(null)}
        >
          {[0, 0.5, 1].map((share) => (
            <g key={share}>
              <line
                class="grid"
                x1={PAD.left}
                x2={width - PAD.right}
                y1={y(top * share)}
                y2={y(top * share)}
              />
              <text class="axis" x={PAD.left - 6} y={y(top * share) + 4} text-anchor="end">
                {format(top * share)}
              </text>
            </g>
          ))}
          {times.map((text, index) =>
            new Date(text).getMinutes() % 15 === 0 &&
            index * step > ROOM &&
            (times.length - index) * step > ROOM ? (
              <text
                key={text}
                class="axis"
                x={x(index) + step / 2}
                y={HEIGHT - 4}
                text-anchor="middle"
              >
                {minute(text)}
              </text>
            ) : null,
          )}
          <text class="axis" x={PAD.left} y={HEIGHT - 4}>
            {duration(times.length * 60)} ago
          </text>
          <text class="axis" x={width - PAD.right} y={HEIGHT - 4} text-anchor="end">
            now
          </text>
          {at !== null && (
            <rect class="cursor" x={x(at)} y={PAD.top} width={step} height={inner.height} />
          )}
          {times.map((text, index) => {
            let below = 0;
            return bars.map((bar) => {
              const value = bar.values[index] ?? 0;
              if (value === 0) return null;
              const from = y(below);
              below += value;
              return (
                <rect
                  key={text + bar.name}
                  class={`fill-${bar.kind}${index === times.length - 1 ? " unfinished" : ""}`}
                  x={x(index) + 0.5}
                  width={Math.max(1, step - 1)}
                  y={y(below)}
                  height={Math.max(1, from - y(below))}
                />
              );
            });
          })}
          {lines.map((line) => (
            <g key={line.name} class={`line stroke-${line.kind}`}>
              {runs(line.values).map((run) =>
                run.length === 1 ? (
                  <circle
                    key={run[0]}
                    class={`fill-${line.kind}`}
                    cx={x(run[0]!) + step / 2}
                    cy={y(line.values[run[0]!]!)}
                    r="2"
                  />
                ) : (
                  <polyline
                    key={run[0]}
                    points={run
                      .map((index) => `${x(index) + step / 2},${y(line.values[index]!)}`)
                      .join(" ")}
                  />
                ),
              )}
            </g>
          ))}
        </svg>
      </div>
      <details class="numbers">
        <summary>Numbers</summary>
        <div class="scroll" tabIndex={0} role="region" aria-label={`${title}: numbers`}>
          <table>
            <thead>
              <tr>
                <th scope="col">Minute</th>
                {all.map((series) => (
                  <th scope="col" class="num" key={series.name}>
                    {series.name}
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {times
                .map((text, index) => (
                  <tr key={text}>
                    <td>{minute(text)}</td>
                    {all.map((series) => (
                      <td class="num" key={series.name}>
                        {told(series, index)}
                      </td>
                    ))}
                  </tr>
                ))
                .reverse()}
            </tbody>
          </table>
        </div>
      </details>
    </figure>
  );
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

/** A line without axes, for a table's row. */
export function Spark({ values, label }: { values: number[]; label: string }) {
  const [width, height] = [150, 20];
  const top = Math.max(1, ...values);
  const step = width / values.length;
  return (
    <svg class="spark" width={width} height={height} role="img" aria-label={label}>
      {values.map((value, index) =>
        value > 0 ? (
          <rect
            key={index}
            class="fill-succeeded"
            x={index * step}
            width={Math.max(1, step - 0.4)}
            y={height - Math.max(1.5, (height * value) / top)}
            height={Math.max(1.5, (height * value) / top)}
          />
        ) : null,
      )}
      <line class="grid" x1="0" x2={width} y1={height - 0.5} y2={height - 0.5} />
    </svg>
  );
}
