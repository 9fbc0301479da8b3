// The drawing of a chart: grid, times, bars and lines, and the minute that is pointed at.

import { duration, minute } from "../format";
import {
  HEIGHT,
  highestOf,
  isWritten,
  leftOf,
  marksOf,
  minuteAt,
  PAD,
  scaleOf,
  type Series,
  stackAt,
  withoutLast,
} from "./scale";
import { Line } from "./line";
import { useWidth } from "./width";

interface Props {
  label: string;
  times: string[];
  bars: Series[];
  lines: Series[];
  format: (value: number) => string;
  at: number | null;
  point: (index: number | null) => void;
}

export function Plot({ label, times, bars, lines: given, format, at, point }: Props) {
  const lines = given.map(withoutLast);
  const [element, width] = useWidth();
  const highest = highestOf(bars, lines, times.length);
  const marks = marksOf(highest);
  const scale = scaleOf(width, leftOf(marks.map(format)), times.length, highest);
  const { left, step, x, y } = scale;
  const right = width - PAD.right;
  const read = (event: PointerEvent) => {
    const box = (event.currentTarget as SVGElement).getBoundingClientRect();
    point(minuteAt(event.clientX - box.left, scale, times.length));
  };
  return (
    <div ref={element}>
      <svg
        width={width}
        height={HEIGHT}
        role="img"
        aria-label={label}
        onPointerMove={read}
        onPointerLeave={() => point(null)}
      >
        {marks.map((mark) => (
          <g key={mark}>
            <line class="grid" x1={left} x2={right} y1={y(mark)} y2={y(mark)} />
            <text class="axis" x={left - 6} y={y(mark) + 4} text-anchor="end">
              {format(mark)}
            </text>
          </g>
        ))}
        {times.map((text, index) =>
          isWritten(text, index, step, times.length) ? (
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
        <text class="axis" x={left} y={HEIGHT - 4}>
          {duration(times.length * 60)} ago
        </text>
        <text class="axis" x={right} y={HEIGHT - 4} text-anchor="end">
          now
        </text>
        {at !== null && (
          <rect class="cursor" x={x(at)} y={PAD.top} width={step} height={y(0) - PAD.top} />
        )}
        {times.map((text, index) =>
          stackAt(bars, index).map(({ bar, from, to }) => (
            <rect
              key={text + bar.name}
              class={`fill-${bar.kind}${index === times.length - 1 ? " unfinished" : ""}`}
              x={x(index) + 0.5}
              width={Math.max(1, step - 1)}
              y={y(to)}
              height={Math.max(1, y(from) - y(to))}
            />
          )),
        )}
        {lines.map((line) => (
          <Line key={line.name} line={line} scale={scale} />
        ))}
      </svg>
    </div>
  );
}
