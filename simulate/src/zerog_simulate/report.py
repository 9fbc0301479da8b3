"""What a comparison says: rows for a table, JSON for programs, Markdown for the docs."""

from typing import Any

from zerog_simulate.comparison import Comparison, Row
from zerog_simulate.outcome import Outcome
from zerog_simulate.tuning import QUANTILE

COLUMNS = ("POLICY", "P50 s", "P95 s", "P99 s", "MAX s", "WORKER-s", "INTERRUPTED", "PEAK")


def table(comparison: Comparison) -> list[tuple[str, ...]]:
    """Return the table's rows: a cell for each of `COLUMNS`."""
    return [(row.name, *_cells(row.outcome)) for row in comparison.rows]


def headline(comparison: Comparison) -> str:
    """Return a sentence on the trace."""
    trace = comparison.trace
    return (
        f"trace {trace.name}: {trace.jobs} jobs in {trace.seconds:,.0f} s, "
        f"{trace.busy_seconds:,.0f} s of work"
    )


def footnotes(comparison: Comparison) -> list[str]:
    """Return how each row was set, and what the tuned ones were tuned for."""
    lines = [f"{row.name}: {row.settings}" for row in comparison.rows]
    search = comparison.search
    if search.tries:
        lines.append(
            f"tuned: the cheapest of {search.tries} tries each that starts {QUANTILE:.0%} of the "
            f"jobs within {search.goal_seconds:g} s and interrupts none"
        )
    return lines


def markdown(comparisons: list[Comparison]) -> str:
    """Return the table of several traces as it stands in docs/performance.md."""
    lines = [
        "| trace | policy | p50 (s) | p95 (s) | p99 (s) | max (s) "
        "| worker-seconds | interrupted | peak |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for comparison in comparisons:
        for number, cells in enumerate(table(comparison)):
            name = comparison.trace.name if number == 0 else ""
            lines.append(f"| {' | '.join((name, *cells))} |")
    lines += ["", "What the search found:", ""]
    for comparison in comparisons:
        tuned = [row for row in comparison.rows if "tuned" in row.name]
        lines += [f"- `{comparison.trace.name}`, {row.name}: {row.settings}" for row in tuned]
    return "\n".join(lines) + "\n"


def to_json(comparison: Comparison) -> dict[str, Any]:
    """Return everything as plain values."""
    trace, settings, search = comparison.trace, comparison.settings, comparison.search
    return {
        "trace": {
            "name": trace.name,
            "jobs": trace.jobs,
            "seconds": trace.seconds,
            "busySeconds": round(trace.busy_seconds, 3),
        },
        "slots": settings.slots,
        "podStartSeconds": settings.pod_start_seconds,
        "seed": settings.seed,
        "goalSeconds": search.goal_seconds,
        "tries": search.tries,
        "policies": [_row_json(row) for row in comparison.rows],
    }


def figures(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome's figures as plain values."""
    return {
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


def _row_json(row: Row) -> dict[str, Any]:
    outcome = row.outcome and figures(row.outcome)
    return {"name": row.name, "settings": dict(row.values), "outcome": outcome}


def _cells(outcome: Outcome | None) -> tuple[str, ...]:
    if outcome is None:
        return ("-",) * (len(COLUMNS) - 1)
    latencies = [outcome.latency(part) for part in (0.5, 0.95, 0.99, 1.0)]
    return (
        *(f"{seconds:.1f}" for seconds in latencies),
        f"{outcome.worker_seconds:,.0f}",
        str(outcome.interrupted),
        str(outcome.peak_workers),
    )
