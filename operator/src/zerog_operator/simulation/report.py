"""What a comparison says: rows for a table, JSON for programs, Markdown for the docs."""

from typing import Any

from zerog_operator.simulation.comparison import Comparison, Row
from zerog_operator.simulation.outcome import Outcome

COLUMNS = (
    "POLICY",
    "SETTINGS",
    "P50 s",
    "P95 s",
    "P99 s",
    "MAX s",
    "WORKER-SECONDS",
    "INTERRUPTED",
    "PEAK WORKERS",
)


def table(comparison: Comparison) -> list[tuple[str, ...]]:
    """Return the table's rows: a cell for each of `COLUMNS`."""
    return [(row.name, row.settings, *_cells(row.outcome)) for row in comparison.rows]


def headline(comparison: Comparison) -> str:
    """Return a sentence on the trace."""
    trace = comparison.trace
    return (
        f"trace {trace.name}: {trace.jobs} jobs in {trace.seconds:,.0f} s, "
        f"{trace.busy_seconds:,.0f} s of work"
    )


def markdown(comparisons: list[Comparison]) -> str:
    """Return the table of several traces as it stands in docs/performance.md."""
    lines = [
        "| trace | policy | settings | p50 (s) | p95 (s) | p99 (s) | max (s) "
        "| worker-seconds | interrupted | peak |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for comparison in comparisons:
        for number, cells in enumerate(table(comparison)):
            name = comparison.trace.name if number == 0 else ""
            lines.append(f"| {' | '.join((name, *cells))} |")
    return "\n".join(lines) + "\n"


def to_json(comparison: Comparison) -> dict[str, Any]:
    """Return everything as plain values."""
    trace, spec, settings = comparison.trace, comparison.spec, comparison.settings
    return {
        "trace": {
            "name": trace.name,
            "jobs": trace.jobs,
            "seconds": trace.seconds,
            "busySeconds": round(trace.busy_seconds, 3),
        },
        "pool": {
            "minReplicas": spec.min_replicas,
            "maxReplicas": spec.max_replicas,
            "slots": spec.slots,
            "targetStartSeconds": spec.scaling.target_start_seconds,
            "jobsPerWorker": spec.scaling.jobs_per_worker,
            "expectedJobSeconds": spec.scaling.expected_job_seconds,
            "scaleDownDelaySeconds": spec.scaling.scale_down_delay_seconds,
            "minIdle": spec.scaling.min_idle,
        },
        "podStartSeconds": settings.pod_start_seconds,
        "graceSeconds": settings.grace_seconds,
        "seed": settings.seed,
        "policies": [_row_json(row) for row in comparison.rows],
    }


def _row_json(row: Row) -> dict[str, Any]:
    outcome = row.outcome
    figures = outcome and {
        "startSeconds": {
            "p50": round(outcome.latency(0.5), 3),
            "p95": round(outcome.latency(0.95), 3),
            "p99": round(outcome.latency(0.99), 3),
            "max": round(outcome.latencies[-1], 3),
        },
        "workerSeconds": round(outcome.worker_seconds, 1),
        "busySeconds": round(outcome.busy_seconds, 1),
        "interrupted": outcome.interrupted,
        "peakWorkers": outcome.peak_workers,
        "finishedJobs": outcome.finished,
    }
    return {"name": row.name, "settings": row.settings, "outcome": figures}


def _cells(outcome: Outcome | None) -> tuple[str, ...]:
    if outcome is None:
        return ("-",) * (len(COLUMNS) - 2)
    latencies = [outcome.latency(part) for part in (0.5, 0.95, 0.99, 1.0)]
    return (
        *(f"{seconds:.1f}" for seconds in latencies),
        f"{outcome.worker_seconds:,.0f}",
        str(outcome.interrupted),
        str(outcome.peak_workers),
    )
