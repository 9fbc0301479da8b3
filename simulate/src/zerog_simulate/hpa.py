"""A model of the HorizontalPodAutoscaler for one external metric with an average value.

Made after `pkg/controller/podautoscaler` of Kubernetes 1.36. The names in brackets are its own:

- the recommendation is metric / target, in thousandths; within the tolerance it is the present
  number [`GetExternalPerPodMetricReplicas`, `Tolerances.isWithin`];
- without `behavior` the highest recommendation of the last 300 s is approached, by at most
  max(double, 4) in a sync. That also goes *up* to a recommendation whose load has passed
  [`stabilizeRecommendation`, `convertDesiredReplicasWithRules`];
- with `behavior` the windows bound the recommendation from both sides, and policies limit the
  change in their periods [`stabilizeRecommendationWithBehaviors`, `calculateScaleUpLimit…`,
  `calculateScaleDownLimitWithBehaviors`].

KEDA makes one without `behavior` unless a person gives one [`controllers/keda/hpa.go`].
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from math import ceil

#: `scaleUpLimitFactor` and `scaleUpLimitMinimum`: what is allowed where there is no `behavior`.
UP_FACTOR, UP_LEAST = 2, 4
#: `--horizontal-pod-autoscaler-downscale-stabilization`.
DOWN_WINDOW_SECONDS = 300.0


class SelectPolicy(StrEnum):
    """Which of the policies counts. Disabled is left out: what is not scaled is not compared."""

    MAX = "Max"
    MIN = "Min"


@dataclass(frozen=True, slots=True)
class ScalingRules:
    """`behavior.scaleUp` or `behavior.scaleDown`, with a policy of each type."""

    window_seconds: float
    percent: float
    percent_period_seconds: float = 15.0
    #: Zero: no policy of the type Pods.
    pods: int = 0
    pods_period_seconds: float = 15.0
    select: SelectPolicy = SelectPolicy.MAX
    tolerance: float = 0.1


@dataclass(frozen=True, slots=True)
class Behavior:
    """What a person may set; these are the defaults where only a part of it is set."""

    up: ScalingRules = ScalingRules(0.0, percent=100, pods=4)
    down: ScalingRules = ScalingRules(DOWN_WINDOW_SECONDS, percent=100)


@dataclass(frozen=True, slots=True)
class HpaSpec:
    """What the HorizontalPodAutoscaler is given."""

    #: The metric's target per pod (`averageValue`).
    target: float
    min_replicas: int = 1
    max_replicas: int = 100
    behavior: Behavior | None = None


class Hpa:
    """Remembers what it recommended and changed, as the controller does."""

    def __init__(self, spec: HpaSpec) -> None:
        self._spec = spec
        self._rules = spec.behavior or Behavior()
        self._recommended: list[tuple[float, int]] = []
        #: When, and by how much the replicas were changed.
        self._changes: list[tuple[float, int]] = []

    def sync(self, replicas: int, metric: float, now: float) -> int:
        """Return the replicas that shall be; at zero it is switched off."""
        spec = self._spec
        if not self._recommended:
            self._recommended.append((now, replicas))
        if replicas == 0:
            return 0
        if not spec.min_replicas <= replicas <= spec.max_replicas:
            wanted = max(spec.min_replicas, min(replicas, spec.max_replicas))
        else:
            advise = self._behave if spec.behavior else self._approach
            wanted = advise(replicas, self._recommend(replicas, metric), now)
        if wanted != replicas:
            self._changes.append((now, wanted - replicas))
        return wanted

    def _recommend(self, replicas: int, metric: float) -> int:
        # Both are asked for in thousandths, so that 2 / 0.2 does not become 11 pods.
        usage, target = round(metric * 1000), int(round(self._spec.target * 1000, 6))
        ratio = usage / (target * replicas)
        within = 1 - self._rules.down.tolerance <= ratio <= 1 + self._rules.up.tolerance
        return replicas if within else ceil(usage / target)

    def _approach(self, replicas: int, desired: int, now: float) -> int:
        """Decide without `behavior`."""
        self._remember(desired, now, DOWN_WINDOW_SECONDS)
        wanted = max(count for _, count in self._recommended)
        most = min(self._spec.max_replicas, max(UP_FACTOR * replicas, UP_LEAST))
        return max(self._spec.min_replicas, min(wanted, most))

    def _behave(self, replicas: int, desired: int, now: float) -> int:
        """Decide with `behavior`: windows first, then policies, then the bounds."""
        up, down = self._rules.up, self._rules.down
        self._remember(desired, now, max(up.window_seconds, down.window_seconds))
        least = min([desired, *self._since(self._recommended, now - up.window_seconds)])
        most = max([desired, *self._since(self._recommended, now - down.window_seconds)])
        # In this order, as the source has it.
        wanted = min(max(replicas, least), most)
        if wanted > replicas:
            limit = max(replicas, self._limit(up, replicas, now, 1, max))
            return min(wanted, self._spec.max_replicas, limit)
        if wanted < replicas:
            limit = min(replicas, self._limit(down, replicas, now, -1, min))
            return max(wanted, self._spec.min_replicas, limit)
        return replicas

    def _limit(
        self,
        rules: ScalingRules,
        replicas: int,
        now: float,
        sign: int,
        farthest: Callable[[int, int], int],
    ) -> int:
        """Return how far the policies let it go, up (sign 1) or down (-1)."""
        before = replicas - sum(self._since(self._changes, now - rules.percent_period_seconds))
        share = before * (1 + sign * rules.percent / 100)
        by_percent = ceil(round(share, 6)) if sign > 0 else int(share)
        if not rules.pods:
            return by_percent
        before = replicas - sum(self._since(self._changes, now - rules.pods_period_seconds))
        by_pods = before + sign * rules.pods
        if rules.select is SelectPolicy.MAX:
            return farthest(by_percent, by_pods)
        return by_percent + by_pods - farthest(by_percent, by_pods)

    def _remember(self, desired: int, now: float, window: float) -> None:
        oldest = now - window
        self._recommended = [item for item in self._recommended if item[0] > oldest]
        self._recommended.append((now, desired))

    @staticmethod
    def _since(items: list[tuple[float, int]], after: float) -> Iterator[int]:
        # From the newest on: what is older than the longest period is never looked at again.
        for time, count in reversed(items):
            if time <= after:
                return
            yield count
