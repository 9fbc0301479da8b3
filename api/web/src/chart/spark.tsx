// A chart in a table's row.

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
