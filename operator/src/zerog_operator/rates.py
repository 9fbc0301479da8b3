"""How fast jobs come, how long they take, how long they wait: measured, not typed in.

Little's law gives the mean job time from counters alone: slots held on average = jobs finished
per second x seconds a job holds its slot. Until enough jobs have ended, `expectedJobSeconds` (or
what was measured last) counts as a few jobs of that length; jobs that run long without any end
raise the estimate by the time that they have certainly taken already.

The invariant: every figure is a property of the history alone, and none is ever negative.
"""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from zerog_operator.history import QueueHistory, Sample
from zerog_operator.model import Rates

#: Arrivals are counted over this long: short enough to follow a step, long enough for a mean.
ARRIVAL_SECONDS = 30.0
#: Ends of jobs are counted over these, and the higher rate is believed.
ENDS_SECONDS = (5.0, 30.0)
#: The mean of so many finished jobs, and of at least so long a time, is taken for the job time.
ENOUGH_JOBS = 20
ENOUGH_SECONDS = 20.0
#: Jobs that ran already when the window began do no harm if they are no more than this part.
FEW_SHARE = 0.1
#: What is believed beforehand weighs as many jobs, fading out over the first ENOUGH_JOBS.
PRIOR_JOBS = 2.0
#: So short a job costs its slot this much all the same.
MIN_JOB_SECONDS = 0.005


@dataclass(frozen=True, slots=True)
class JobTime:
    """How long jobs take."""

    seconds: float
    #: How many finished jobs stand behind it.
    jobs: int


def measure(
    history: QueueHistory, *, now: float, believed_job_seconds: float, pod_start_seconds: float
) -> Rates:
    """Return the rates that a history shows."""
    job_time = measure_job_time(history, believed_job_seconds)
    arrivals, departures = _flow(history, now)
    return Rates(
        arrivals_per_second=arrivals,
        departures_per_second=departures,
        job_seconds=job_time.seconds,
        job_seconds_measured=job_time.jobs > 0,
        pod_start_seconds=pod_start_seconds,
    )


def measure_job_time(history: QueueHistory, believed_seconds: float | None) -> JobTime:
    """Return how long jobs take, by Little's law over the latest jobs; None believes nothing."""
    newest = history.newest
    if newest is None:
        return JobTime(believed_seconds or 0.0, 0)
    since = _reference(history.samples, newest)
    jobs = max(0, newest.departed - since.departed)
    held = max(0.0, newest.busy_seconds - since.busy_seconds)
    # Jobs that run now and did not at the beginning of the window have taken a part of `held`
    # and will leave after it; in a steady flow as many were cut off at the beginning.
    growth = max(0, newest.busy - since.busy)
    finished = held * jobs / (jobs + growth) if jobs else 0.0
    estimate = finished / jobs if jobs else 0.0
    if believed_seconds is not None:
        weight = PRIOR_JOBS * max(0.0, 1 - jobs / ENOUGH_JOBS)
        estimate = (weight * believed_seconds + finished) / (weight + jobs)
    at_least = held / (jobs + newest.busy) if newest.busy else 0.0
    return JobTime(max(estimate, at_least, MIN_JOB_SECONDS), jobs)


def _reference(samples: Sequence[Sample], newest: Sample) -> Sample:
    """Return the latest sample that enough jobs and enough time have passed since.

    A window that began while many jobs ran, and ends with few, would count the ends of those
    many and not the time that they had taken before it: it begins earlier then.
    """
    enough = bisect_right(samples, newest.departed - ENOUGH_JOBS, key=lambda it: it.departed)
    old = bisect_right(samples, newest.time - ENOUGH_SECONDS, key=lambda it: it.time)
    index = max(0, min(enough, old) - 1)
    while index and samples[index].busy > max(
        newest.busy, FEW_SHARE * (newest.departed - samples[index].departed)
    ):
        index -= 1
    return samples[index]


def seen_to_end(history: QueueHistory, now: float) -> float | None:
    """Return how many jobs a second were lately seen to end, at the best; None: not measured.

    Over a long while, and over a short one: work that has just begun has no long while yet.
    """
    newest = history.newest
    if newest is None or len(history.fine) < 2:
        return None
    rates = []
    for seconds in ENDS_SECONDS:
        index = bisect_right(history.fine, now - seconds, key=lambda it: it.time)
        since = history.fine[max(0, index - 1)]
        passed = max(seconds, newest.time - since.time)
        rates.append((newest.departed - since.departed) / passed)
    return max(rates)


def _flow(history: QueueHistory, now: float) -> tuple[float | None, float | None]:
    newest = history.newest
    if newest is None or len(history.fine) < 2:
        return None, None
    samples = history.fine
    index = bisect_right(samples, now - ARRIVAL_SECONDS, key=lambda it: it.time)
    since = samples[max(0, index - 1)]
    seconds = max(ARRIVAL_SECONDS, newest.time - since.time)
    entered = max(0, newest.entered - since.entered)
    return entered / seconds, (newest.departed - since.departed) / seconds


def late_entries(history: QueueHistory, now: float, seconds: float) -> int:
    """Return how many entries certainly are ready for longer than this, in whatever order.

    No more than those that have arrived since can be younger; what was not ready all the time is
    not counted. While the history is younger than that, nothing is certain: 0.
    """
    newest, samples = history.newest, history.samples
    index = bisect_right(samples, now - seconds, key=lambda it: it.time)
    if newest is None or not index:
        return 0
    left = newest.ready - max(0, newest.entered - samples[index - 1].entered)
    return max(0, min([left, *(sample.ready for sample in samples[index - 1 :])])) if left else 0


def waiting_ages(history: QueueHistory, now: float) -> Iterator[tuple[float, int]]:
    """Yield (age, entries): the ready entries by how long they wait, youngest first.

    First in, first out is assumed: the entries that are ready now are those that came last.
    Those that were there before the history began have waited at least as long as it lasts.
    """
    newest = history.newest
    if newest is None or newest.ready <= 0:
        return
    left = newest.ready
    samples = history.samples
    later = newest
    for sample in reversed(samples):
        came = min(left, max(0, later.entered - sample.entered))
        if came:
            yield max(0.0, now - sample.time), came
            left -= came
        if not left:
            return
        later = sample
    yield max(0.0, now - samples[0].time), left
