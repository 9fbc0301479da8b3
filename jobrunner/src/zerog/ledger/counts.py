"""What is counted of a job, derived from its record alone, and what counts tell. Pure.

`of_change` says what one change of a record counts. Everything in it stands in the record
afterwards: when an attempt began, how long the job had waited, how the attempt ended. So counts can
be compared with the records, and what a process had not counted when it died can be counted from
them (`of_attempt`).

Times and sizes are counted in classes with fixed bounds, so that counts of any number of processes
add up.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from zerog.model.record import Attempt, Cause, Count, JobRecord, State

#: What is counted by number. `again` is an attempt that ended without ending its job.
COUNTS = ("accepted", "started", "succeeded", "failed", "cancelled", "expired", "again")
OUTCOMES = ("succeeded", "failed", "cancelled", "expired")

Counts = dict[str, Count]


class JobKind(NamedTuple):
    """What counts are kept by."""

    queue: str
    type: str


class Fact(NamedTuple):
    """Something that happened to a job, and what it counts."""

    time: datetime
    kind: JobKind
    counts: Counts


@dataclass(frozen=True, slots=True)
class Classes:
    """A histogram: class `n` is counted as `<mark><n>`; the last class has no upper bound."""

    mark: str
    #: The count that sums up what was measured, in thousandths of a second or in KiB.
    total: str
    bounds: tuple[float, ...]
    #: How many units of the total are one of the bounds'.
    units: float = 1000
    #: The counts of the classes.
    names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        names = tuple(f"{self.mark}{number}" for number in range(len(self.bounds) + 1))
        object.__setattr__(self, "names", names)

    def of(self, value: float) -> str:
        """Return the count of the class that a value is in."""
        return self.names[bisect_left(self.bounds, value)]

    def sizes(self, counts: Mapping[str, int]) -> list[int]:
        """Return how much was counted in each class."""
        return [counts.get(name, 0) for name in self.names]

    def quantile(self, counts: Mapping[str, int], share: float) -> float | None:
        """Return what this share of the values was at most; None: there is no value.

        It is interpolated within the class; the open class is told by its lower bound.
        """
        sizes = self.sizes(counts)
        total = sum(sizes)
        if not total:
            return None
        wanted, seen = share * total, 0
        for number, size in enumerate(sizes[:-1]):
            if size and seen + size >= wanted:
                low = self.bounds[number - 1] if number else 0.0
                part = (wanted - seen) / size
                return round(low + (self.bounds[number] - low) * part, 4)
            seen += size
        return self.bounds[-1]


WAITS = Classes("w", "waited", (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0))
RUNS = Classes(
    "r", "ran", (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, 10000.0)
)
CPUS = Classes(
    "c", "cpu", (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 1000.0, 10000.0)
)
#: From 16 MiB to 64 GiB, each a fifth above the one before: as near as a hint needs to be.
PEAKS = Classes("m", "peak", tuple(float(round(2 ** (24 + n / 4))) for n in range(49)), 1 / 1024)


#: The counts of attempts by why they ended.
CAUSES = {cause: f"cause {cause}" for cause in Cause}


def of_change(before: JobRecord, after: JobRecord) -> list[Fact]:
    """Return what a change of a job's record counts."""
    facts = [accepted(after)] if after.replays > before.replays else []
    if after.attempt > before.attempt:
        facts.append(_start(after, after.attempts[-1]))
    elif before.current_attempt is not None and after.current_attempt is None:
        facts.append(_end(after, after.attempts[-1]))
    elif after.is_finished and not before.is_finished:
        kind = JobKind(after.queue, after.type)
        facts.append(Fact(after.changed_time, kind, {str(after.state): 1}))
    return facts


def of_attempt(record: JobRecord, attempt: Attempt, *, started: bool, ended: bool) -> list[Fact]:
    """Return what the begin and the end of an attempt count, as far as they are asked for.

    Its end is asked for in vain while it runs, or if its worker did not write it.
    """
    facts = [_start(record, attempt)] if started else []
    if ended and attempt.ended_time is not None and attempt.ended_by is None:
        facts.append(_end(record, attempt))
    return facts


def accepted(record: JobRecord) -> Fact:
    """Return what a job counts that was accepted or replayed."""
    return Fact(record.changed_time, JobKind(record.queue, record.type), {"accepted": 1})


def _start(record: JobRecord, attempt: Attempt) -> Fact:
    waited = attempt.waited_seconds or 0.0
    counts = {"started": 1, WAITS.total: round(waited * 1000), WAITS.of(waited): 1}
    return Fact(attempt.started_time, _kind(record, attempt), counts)


def _end(record: JobRecord, attempt: Attempt) -> Fact:
    ended = attempt.ended_time or record.changed_time
    ran = max(0.0, (ended - attempt.started_time).total_seconds())
    counts = {
        "ended": 1,
        RUNS.total: round(ran * 1000),
        RUNS.of(ran): 1,
        CAUSES[attempt.cause or Cause.CRASH]: 1,
        _outcome(record, attempt): 1,
    }
    if attempt.cpu_seconds is not None:
        counts[CPUS.total] = round(attempt.cpu_seconds * 1000)
        counts[CPUS.of(attempt.cpu_seconds)] = 1
    if attempt.peak_bytes is not None:
        counts[PEAKS.total] = attempt.peak_bytes // 1024
        counts[PEAKS.of(attempt.peak_bytes)] = 1
    return Fact(ended, _kind(record, attempt), counts)


def _kind(record: JobRecord, attempt: Attempt) -> JobKind:
    return JobKind(attempt.queue or record.queue, record.type)


#: Ends of an attempt that always end the job, whatever became of it later.
_ENDINGS = {
    Cause.SUCCEEDED: State.SUCCEEDED,
    Cause.FINISHED: State.FAILED,
    Cause.INVALID: State.FAILED,
    Cause.CANCELLED: State.CANCELLED,
}


def _outcome(record: JobRecord, attempt: Attempt) -> str:
    if attempt.cause in _ENDINGS:
        return str(_ENDINGS[attempt.cause])
    finished = record.is_finished and record.finished_time == attempt.ended_time
    return str(record.state) if finished else "again"


def sum_up(several: Iterable[Mapping[JobKind, Mapping[str, int]]]) -> dict[JobKind, Counts]:
    """Add up counts."""
    sums: dict[JobKind, Counter[str]] = {}
    for counts_by_kind in several:
        for kind, counts in counts_by_kind.items():
            sums.setdefault(kind, Counter()).update(counts)
    return {kind: dict(counts) for kind, counts in sums.items()}


def by_queue(counts_by_kind: Mapping[JobKind, Mapping[str, int]]) -> dict[str, Counts]:
    """Add up the counts of each queue's types."""
    sums: dict[str, Counter[str]] = {}
    for kind, counts in counts_by_kind.items():
        sums.setdefault(kind.queue, Counter()).update(counts)
    return {queue: dict(counts) for queue, counts in sums.items()}


def mean(thousandths: float, count: int) -> float | None:
    """Return a mean; None: nothing was counted."""
    return round(thousandths / 1000 / count, 4) if count else None


def share_within(counts: Mapping[str, int], seconds: float, late: int = 0) -> float | None:
    """Return the share of starts that waited no longer than this; None: nothing began.

    `late` jobs have not begun, and wait longer already: each is one more that did not make it.
    It is interpolated within a class. What is in the open class counts as having waited longer.
    """
    sizes: Sequence[int] = WAITS.sizes(counts)
    total = sum(sizes) + late
    if not total:
        return None
    within, low = 0.0, 0.0
    for high, size in zip(WAITS.bounds, sizes, strict=False):
        within += size * min(1.0, max(0.0, (seconds - low) / (high - low)))
        low = high
    return within / total
