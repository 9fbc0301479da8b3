// A line of a chart, broken where a value is unknown. A value between unknown ones is a dot.

import { runs, type Scale, type Series } from "./scale";

export function Line({ line, scale: { x, y, step } }: { line: Series; scale: Scale }) {
  const middle = (index: number) => x(index) + step / 2;
  const height = (index: number) => y(line.values[index]!);
  return (
    <g class={`line stroke-${line.kind}`}>
      {runs(line.values).map((run) => {
        const first = run[0]!;
        return run.length === 1 ? (
          <circle
            key={first}
            class={`fill-${line.kind}`}
            cx={middle(first)}
            cy={height(first)}
            r="2"
          />
        ) : (
          <polyline
            key={first}
            points={run.map((index) => `${middle(index)},${height(index)}`).join(" ")}
          />
        );
      })}
    </g>
  );
}
