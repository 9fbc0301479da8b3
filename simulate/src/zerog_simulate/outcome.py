"""What a simulation measured."""

from dataclasses import dataclass
from math import ceil


@dataclass(frozen=True, slots=True)
class Point:
    """One moment, for the plot."""

    time: float
    workers: int
    ready: int
    running: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """The figures of one policy on one trace."""

    #: Seconds from a job's arrival to its first start, sorted.
    latencies: tuple[float, ...]
    #: Seconds that pods existed, their starting and stopping included.
    worker_seconds: float
    #: Seconds that slots held jobs, those of interrupted runs included.
    busy_seconds: float
    #: Runs that were cut off and had to begin anew.
    interrupted: int
    #: The most pods that existed at once.
    peak_workers: int
    #: Jobs that were finished: all of them.
    finished: int
    points: tuple[Point, ...] = ()

    def latency(self, quantile: float) -> float:
        """Return the start latency that this part of the jobs did not exceed (nearest rank)."""
        return self.latencies[max(0, ceil(quantile * len(self.latencies)) - 1)]
