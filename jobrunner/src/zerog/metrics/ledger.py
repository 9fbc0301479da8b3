"""The counts of the ledger as Prometheus sees them: they equal the records of the jobs.

All replicas of the API give the same numbers, so a query takes the `max` of them. The number of
series is bounded: kinds beyond the first hundreds are counted together (`zerog.ledger.totals`).
A worker shows what it has counted itself since it was started, under names of its own.
"""

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from zerog.ledger.counts import CAUSES, CPUS, OUTCOMES, PEAKS, RUNS, WAITS, Classes, Counts, JobKind

_KIND = ("queue", "type")
#: Of the classes of memory, one in this many is a bucket: each twice the one before.
_PEAKS_STEP = 4

_ACCEPTED = ("jobs_accepted", "Jobs that were accepted or replayed.", "accepted")
_COUNTERS = (
    ("attempts_started", "Attempts that began.", "started"),
    ("attempts_lost", "Attempts whose worker had lost the job when they ended.", "lost"),
)
_HISTOGRAMS = (
    ("zerog_job_waiting_seconds", "How long jobs had been due when an attempt began.", WAITS, 1),
    (
        "zerog_attempt_running_seconds",
        "How long attempts ran: the sum is the time that slots were busy.",
        RUNS,
        1,
    ),
    ("zerog_attempt_cpu_seconds", "Processor time of attempts, where it is known.", CPUS, 1),
    (
        "zerog_attempt_peak_bytes",
        "Resident memory of an attempt's largest process, where it is known.",
        PEAKS,
        _PEAKS_STEP,
    ),
)


class Ledger(Collector):
    """Gives what was counted last. Until something was read, there is no series."""

    def __init__(self, *, worker: bool = False) -> None:
        """`worker`: the counts are those of one worker, of which there may be hundreds. They have
        no histograms: those of all processes are in the API's."""
        self.counts: Mapping[JobKind, Counts] = {}
        self._worker = worker
        self._prefix = "zerog_worker" if worker else "zerog"

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        yield self._labelled(
            "jobs", "Jobs that ended.", "outcome", {name: name for name in OUTCOMES}
        )
        yield self._labelled(
            "attempts", "Attempts that ended.", "cause",
            {str(cause): name for cause, name in CAUSES.items()},
        )  # fmt: skip
        for name, meaning, count in _COUNTERS if self._worker else (_ACCEPTED, *_COUNTERS):
            family = CounterMetricFamily(f"{self._prefix}_{name}", meaning, labels=_KIND)
            for kind, counts in self.counts.items():
                family.add_metric(kind, counts.get(count, 0))
            yield family
        for name, meaning, classes, step in () if self._worker else _HISTOGRAMS:
            histogram = HistogramMetricFamily(name, meaning, labels=_KIND)
            for kind, counts in self.counts.items():
                histogram.add_metric(kind, *buckets(classes, counts, step))
            yield histogram

    def _labelled(
        self, name: str, meaning: str, label: str, values: Mapping[str, str]
    ) -> CounterMetricFamily:
        family = CounterMetricFamily(f"{self._prefix}_{name}", meaning, labels=(*_KIND, label))
        for kind, counts in self.counts.items():
            for value, count in values.items():
                family.add_metric((*kind, value), counts.get(count, 0))
        return family

    def describe(self) -> Iterable[Metric]:
        """Return the names, so that nothing is counted to register this."""
        return self.collect()


def buckets(
    classes: Classes, counts: Mapping[str, int], step: int
) -> tuple[list[tuple[str, float]], float | None]:
    """Return the cumulated buckets of a histogram and its sum. Pure."""
    found, seen = [], 0
    *sizes, above = classes.sizes(counts)
    for number, size in enumerate(sizes):
        seen += size
        if number % step == 0:
            found.append((f"{classes.bounds[number]:.12g}", float(seen)))
    found.append(("+Inf", float(seen + above)))
    return found, counts.get(classes.total, 0) / classes.units
