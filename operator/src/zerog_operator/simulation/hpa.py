"""A model of the HorizontalPodAutoscaler with its documented defaults, for one external metric.

Every sync it compares the metric with the target per pod: within 10 % nothing changes, else it
recommends metric / target. Going up, at most max(double, 4 more) within 15 s; going down, to the
highest recommendation of the last 300 s, all at once.
"""

from dataclasses import dataclass
from math import ceil

SYNC_SECONDS = 15.0
TOLERANCE = 0.1
SCALE_UP_PERIOD_SECONDS = 15.0
SCALE_UP_PODS = 4
SCALE_UP_PERCENT = 100
SCALE_DOWN_WINDOW_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class HpaSpec:
    """What a person sets."""

    #: The metric's target per pod (`averageValue`).
    target: float
    min_replicas: int = 1
    max_replicas: int = 100


class Hpa:
    """Remembers what it recommended and changed, as the controller does."""

    def __init__(self, spec: HpaSpec) -> None:
        self._spec = spec
        self._recommended: list[tuple[float, int]] = []
        self._changes: list[tuple[float, int]] = []

    def sync(self, replicas: int, metric: float, now: float) -> int:
        """Return the replicas that shall be; at zero it is switched off."""
        if replicas == 0:
            return 0
        wanted = self._stabilize(replicas, self._recommend(replicas, metric), now)
        if wanted > replicas:
            wanted = max(replicas, min(wanted, self._most(replicas, now)))
        wanted = max(self._spec.min_replicas, min(wanted, self._spec.max_replicas))
        if wanted != replicas:
            self._changes.append((now, wanted - replicas))
        return wanted

    def _recommend(self, replicas: int, metric: float) -> int:
        ratio = metric / (self._spec.target * replicas)
        if 1 - TOLERANCE <= ratio <= 1 + TOLERANCE:
            return replicas
        # The metric is asked for in thousandths, so that 2 / 0.2 does not become 11 pods.
        wanted = ceil(round(metric / self._spec.target, 6))
        return max(self._spec.min_replicas, min(wanted, self._spec.max_replicas))

    def _stabilize(self, replicas: int, wanted: int, now: float) -> int:
        oldest = now - SCALE_DOWN_WINDOW_SECONDS
        self._recommended = [item for item in self._recommended if item[0] > oldest]
        self._recommended.append((now, wanted))
        highest = max(count for _, count in self._recommended)
        return max(wanted, min(replicas, highest))

    def _most(self, replicas: int, now: float) -> int:
        oldest = now - SCALE_UP_PERIOD_SECONDS
        self._changes = [item for item in self._changes if item[0] > oldest]
        before = replicas - sum(change for _, change in self._changes)
        return max(before + SCALE_UP_PODS, ceil(before * (1 + SCALE_UP_PERCENT / 100)))
