// Small charts of the last hour, drawn as SVG: bars on top of each other, and lines.
// Every chart says its essence to screen readers and has its numbers in a table.

import { useState } from "preact/hooks";
import { DASH, minute } from "../format";
import { Numbers } from "./numbers";
import { Plot } from "./plot";
import type { Series } from "./scale";

export interface ChartProps {
  title: string;
  times: string[];
  bars?: Series[];
  lines?: Series[];
  /** What the chart says in one sentence. */
  summary: string;
  format: (value: number) => string;
}

export function Chart({ title, times, bars = [], lines = [], summary, format }: ChartProps) {
  const [at, setAt] = useState<number | null>(null);
  const all = [...bars, ...lines];
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
      <Plot
        label={`${title}. ${summary}`}
        times={times}
        bars={bars}
        lines={lines}
        format={format}
        at={at}
        point={setAt}
      />
      <Numbers title={title} times={times} series={all} told={told} />
    </figure>
  );
}
