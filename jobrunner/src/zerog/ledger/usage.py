"""What the attempts of a job type took: for people who size workers. Pure.

Figures are of the attempts that ended. None: nothing of that kind ended, or nobody could tell.
"""

from collections.abc import Mapping

from msgspec import Struct

from zerog.ledger.counts import CPUS, PEAKS, RUNS, Counts, JobKind

#: Types that are listed; those with the most work come first.
MAX_TYPES = 100


class Usage(Struct, frozen=True, rename="camel"):
    """What the attempts of a type of a queue took."""

    queue: str
    name: str
    #: Attempts that ended, and jobs by how they ended.
    ended: int
    succeeded: int
    failed: int
    cancelled: int
    #: The sum of what attempts ran: the time that slots were busy with the type.
    busy_seconds: float
    #: The sum of the processor time.
    cpu_seconds: float
    run50_seconds: float | None
    run95_seconds: float | None
    cpu50_seconds: float | None
    cpu95_seconds: float | None
    #: Of the largest process of an attempt.
    peak50_bytes: int | None
    peak95_bytes: int | None
    peak99_bytes: int | None


def usage_of(counts_by_kind: Mapping[JobKind, Counts]) -> list[Usage]:
    """Return the usage of each kind, the busiest first."""
    found = [_usage(kind, counts) for kind, counts in counts_by_kind.items()]
    found = [usage for usage in found if usage.ended or usage.cancelled]
    found.sort(key=lambda usage: (-usage.busy_seconds, usage.queue, usage.name))
    return found[:MAX_TYPES]


def _usage(kind: JobKind, counts: Counts) -> Usage:
    return Usage(
        queue=kind.queue,
        name=kind.type,
        ended=counts.get("ended", 0),
        succeeded=counts.get("succeeded", 0),
        failed=counts.get("failed", 0),
        cancelled=counts.get("cancelled", 0),
        busy_seconds=counts.get(RUNS.total, 0) / RUNS.units,
        cpu_seconds=counts.get(CPUS.total, 0) / CPUS.units,
        run50_seconds=RUNS.quantile(counts, 0.5),
        run95_seconds=RUNS.quantile(counts, 0.95),
        cpu50_seconds=CPUS.quantile(counts, 0.5),
        cpu95_seconds=CPUS.quantile(counts, 0.95),
        peak50_bytes=peak_bytes(counts, 0.5),
        peak95_bytes=peak_bytes(counts, 0.95),
        peak99_bytes=peak_bytes(counts, 0.99),
    )


def peak_bytes(counts: Counts, share: float) -> int | None:
    """Return how much memory this share of the attempts needed at most."""
    peak = PEAKS.quantile(counts, share)
    return None if peak is None else round(peak)
