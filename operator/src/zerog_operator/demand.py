"""How many workers the load needs: the arithmetic of scaling, and nothing else.

Two questions are asked of `n` slots, and the fewest slots that answer both are what is needed.
*Will every entry that is ready now start in time?* Each waiting entry has a deadline: when it
became ready, plus `targetStartSeconds`. Slots that exist start entries at once when idle and
one each job time when busy; slots of pods that are still starting, or are yet to be made, begin
later. *Can they keep up?* In the long run `n` slots finish n / job time; that has to exceed the
arrivals.

The invariant: the answer never falls when there is more to do, and is never more than could be
used: one slot for each entry that is ready or reserved.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil, floor

#: Slots beyond what keeps up exactly, as a part of it: at 100 % use, queues grow without end.
HEADROOM = 0.1
#: An entry whose deadline no new pod can meet shall start within this part of the target after
#: the new pods' readiness: one slot each would be the fastest and the most expensive answer.
LATE_SHARE = 0.25
#: Deadlines are met this much early: job times and pod starts are means, not promises.
MARGIN_SHARE = 0.2
#: Waiting entries are looked at in so many groups at most.
MAX_GROUPS = 24


@dataclass(frozen=True, slots=True)
class Group:
    """Entries that have to start by the same moment."""

    #: Seconds from now; past deadlines are negative.
    due_seconds: float
    #: How many have to start by then, earlier groups included.
    count: int


@dataclass(frozen=True, slots=True)
class Load:
    """What there is to do, and with what."""

    ready: int
    #: Slots that hold a job now.
    busy: int
    #: Slots of ready workers, idle and busy.
    slots: int
    #: Slots of starting pods: seconds until they are expected, soonest first.
    coming: tuple[float, ...] = ()
    groups: tuple[Group, ...] = ()
    arrivals_per_second: float = 0.0
    #: Jobs that were lately seen to end; None: not measured yet.
    departures_per_second: float | None = None
    job_seconds: float = 30.0
    #: From creating a pod to its first job.
    pod_start_seconds: float = 5.0
    target_seconds: float = 10.0


def group_deadlines(ages: Iterable[tuple[float, int]], target_seconds: float) -> tuple[Group, ...]:
    """Turn (age, entries), youngest first, into groups by deadline, the most urgent first."""
    oldest_first = list(ages)[::-1]
    width = max(1, ceil(len(oldest_first) / MAX_GROUPS))
    groups = []
    count = 0
    for start in range(0, len(oldest_first), width):
        part = oldest_first[start : start + width]
        count += sum(entries for _, entries in part)
        groups.append(Group(target_seconds - part[0][0], count))
    return tuple(groups)


def slots_for_target(load: Load) -> int:
    """Return the fewest slots with which every entry starts in time and the queue stays short."""
    most = load.ready + load.busy
    keep_up = ceil(load.arrivals_per_second * load.job_seconds * (1 + HEADROOM))
    least = min(most, max(load.busy, keep_up))
    if not load.groups or _starts_in_time(load, least):
        return least
    low, high = least, most
    while high - low > 1:
        middle = (low + high) // 2
        if _starts_in_time(load, middle):
            high = middle
        else:
            low = middle
    return high


def slots_for_depth(ready: int, busy: int, jobs_per_slot: float) -> int:
    """Return the slots for so many entries, by a fixed number of entries for each."""
    return ceil((ready + busy) / jobs_per_slot)


def _starts_in_time(load: Load, slots: int) -> bool:
    latest_help = load.pod_start_seconds + LATE_SHARE * load.target_seconds
    margin = MARGIN_SHARE * load.target_seconds
    times = [max(group.due_seconds - margin, latest_help) for group in load.groups]
    return all(
        _starts_by(load, slots, time, pressing=group.due_seconds < load.pod_start_seconds)
        >= group.count
        for group, time in zip(load.groups, times, strict=True)
    )


def _starts_by(load: Load, slots: int, time: float, *, pressing: bool) -> float:
    """Return how many entries so many slots have started by then."""
    busy = min(load.busy, load.slots, slots)
    idle = min(load.slots, slots) - busy
    started = busy * time * _turnover(load, pressing) + idle * turns(time, load.job_seconds)
    left = slots - busy - idle
    for delay in _first(load.coming, left):
        started += turns(time - delay, load.job_seconds)
    made = max(0, left - len(load.coming))
    return started + made * turns(time - load.pod_start_seconds, load.job_seconds)


def _turnover(load: Load, pressing: bool) -> float:
    """Return how often in a second a busy slot takes the next entry.

    An entry that a pod made later could not help in time has waited for these slots in vain so
    far: they run longer jobs than usual, or all began at once. Then only what was seen to end
    counts, for expecting the same again at every look would make it wait for a whole job.
    """
    expected = 1 / load.job_seconds
    if not pressing or load.departures_per_second is None:
        return expected
    return min(expected, load.departures_per_second / max(1, load.busy))


def _first(values: Sequence[float], count: int) -> Sequence[float]:
    return values[: max(0, count)]


def turns(seconds: float, job_seconds: float) -> float:
    """Return how many jobs one idle slot starts within a time."""
    if seconds < 0:
        return 0.0
    # The first turns are whole ones; later ones have spread out.
    turns = seconds / job_seconds
    return 1 + (floor(turns) if turns < 2 else turns)
