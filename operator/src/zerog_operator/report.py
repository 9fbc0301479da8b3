"""Tell people and machines of a pool: status, Events, metrics, the web page, jobs' records.

Nothing here decides anything, and nothing waits for a datastore: what goes there is only handed to
`Board` and `Records`. The one call is the status patch, made when something has changed. Events
are for transitions only.
"""

import logging
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import kopf
from prometheus_client import Gauge

from zerog.ledger.counts import OUTCOMES
from zerog.model.errors import ConfigError
from zerog_operator import conditions, names
from zerog_operator.board import Board
from zerog_operator.causes import OUT_OF_MEMORY, CauseRecorder
from zerog_operator.cluster import Cluster
from zerog_operator.metrics import Metrics
from zerog_operator.model import (
    Decision,
    LimitedBy,
    QueueReading,
    Unknown,
    Workers,
    WorkerState,
)
from zerog_operator.observe import Clock, Look
from zerog_operator.pods import PodFacts
from zerog_operator.pool import PoolSpec
from zerog_operator.records import Records
from zerog_operator.resources import PoolIdentity
from zerog_operator.scaling import History
from zerog_operator.slo import measure_slo
from zerog_operator.usage import busiest, busy_seconds

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outlets:
    """Where reports go."""

    cluster: Cluster
    metrics: Metrics
    board: Board
    records: Records
    causes: CauseRecorder
    clock: Clock


class PoolReport:
    """What was told of one pool so far, so that only news are told."""

    def __init__(self, outlets: Outlets, pool: PoolIdentity, body: Mapping[str, Any]) -> None:
        self._outlets = outlets
        self._pool = pool
        self._labels = pool.namespace, pool.name
        #: The pool's object, which Events are about.
        self.body = body
        self._status: dict[str, Any] = dict(body.get("status") or {})
        #: The types that have a gauge.
        self._types: set[str] = set()
        self._gauged: dict[tuple[Gauge | str, ...], float] = {}
        #: The time of the last look whose workers were counted; None: they were unknown.
        self._counted: float | None = None

    def tell_ends(self, spec: PoolSpec, look: Look, history: History) -> list[PodFacts]:
        """Tell why workers ended. Returns the pods that may be removed.

        A finished pod is the only memory of its end: it stays until the end is in a record.
        """
        out = self._outlets
        removable = []
        for item in (*look.pods, *look.departed):
            worker = item.worker
            if item.role != names.ROLE_WORKER:
                continue
            if worker.uid in history.deleted:
                # It became ready between our look and the delete, which preconditions exclude.
                bad = item.ready and worker.state is WorkerState.ENDING
                if bad and out.causes.is_new(f"{worker.uid}/interrupted"):
                    out.metrics.interrupted.inc()
            elif (news := out.causes.news(item)) is not None:
                cause, ending = news
                message = f"{worker.name}: {ending.message}"
                if cause == OUT_OF_MEMORY and spec.larger_queue is not None:
                    message += f"; a job that it ran goes to the queue {spec.larger_queue}, once"
                self._event("Warning", f"Worker{cause}", message)
                out.metrics.endings.labels(*self._labels, cause).inc()
                out.records.note_death(worker.name, cause, ending, larger_queue=spec.larger_queue)
            if item.finished and not out.records.is_waiting(worker.name):
                removable.append(item)
        return removable

    async def tell(self, spec: PoolSpec, look: Look, decision: Decision) -> None:
        """Tell what was seen and decided."""
        self._measure(look, decision)
        self._measure_service(spec, look, decision)
        before = self._status
        status = conditions.build_status(
            spec,
            look.observation,
            decision,
            before,
            generation=self._generation,
            now=time.time(),
        )
        self._outlets.board.show(self._labels, spec, status, time.time())
        if not await self._write(status):
            return
        wanted, desired = before.get("desiredReplicas"), status["desiredReplicas"]
        if wanted not in (None, desired):
            self._event("Normal", "Scaling", f"{wanted} → {desired}: {decision.reason}")
            direction = "up" if desired > int(wanted or 0) else "down"
            self._outlets.metrics.decisions.labels(*self._labels, direction).inc()

    async def tell_invalid(self, error: ConfigError) -> None:
        """Tell that the spec makes no sense."""
        await self._write(
            conditions.build_invalid_status(
                str(error), self._status, generation=self._generation, now=time.time()
            )
        )

    def forget(self) -> None:
        """Tell no more of a pool that is gone or somebody else's."""
        self._outlets.metrics.forget(*self._labels)
        self._outlets.board.forget(self._labels)

    @property
    def _generation(self) -> int:
        return int(self.body["metadata"].get("generation", 0))

    async def _write(self, status: dict[str, Any]) -> bool:
        """Write the status if it has changed, and its transitions as Events; whether it has."""
        before = self._status
        if status == before:
            return False
        # A merge patch keeps what it does not name.
        patch = {**status, **holes(before, status)}
        await self._outlets.cluster.patch_status(self._pool.namespace, self._pool.name, patch)
        self._status = status
        for item in conditions.news(before, status):
            self._event(conditions.event_type(item), item["reason"], item["message"])
        return True

    def _measure(self, look: Look, decision: Decision) -> None:
        metrics, observation = self._outlets.metrics, look.observation
        if decision.limited_by is not LimitedBy.UNKNOWN:
            self._set(metrics.desired, decision.replicas)
        if isinstance(observation.queue, QueueReading):
            queue = observation.queue
            for state in ("ready", "reserved", "delayed", "buried"):
                self._set(metrics.queue, getattr(queue, state), state)
            if decision.create and isinstance(observation.workers, Workers):
                metrics.reaction.observe(max(0.0, self._outlets.clock.now() - queue.time))
        if isinstance(observation.workers, Workers):
            counts = Counter(pod.state for pod in observation.workers.pods)
            for worker_state in WorkerState:
                self._set(metrics.workers, counts[worker_state], str(worker_state))
        for action, count in (
            ("created", decision.create),
            ("deleted", len(decision.delete)),
            ("tokens-put", decision.tokens_to_put),
            ("tokens-taken", decision.tokens_to_take),
            ("retired-by-name", len(decision.retire)),
        ):
            if count:
                metrics.pods.labels(*self._labels, action).inc(count)

    def _measure_service(self, spec: PoolSpec, look: Look, decision: Decision) -> None:
        """Measure how jobs and workers of the pool's queue fare."""
        metrics, facts = self._outlets.metrics, look.observation.facts
        if facts.unserved is not None:
            self._set(metrics.unserved, len(facts.unserved))
        if facts.pause is not None:
            self._set(metrics.paused, int(facts.pause.paused))
        slo = measure_slo(spec, facts, decision.rates.late)
        # A share that is not known any more must not stand for ever, and keep an alert alive.
        self._set(metrics.start_target, slo.target_seconds)
        self._set(metrics.starts_in_time, slo.attained)
        self._set(metrics.start_p95, slo.p95_seconds)
        for outcome in OUTCOMES:
            ended = None if facts.hour is None else facts.hour.get(outcome, 0)
            self._set(metrics.ended, ended, outcome)
        busy = {name: busy_seconds(counts) for name, counts in busiest(facts).items()}
        for name in self._types - busy.keys():
            self._set(metrics.type_seconds, None, name)
        for name, seconds in busy.items():
            self._set(metrics.type_seconds, seconds, name)
        self._types = set(busy)
        spent = worker_seconds(spec, look, self._counted)
        self._counted = None if spent is None else look.time
        for state, seconds in (spent or {}).items():
            metrics.worker_seconds.labels(*self._labels, state).inc(seconds)

    def _set(self, gauge: Gauge, value: float | None, *state: str) -> None:
        """Set a gauge; None: it has no value."""
        # Most looks change nothing, and finding a gauge's child costs more than all the rest.
        key: tuple[Gauge | str, ...] = (gauge, *state)
        if self._gauged.get(key) == value:
            return
        if value is None:
            gauge.remove(*self._labels, *state)
            del self._gauged[key]
        else:
            gauge.labels(*self._labels, *state).set(value)
            self._gauged[key] = value

    def _event(self, kind: str, reason: str, message: str) -> None:
        log.info("pool %s/%s: %s: %s", *self._labels, reason, message)
        body: Any = self.body
        kopf.event(kopf.Body(body), type=kind, reason=reason, message=message[:1024])


def worker_seconds(spec: PoolSpec, look: Look, since: float | None) -> dict[str, float] | None:
    """Return how many seconds workers were busy and idle since the last look. None: unknown.

    As at this look, slot by slot: of a worker with two slots and one job, half is busy.
    """
    queue, workers = look.observation.queue, look.observation.workers
    if isinstance(queue, Unknown) or isinstance(workers, Unknown):
        return None
    holding = len(workers.of(WorkerState.READY, WorkerState.RETIRING))
    busy = min(holding, queue.reserved / spec.slots)
    seconds = 0.0 if since is None else max(0.0, look.time - since)
    return {"busy": busy * seconds, "idle": (holding - busy) * seconds}


def holes(before: Mapping[str, Any], status: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a merge patch needs to remove what is gone: null in its place. Pure."""
    found: dict[str, Any] = {}
    for name, old in before.items():
        new = status.get(name)
        if new is None:
            found[name] = None
        elif isinstance(old, Mapping) and isinstance(new, Mapping):
            found[name] = {**dict.fromkeys(old.keys() - new.keys()), **new}
    return found
