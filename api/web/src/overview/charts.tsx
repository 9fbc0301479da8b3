// The charts of the last hour.

import { Chart } from "../chart/chart";
import { count, duration } from "../format";
import type { Stats } from "../types";
import { added, of, sum, waiting } from "./history";

export function Charts({ stats, queue }: { stats: Stats; queue: string }) {
  const histories = of(stats.queues, queue);
  const length = stats.times.length;
  const succeeded = added(histories, "succeeded", length);
  const failed = added(histories, "failed", length);
  const cancelled = added(histories, "cancelled", length);
  const expired = added(histories, "expired", length);
  const { mean, upper } = waiting(histories, length);
  const known = upper.filter((value) => value !== null);
  return (
    <section class="charts" aria-labelledby="history">
      <h2 id="history" class="hidden-text">
        The last hour
      </h2>
      <Chart
        title="Jobs finished per minute"
        times={stats.times}
        bars={[
          { name: "succeeded", kind: "succeeded", values: succeeded },
          { name: "failed", kind: "failed", values: failed },
          { name: "cancelled", kind: "cancelled", values: cancelled },
          { name: "expired", kind: "expired", values: expired },
        ]}
        lines={[{ name: "accepted", kind: "ink", values: added(histories, "accepted", length) }]}
        summary={`In the last hour ${count(sum(succeeded))} succeeded, ${count(sum(failed))} failed, ${count(sum(cancelled))} were cancelled, ${count(sum(expired))} expired.`}
        format={count}
      />
      <Chart
        title="Waiting until the start"
        times={stats.times}
        lines={[
          { name: "p95", kind: "waiting", values: upper },
          { name: "mean", kind: "running", values: mean },
        ]}
        summary={
          known.length === 0
            ? "Nothing started in the last hour."
            : `In the slowest minute 95 of 100 jobs started within ${duration(Math.max(...known))}.`
        }
        format={duration}
      />
    </section>
  );
}
