"""Which of a pool's windows are open, and how many workers there may be then. Pure.

A window opens when its cron expression comes, and closes `durationSeconds` later. One expression
and a length can be read at a glance, and every opening has exactly one end. With a second
expression for the end, the two would have to be matched, and a slip in either leaves a window open
for days. Argo CD's sync windows and Karpenter's budgets are written like this, too.

The invariant: the least is never more than the most, whatever windows are open together.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from zerog_operator.pool import PoolSpec, Window
from zerog_operator.schedule import last_time, next_time

#: Windows that are open, each with the Unix time at which it closes.
OpenWindows = tuple[tuple[Window, float], ...]


@dataclass(frozen=True, slots=True)
class Bounds:
    """How many workers a pool may have at a moment."""

    least: int
    most: int
    open: OpenWindows = ()
    #: How long until a window opens or closes; None: never.
    seconds_left: float | None = None


def bounds_at(spec: PoolSpec, now: float) -> Bounds:
    """Return the bounds at a Unix time: the largest of the open windows', else the pool's own."""
    if not spec.windows:
        return Bounds(spec.min_replicas, spec.max_replicas)
    open_now = tuple(
        (window, end)
        for window in spec.windows
        if (end := _end_of_last(window, now)) is not None and now < end
    )
    both = [_bounds_of(window, spec) for window, _ in open_now]
    both = both or [(spec.min_replicas, spec.max_replicas)]
    changes = [end for _, end in open_now]
    changes += _known(next_time(item.cron, item.time_zone, now) for item in spec.windows)
    return Bounds(
        least=max(least for least, _ in both),
        most=max(most for _, most in both),
        open=open_now,
        seconds_left=min(changes) - now if changes else None,
    )


def describe(window: Window, end: float) -> str:
    """Say to people that a window is open."""
    until = datetime.fromtimestamp(end, ZoneInfo(window.time_zone))
    bounds = [
        f"{word} {count}"
        for word, count in (("at least", window.min_replicas), ("at most", window.max_replicas))
        if count is not None
    ]
    return (
        f"window {window.cron} {window.time_zone} is open until {until:%Y-%m-%d %H:%M}: "
        + ", ".join(bounds)
    )


def _end_of_last(window: Window, now: float) -> float | None:
    begun = last_time(window.cron, window.time_zone, now)
    return None if begun is None else begun + window.duration_seconds


def _bounds_of(window: Window, spec: PoolSpec) -> tuple[int, int]:
    """Return a window's bounds. What it leaves out is the pool's, and gives way to the other."""
    least, most = window.min_replicas, window.max_replicas
    if least is None:
        least = spec.min_replicas if most is None else min(spec.min_replicas, most)
    return least, max(spec.max_replicas, least) if most is None else most


def _known(times: Iterable[float | None]) -> list[float]:
    return [time for time in times if time is not None]
