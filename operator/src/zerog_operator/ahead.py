"""How many slots delayed entries need when they fall due, so that their pods are ready by then.

A pod takes a while to be ready. Entries that fall due within that while need their pods now; later
ones can wait. Entries that fall due together need more slots than a stream of them: what counts is
the densest stretch of time. Pure.

The invariant: what is not known to fall due asks for nothing, and nothing here asks for fewer.
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby
from math import ceil

from zerog_operator.demand import MARGIN_SHARE, MAX_GROUPS, slots_for_depth, turns
from zerog_operator.model import QueueReading, Rates
from zerog_operator.pool import PoolSpec

#: Pods shall be ready this much before: a look and the news of a pod's readiness take a second.
EARLY_SECONDS = 2.0
#: beanstalkd counts whole seconds: an entry becomes ready up to so much after it fell due.
ROUNDING_SECONDS = 1.0
#: Quotients of whole numbers are a little more than whole sometimes.
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Due:
    """Entries that fall due together, or nearly so."""

    #: From now.
    seconds: float
    count: int


def ready_by(before: float, rates: Rates, now: float) -> float:
    """Return until when what falls due needs its pods now.

    It never goes back from where it was: pods that start sooner than those before them would be too
    many while they wait for what they were made for.
    """
    return max(before, now + rates.node_wait_seconds + rates.pod_start_seconds + EARLY_SECONDS)


def due_soon(
    times: Sequence[float] | None, queue: QueueReading, *, until: float, now: float
) -> tuple[Due, ...]:
    """Return what falls due from now until then.

    `times` are in ascending order; None: unknown. A record may say that a job is delayed whose
    entry is not there any more, so there are never more than the queue has delayed.
    """
    if not times:
        return ()
    first = bisect_left(times, now - ROUNDING_SECONDS)
    last = min(bisect_left(times, until), first + queue.delayed)
    width = max(1, ceil((last - first) / MAX_GROUPS))
    starts = [times[place - (place - first) % width] for place in range(first, last)]
    return tuple(Due(max(0.0, time - now), sum(1 for _ in same)) for time, same in groupby(starts))


def slots_ahead(spec: PoolSpec, due: Sequence[Due], busy: int, job_seconds: float) -> int:
    """Return the slots that a pool's scaling asks for, `busy` of which hold a job now."""
    scaling = spec.scaling
    if scaling.jobs_per_worker is None:
        return slots_for_due(due, busy, job_seconds, scaling.target_start_seconds or 0.0)
    depth = depth_of_due(due, busy, job_seconds)
    return min(depth, slots_for_depth(depth, 0, scaling.jobs_per_worker / spec.slots))


def slots_for_due(due: Sequence[Due], busy: int, job_seconds: float, target_seconds: float) -> int:
    """Return the fewest slots with which all of them start in time."""
    start_seconds = target_seconds * (1 - MARGIN_SHARE)
    needed = 0.0
    for first, last, count in _stretches(due):
        held = _held(busy, first, job_seconds)
        time = last - first + start_seconds
        left = count - held * time / job_seconds
        needed = max(needed, held + max(0.0, left) / turns(time, job_seconds))
    return ceil(needed - _ROUNDING)


def depth_of_due(due: Sequence[Due], busy: int, job_seconds: float) -> int:
    """Return how many entries there will be at once: those that run then, and those due."""
    depth = [
        count + _held(busy, first, job_seconds)
        for first, last, count in _stretches(due)
        if last - first < job_seconds
    ]
    return ceil(max(depth, default=0.0) - _ROUNDING)


def _stretches(due: Sequence[Due]) -> Iterator[tuple[float, float, int]]:
    """Return all stretches of time: their first and last seconds, and what falls due in them."""
    for place, first in enumerate(due):
        counts = accumulate(item.count for item in due[place:])
        for last, count in zip(due[place:], counts, strict=True):
            yield first.seconds, last.seconds, count


def _held(busy: int, seconds: float, job_seconds: float) -> float:
    """Return how many slots the jobs that run now will still hold then."""
    return busy * max(0.0, 1 - seconds / job_seconds)
