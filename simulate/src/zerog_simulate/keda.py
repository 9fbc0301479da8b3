"""Models of KEDA's two ways with a queue.

`ScaledObject` switches between zero and `minReplicaCount` at each poll; the
HorizontalPodAutoscaler that KEDA makes does the rest, and the ReplicaSet deletes pods without
knowing which of them are busy. `ScaledJob` creates a Job for each message and deletes nothing.

Made after KEDA 2.20: `pkg/scaling/executor/scale_scaledobjects.go` (`RequestScale`,
`scaleToZeroOrIdle`), `pkg/scaling/executor/scale_jobs.go` (`getScalingDecision`, `createJobs` and
the strategies), `pkg/scaling/scaledjob/metrics.go`, and `pkg/scalers/beanstalkd_scaler.go`, which
counts what is ready and what is reserved. Which pods a ReplicaSet deletes first is from
Kubernetes' `pkg/controller/controller_utils.go` (`ActivePodsWithRanks`).

`benchmarks.keda` plays it next to the real KEDA 2.21. Not modelled is how fast KEDA may call the
API: it creates Jobs one after another, 20 a second after the first 30, and gives up on the rest
when the next poll is due.
"""

from enum import StrEnum
from math import ceil, log2
from typing import Any

from zerog.model.errors import ConfigError
from zerog_simulate.cluster import SimulatedCluster, Worker
from zerog_simulate.hpa import Behavior, Hpa, HpaSpec, ScalingRules, SelectPolicy
from zerog_simulate.setting import Setting, Values

#: KEDA's own `maxReplicaCount`.
MAX_REPLICAS = 100
#: KEDA has no default for messages per worker; this is what its examples commonly use.
VALUE = 5.0
_SELECT = tuple(SelectPolicy)


class Strategy(StrEnum):
    """`scalingStrategy.strategy` of a ScaledJob."""

    DEFAULT = "default"
    ACCURATE = "accurate"
    EAGER = "eager"


def _rules(name: str, rules: ScalingRules) -> tuple[Setting, ...]:
    """Return the settings of `behavior.scaleUp` or `behavior.scaleDown`."""
    return (
        Setting(f"{name}.stabilizationWindowSeconds", rules.window_seconds, 0, 3600, (0, 600)),
        Setting(f"{name}.percent", rules.percent, 1, 100_000, (1, 1000)),
        Setting(f"{name}.percentPeriodSeconds", 15.0, 1, 1800, (1, 300)),
        Setting(f"{name}.pods", rules.pods, 0, 100_000, (0, 100)),
        Setting(f"{name}.podsPeriodSeconds", 15.0, 1, 1800, (1, 300)),
        Setting(f"{name}.selectPolicy", "Max", choices=_SELECT),
        Setting(f"{name}.tolerance", 0.1, 0, 10, (0, 0.5), whole=False),
    )


_COMMON = (
    Setting("activationValue", 0, 0, 1e6, (0, 5)),
    Setting("pollingInterval", 30, 1, 86_400, (1, 60)),
    Setting("maxReplicaCount", MAX_REPLICAS, 1, 100_000),
)
#: `value` is the trigger's; `scaleUp` and `scaleDown` are those of
#: `advanced.horizontalPodAutoscalerConfig.behavior`; the last two are the controller manager's
#: `--horizontal-pod-autoscaler-sync-period` and the pod template's.
SCALED_OBJECT = (
    Setting("value", VALUE, 0.001, 1e6, (0.1, 100), whole=False),
    Setting("minReplicaCount", 0, 0, 100_000, (0, MAX_REPLICAS)),
    Setting("cooldownPeriod", 300, 0, 86_400, (0, 600)),
    *_COMMON,
    *_rules("scaleUp", Behavior().up),
    *_rules("scaleDown", Behavior().down),
    Setting("syncPeriodSeconds", 15, 1, 3600, (1, 30)),
    Setting("terminationGracePeriodSeconds", 30, 0, 86_400, (0, 7200)),
)
SCALED_JOB = (
    Setting("value", 1, 0.001, 1e6, (0.1, 10), whole=False),
    *_COMMON,
    Setting("scalingStrategy", "default", choices=tuple(Strategy)),
)


def _all(settings: tuple[Setting, ...], values: Values) -> dict[str, Any]:
    """Return values with the defaults behind them."""
    return {setting.name: setting.default for setting in settings} | dict(values)


def _read_rules(name: str, given: dict[str, Any]) -> ScalingRules:
    return ScalingRules(
        given[f"{name}.stabilizationWindowSeconds"],
        given[f"{name}.percent"],
        given[f"{name}.percentPeriodSeconds"],
        given[f"{name}.pods"],
        given[f"{name}.podsPeriodSeconds"],
        SelectPolicy(given[f"{name}.selectPolicy"]),
        given[f"{name}.tolerance"],
    )


class ScaledObject:
    """A ScaledObject and its HorizontalPodAutoscaler. `ConfigError` if its bounds contradict."""

    def __init__(self, values: Values) -> None:
        given = _all(SCALED_OBJECT, values)
        self._min, most = given["minReplicaCount"], given["maxReplicaCount"]
        if self._min > most:
            raise ConfigError(f"minReplicaCount {self._min} is more than maxReplicaCount {most}")
        behavior = None
        if any(name.startswith(("scaleUp.", "scaleDown.")) for name in values):
            behavior = Behavior(_read_rules("scaleUp", given), _read_rules("scaleDown", given))
        self._hpa = Hpa(HpaSpec(given["value"], max(1, self._min), most, behavior))
        self._activation, self._cooldown = given["activationValue"], given["cooldownPeriod"]
        self._polling, self._sync = given["pollingInterval"], given["syncPeriodSeconds"]
        self._grace = given["terminationGracePeriodSeconds"]
        self._poll_time: float | None = None
        self._sync_time = self._active_time = 0.0

    def __call__(self, cluster: SimulatedCluster) -> float:
        """Do what is due, return the seconds until something is due again."""
        now = cluster.now
        if self._poll_time is None:
            # Nobody's arrivals wait for the moment of a poll: both rhythms begin anywhere.
            self._poll_time = now + cluster.random.uniform(0, self._polling)
            self._sync_time = now + cluster.random.uniform(0, self._sync)
            cluster.create(self._min)
        if now >= self._poll_time:
            self._poll_time += self._polling
            self._poll(cluster)
        if now >= self._sync_time:
            self._sync_time += self._sync
            replicas, depth = len(cluster.workers), cluster.reading().depth
            self._scale(cluster, self._hpa.sync(replicas, depth, now))
        return min(self._poll_time, self._sync_time) - now

    def _poll(self, cluster: SimulatedCluster) -> None:
        if cluster.reading().depth > self._activation:
            self._active_time = cluster.now
            if not cluster.workers:
                cluster.create(max(1, self._min))
        elif not self._min and cluster.now - self._active_time > self._cooldown:
            self._scale(cluster, 0)

    def _scale(self, cluster: SimulatedCluster, replicas: int) -> None:
        """Do what the ReplicaSet does: it deletes in its own order, whoever is busy."""
        surplus = len(cluster.workers) - replicas
        if surplus <= 0:
            cluster.create(-surplus)
            return
        shuffled = list(cluster.workers.values())
        cluster.random.shuffle(shuffled)
        shuffled.sort(key=lambda worker: _age_rank(worker, cluster.now))
        for worker in shuffled[:surplus]:
            cluster.delete(worker, self._grace)


class ScaledJob:
    """A ScaledJob: each pod takes one job, or finds none, and ends. Nothing is deleted."""

    def __init__(self, values: Values) -> None:
        given = _all(SCALED_JOB, values)
        self._value: float = given["value"]
        self._activation: float = given["activationValue"]
        self._polling: float = given["pollingInterval"]
        self._most: int = given["maxReplicaCount"]
        self._strategy = Strategy(given["scalingStrategy"])
        self._begun = False

    def __call__(self, cluster: SimulatedCluster) -> float:
        """Create the Jobs that are missing, return the seconds until the next poll."""
        if not self._begun:
            self._begun = True
            return cluster.random.uniform(0, self._polling)
        depth = cluster.reading().depth
        if depth > self._activation:
            cluster.create(max(0, self._missing(cluster, depth)), single=True)
        return self._polling

    def _missing(self, cluster: SimulatedCluster, depth: int) -> int:
        running = len(cluster.workers)
        pending = sum(worker.ready_time is None for worker in cluster.workers.values())
        wanted = min(ceil(round(depth / self._value, 6)), self._most)
        match self._strategy:
            case Strategy.DEFAULT:
                return min(depth, wanted - running)
            case Strategy.ACCURATE:
                over = wanted + running - pending > self._most
                return min(depth, self._most - running if over else wanted - pending)
            case Strategy.EAGER:
                return min(self._most, self._most - running - pending, wanted)


def _age_rank(worker: Worker, now: float) -> int:
    """Not ready first, then by the order of magnitude of how long it has been ready."""
    if worker.ready_time is None:
        return -1
    return int(log2(1 + now - worker.ready_time))
