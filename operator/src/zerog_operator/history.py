"""What was seen of a queue, as sums that never jump: the past that a decision may stand on.

`follow` takes a reading and returns a new `QueueHistory`; nothing is changed in place. Counters
of beanstalkd begin anew when a tube or the server does; the sums here do not: every step is a
difference of two readings, and a reading that cannot be compared with the one before (another
server, a clock that went back, a gap) begins a new series.

The invariant: bounded. Fine samples for a minute, coarse ones for an hour, whatever happens.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace

from zerog_operator.model import QueueReading

#: Fine samples are this far apart at least, and kept for so long.
FINE_SPACING_SECONDS = 0.5
FINE_SECONDS = 60.0
#: Coarse samples: enough to see the length of jobs that come every few minutes.
COARSE_SPACING_SECONDS = 15.0
COARSE_SECONDS = 3600.0
#: Two readings further apart say nothing of what was between them.
MAX_GAP_SECONDS = 45.0


@dataclass(frozen=True, slots=True)
class Sample:
    """Sums since the series began, and what was there at that moment."""

    time: float
    #: Entries that became ready for the first time.
    entered: int = 0
    #: Entries that were deleted: jobs that were finished.
    departed: int = 0
    #: Slot-seconds that were held by jobs.
    busy_seconds: float = 0.0
    ready: int = 0
    #: Slots that held a job.
    busy: int = 0


@dataclass(frozen=True, slots=True)
class QueueHistory:
    """A series of samples, oldest first; empty before the first reading."""

    last: QueueReading | None = None
    newest: Sample | None = None
    fine: tuple[Sample, ...] = ()
    coarse: tuple[Sample, ...] = ()

    @property
    def samples(self) -> Sequence[Sample]:
        """All samples, oldest first: coarse ones, then the fine ones of the last minute."""
        if not self.fine or not self.coarse:
            return self.fine or self.coarse
        # Asked for several times in each decision: copied as a whole, not sample by sample.
        older = bisect_left(self.coarse, self.fine[0].time, key=lambda sample: sample.time)
        return self.coarse[:older] + self.fine


def follow(history: QueueHistory, reading: QueueReading, slots: int | None) -> QueueHistory:
    """Return the history with a reading added.

    `slots` is how many slots exist; what is reserved beyond them waits in a worker's hands for
    its turn and is not work in progress. None: not known.
    """
    last, newest = history.last, history.newest
    if last is not None and reading.time == last.time:
        return history
    busy = reading.reserved if slots is None else min(reading.reserved, slots)
    if last is None or newest is None or not _continues(last, reading):
        sample = Sample(reading.time, ready=reading.ready, busy=busy)
        return QueueHistory(reading, sample, (sample,), (sample,))
    sample = _next_sample(newest, last, reading, busy)
    return replace(
        history,
        last=reading,
        newest=sample,
        fine=_append(history.fine, sample, FINE_SPACING_SECONDS, FINE_SECONDS),
        coarse=_append(history.coarse, sample, COARSE_SPACING_SECONDS, COARSE_SECONDS),
    )


def _continues(last: QueueReading, reading: QueueReading) -> bool:
    return reading.server == last.server and 0 < reading.time - last.time <= MAX_GAP_SECONDS


def _next_sample(newest: Sample, last: QueueReading, reading: QueueReading, busy: int) -> Sample:
    seconds = reading.time - last.time
    # A delayed or buried entry has not become ready (again) yet: it arrives when it does.
    aside = (reading.delayed + reading.buried) - (last.delayed + last.buried)
    return Sample(
        time=reading.time,
        entered=newest.entered + _increase(last.total, reading.total) - aside,
        departed=newest.departed + _increase(last.deleted, reading.deleted),
        busy_seconds=newest.busy_seconds + (newest.busy + busy) / 2 * seconds,
        ready=reading.ready,
        busy=busy,
    )


def _increase(before: int, after: int) -> int:
    """Return how far a counter has come; one that is lower than it was has begun anew at zero."""
    return after - before if after >= before else after


def _append(
    samples: tuple[Sample, ...], sample: Sample, spacing: float, keep_seconds: float
) -> tuple[Sample, ...]:
    if sample.time - samples[-1].time < spacing:
        return samples
    # One sample from before the window stays, so that differences span all of it.
    if len(samples) > 1 and sample.time - samples[1].time >= keep_seconds:
        samples = samples[1:]
    return (*samples, sample)
