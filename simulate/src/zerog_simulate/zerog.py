"""ZeroG's own policy: the operator's `decide`, with the played cluster around it.

The observation is made as `observe` makes it: pods carry whole seconds, as Kubernetes' times do,
and a worker that is about to leave is listed as ready until it is gone.
"""

from math import ceil, floor

from zerog_simulate.cluster import SimulatedCluster, Worker
from zerog_simulate.engine import (
    Decision,
    History,
    Observation,
    PoolSpec,
    WorkerPod,
    Workers,
    WorkerState,
    bounds_at,
    decide,
)

#: Looks that nothing happens between are left out, but for so long at most: a day in seconds.
QUIET_SECONDS = 5.0


class ZeroGPolicy:
    """Looks as often as `decide` says, and carries out what it decides."""

    def __init__(self, spec: PoolSpec, begin: float = 0.0) -> None:
        """`begin` is the Unix time at which the load begins, for the pool's windows."""
        self._spec, self._begin = spec, begin
        self._template = spec.template_hash
        self._history = History()
        self._pods: dict[int, WorkerPod] = {}

    def __call__(self, cluster: SimulatedCluster) -> float:
        """Look once, act, return the seconds until the next look."""
        self._pods = {
            number: self._see(number, worker) for number, worker in cluster.workers.items()
        }
        reading = cluster.reading()
        workers = Workers(tuple(self._pods.values()))
        observation = Observation(reading, workers, ahead_seconds=-self._begin)
        decision, self._history = decide(self._spec, observation, self._history, cluster.now)
        self._apply(cluster, decision)
        seconds = decision.next_check_seconds
        if decision.changes_nothing and not reading.ready:
            change = bounds_at(self._spec, self._begin + cluster.now).seconds_left
            event = cluster.next_event_time - cluster.now
            return _skip(seconds, event if change is None else min(event, change))
        return seconds

    def _see(self, number: int, worker: Worker) -> WorkerPod:
        state = _state(worker)
        before = self._pods.get(number)
        if before is not None and before.state is state:
            return before
        return WorkerPod(
            name=str(number),
            uid=str(number),
            resource_version=state,
            created=floor(worker.created),
            state=state,
            template=self._template,
            ready_since=None if worker.ready_time is None else floor(worker.ready_time),
        )

    def _apply(self, cluster: SimulatedCluster, decision: Decision) -> None:
        for pod in decision.delete:
            worker = cluster.workers[int(pod.name)]
            assert worker.ready_time is None, "decide deletes no ready pod"
            cluster.delete(worker, 0.0)
        for pod in decision.retire:
            cluster.retire(cluster.workers[int(pod.name)])
        if decision.tokens_to_put:
            cluster.put_tokens(decision.tokens_to_put)
        if decision.tokens_to_take:
            cluster.take_tokens(decision.tokens_to_take)
        cluster.create(decision.create)


def _skip(seconds: float, event_seconds: float) -> float:
    """Return when to look next while nothing waits: the first look after something happens.

    The looks between would see what the last one saw. It is left at the moments at which the
    operator looks, so that nothing is noticed sooner than by the operator.
    """
    looks = ceil(max(seconds, min(event_seconds, QUIET_SECONDS)) / seconds)
    return looks * seconds


def _state(worker: Worker) -> WorkerState:
    if worker.ready_time is None:
        return WorkerState.STARTING
    return WorkerState.RETIRING if worker.stopping else WorkerState.READY
