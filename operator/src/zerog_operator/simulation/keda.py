"""Models of KEDA's two ways with a queue, with their documented defaults.

`KedaHpa` is a ScaledObject: KEDA looks every 30 s to switch between zero and one pod, the
HorizontalPodAutoscaler it makes does the rest, and the ReplicaSet deletes pods without knowing
which of them are busy. `KedaScaledJob` creates a Job for each message and deletes nothing.

Both count what is ready and what is reserved, as KEDA's beanstalkd scaler does.
"""

from dataclasses import dataclass
from math import ceil, log2

from zerog_operator.simulation.cluster import SimulatedCluster, Worker
from zerog_operator.simulation.hpa import SYNC_SECONDS, Hpa, HpaSpec

POLLING_SECONDS = 30.0
COOLDOWN_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class KedaSpec:
    """What a person sets of a ScaledObject or ScaledJob."""

    #: Messages per worker (`value` of the trigger).
    value: float
    min_replicas: int = 0
    max_replicas: int = 100


class KedaHpa:
    """A ScaledObject and its HorizontalPodAutoscaler."""

    def __init__(self, spec: KedaSpec) -> None:
        self._spec = spec
        self._hpa = Hpa(HpaSpec(spec.value, max(1, spec.min_replicas), spec.max_replicas))
        self._poll_time: float | None = None
        self._sync_time = 0.0
        self._active_time = 0.0

    def __call__(self, cluster: SimulatedCluster) -> float:
        """Do what is due, return the seconds until something is due again."""
        now = cluster.now
        if self._poll_time is None:
            # Nobody's arrivals wait for the moment of a poll: both rhythms begin anywhere.
            self._poll_time = now + cluster.random.uniform(0, POLLING_SECONDS)
            self._sync_time = now + cluster.random.uniform(0, SYNC_SECONDS)
            _scale(cluster, self._spec.min_replicas)
        if now >= self._poll_time:
            self._poll_time += POLLING_SECONDS
            self._poll(cluster)
        if now >= self._sync_time:
            self._sync_time += SYNC_SECONDS
            replicas, depth = len(cluster.workers), cluster.reading().depth
            _scale(cluster, self._hpa.sync(replicas, depth, now))
        return min(self._poll_time, self._sync_time) - now

    def _poll(self, cluster: SimulatedCluster) -> None:
        if cluster.reading().depth > 0:
            self._active_time = cluster.now
            if not cluster.workers:
                _scale(cluster, 1)
        elif not self._spec.min_replicas and cluster.now - self._active_time > COOLDOWN_SECONDS:
            _scale(cluster, 0)


class KedaScaledJob:
    """A ScaledJob with the default strategy: jobs in the queue less Jobs that exist."""

    def __init__(self, spec: KedaSpec) -> None:
        self._spec = spec
        self._begun = False

    def __call__(self, cluster: SimulatedCluster) -> float:
        """Create the Jobs that are missing, return the seconds until the next poll."""
        if not self._begun:
            self._begun = True
            return cluster.random.uniform(0, POLLING_SECONDS)
        wanted = min(self._spec.max_replicas, ceil(cluster.reading().depth / self._spec.value))
        cluster.create(max(0, wanted - len(cluster.workers)), single=True)
        return POLLING_SECONDS


def _scale(cluster: SimulatedCluster, replicas: int) -> None:
    """Do what the ReplicaSet does: it deletes in its own order, whoever is busy."""
    surplus = len(cluster.workers) - replicas
    if surplus <= 0:
        cluster.create(-surplus)
        return
    shuffled = list(cluster.workers.values())
    cluster.random.shuffle(shuffled)
    shuffled.sort(key=lambda worker: _age_rank(worker, cluster.now))
    for worker in shuffled[:surplus]:
        cluster.delete(worker)


def _age_rank(worker: Worker, now: float) -> int:
    """Not ready first, then by the order of magnitude of how long it has been ready."""
    if worker.ready_time is None:
        return -1
    return int(log2(1 + now - worker.ready_time))
