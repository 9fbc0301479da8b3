"""One look at one pool: observe, decide, apply, one status patch, Events on transitions.

Level-based: nothing depends on which event woke it, and a look too many does no harm. The loop
of a pool is the only writer of its pods, tokens and status.
"""

import asyncio
import contextlib
import logging
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import kopf
from prometheus_client import Gauge

from zerog.model.errors import ConfigError
from zerog_operator import conditions, names
from zerog_operator.clock import Moment, jump_between, move
from zerog_operator.cluster import CallError
from zerog_operator.defaults import join_defaults, parse_defaults
from zerog_operator.describe import check_image
from zerog_operator.model import (
    Decision,
    LimitedBy,
    Observation,
    QueueReading,
    Refusal,
    Workers,
    WorkerState,
)
from zerog_operator.pods import PodFacts
from zerog_operator.pool import PoolSpec
from zerog_operator.resources import PoolIdentity
from zerog_operator.scaling import History, decide
from zerog_operator.world import World

log = logging.getLogger(__name__)

#: After an error nobody foresaw.
ERROR_PAUSE_SECONDS = 5.0
#: Looks are this far apart at least: when many pods change, one look sees many changes.
SPACING_SECONDS = 0.1


class PoolLoop:
    """Looks after one pool until it is gone."""

    def __init__(self, world: World, body: Mapping[str, Any]) -> None:
        self._world = world
        metadata = body["metadata"]
        self.identity = PoolIdentity(metadata["namespace"], metadata["name"], metadata["uid"])
        self._body: Mapping[str, Any] = body
        #: What `_body` asks for, once it is read.
        self._spec: PoolSpec | None = None
        self._status: dict[str, Any] = dict(body.get("status") or {})
        self._history = History()
        self._looked = Moment(time.time(), time.monotonic())
        self._refusal: Refusal | None = None
        self._template = ""
        #: What the gauges say.
        self._gauged: dict[tuple[Gauge | str, ...], int] = {}
        #: Uids of pods that we deleted ourselves, while they are listed.
        self._deleted: set[str] = set()
        self._wake = asyncio.Event()
        self._task = asyncio.create_task(self._run(), name=f"pool-{self.identity.name}")

    def update(self, body: Mapping[str, Any]) -> None:
        """Take note of a change of the object."""
        changed = body["metadata"].get("generation") != self._body["metadata"].get("generation")
        self._body = body
        if changed:
            self._spec = None
            self._wake.set()

    def wake(self) -> None:
        """Look again soon."""
        self._wake.set()

    async def stop(self) -> None:
        """End the loop; what it did stays."""
        self._world.departed.pop(self._labels, None)
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._world.turns.pop(self._labels, None)
        self._world.metrics.forget(*self._labels)
        self._world.board.forget(self._labels)

    async def _run(self) -> None:
        while True:
            pause = ERROR_PAUSE_SECONDS
            self._world.turns[self._labels] = time.monotonic()
            try:
                with self._world.metrics.reconcile.time():
                    pause = await self.reconcile()
            except CallError as error:
                log.warning("pool %s: %s", self.identity.name, error)
            except Exception:  # the loop of a pool must not end while the pool is there
                log.exception("pool %s", self.identity.name)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), pause)
            since = time.monotonic() - self._looked.steady
            await asyncio.sleep(max(0.0, SPACING_SECONDS - since))
            self._wake.clear()

    async def reconcile(self) -> float:
        """Look once and do what is to be done; return the seconds until the next look."""
        try:
            spec = self._parse()
        except ConfigError as error:
            log.error("%s", error)
            return ERROR_PAUSE_SECONDS
        now = self._read_clock()
        facts = self._world.facts_of(self.identity.namespace, self.identity.name)
        await self._check_image(spec, facts, now)
        observation = await self._observe(spec, facts, now)
        decision, self._history = decide(spec, observation, self._history, now)
        refusal = await self._world.applier.apply(self.identity, spec, decision)
        self._note_refusal(decision, refusal)
        await self._clean_up([*facts, *self._world.departed.pop(self._labels, ())])
        listed = {item.worker.uid for item in facts}
        self._deleted = (self._deleted & listed) | {pod.uid for pod in decision.delete}
        self._note(observation, decision, now)
        await self._write_status(spec, observation, decision, now)
        if refusal is not None:
            return min(1.0, decision.next_check_seconds)
        return decision.next_check_seconds

    def _parse(self) -> PoolSpec:
        if self._spec is None:
            spec = PoolSpec.parse(self.identity.name, self._body["spec"])
            defaults = parse_defaults(self._world.settings.worker_defaults)
            self._spec = replace(spec, template=join_defaults(spec.template, defaults))
        return self._spec

    def _read_clock(self) -> float:
        before, self._looked = self._looked, Moment(time.time(), time.monotonic())
        if jump := jump_between(before, self._looked):
            log.warning("pool %s/%s: the clock has jumped by %.0f s", *self._labels, jump)
            self._history = move(self._history, jump)
        return self._looked.wall

    def _note_refusal(self, decision: Decision, refusal: Refusal | None) -> None:
        if decision.create:
            self._refusal = refusal
        elif decision.limited_by not in (LimitedBy.BACKOFF, LimitedBy.UNKNOWN):
            # Nobody lacks what was refused any more.
            final = self._refusal is not None and self._refusal.final
            self._refusal = self._refusal if final else None

    async def _observe(self, spec: PoolSpec, facts: list[PodFacts], now: float) -> Observation:
        key = names.retire_key(self.identity.namespace, self.identity.name)
        queue = await self._world.tubes.read(spec.queue, key)
        unserved = self._world.board.unserved(spec.queue)
        workers = self._world.workers_of(facts, now, spec.scaling.node_wait_seconds)
        return Observation(queue, workers, self._refusal, unserved)

    async def _check_image(self, spec: PoolSpec, facts: list[PodFacts], now: float) -> None:
        template = spec.template_hash
        if template != self._template:
            self._template, self._refusal = template, None
        if not self._world.settings.check_images:
            return
        check = check_image(facts, template, now)
        await self._world.applier.remove_finished(self.identity, check.remove)
        if check.start:
            refused = await self._world.applier.start_describe(self.identity, spec)
            self._refusal = refused or check.refusal
        elif check.refusal is not None:
            self._refusal = check.refusal
        elif self._refusal is not None and self._refusal.final:
            self._refusal = None

    async def _clean_up(self, facts: list[PodFacts]) -> None:
        ended = []
        for item in facts:
            if item.role != names.ROLE_WORKER:
                continue
            ours = item.worker.uid in self._deleted
            if ours and item.ready and item.worker.state is WorkerState.ENDING:
                # It became ready between our look and the delete, which preconditions exclude.
                self._world.metrics.interrupted.inc()
                self._deleted.discard(item.worker.uid)
            if not ours and (news := self._world.causes.news(item)) is not None:
                cause, ending = news
                self._event("Warning", f"Worker{cause}", f"{item.worker.name}: {ending.message}")
                self._world.metrics.endings.labels(*self._labels, cause).inc()
                await self._world.records.note_death(item.worker.name, cause, ending)
            if item.finished:
                ended.append(item)
        await self._world.applier.remove_finished(self.identity, ended)

    @property
    def _labels(self) -> tuple[str, str]:
        return self.identity.namespace, self.identity.name

    def _note(self, observation: Observation, decision: Decision, now: float) -> None:
        metrics, labels = self._world.metrics, self._labels
        if decision.limited_by is not LimitedBy.UNKNOWN:
            self._set(metrics.desired, decision.replicas)
        if isinstance(observation.queue, QueueReading):
            queue = observation.queue
            for state in ("ready", "reserved", "delayed", "buried"):
                self._set(metrics.queue, getattr(queue, state), state)
            if decision.create and isinstance(observation.workers, Workers):
                metrics.reaction.observe(max(0.0, time.time() - queue.time))
        if observation.unserved is not None:
            self._set(metrics.unserved, len(observation.unserved))
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
                metrics.pods.labels(*labels, action).inc(count)

    def _set(self, gauge: Gauge, value: int, *state: str) -> None:
        # Most looks change nothing, and finding a gauge's child costs more than all the rest.
        if self._gauged.get((gauge, *state)) != value:
            gauge.labels(*self._labels, *state).set(value)
            self._gauged[gauge, *state] = value

    async def _write_status(
        self, spec: PoolSpec, observation: Observation, decision: Decision, now: float
    ) -> None:
        generation = int(self._body["metadata"].get("generation", 0))
        before = self._status
        status = conditions.build_status(
            spec,
            observation,
            decision,
            before,
            generation=generation,
            now=now,
        )
        self._world.board.show(self._labels, spec, status)
        if status == before:
            return
        # A merge patch keeps what it does not name: what is gone is named as null.
        gone = {key: None for key in before if key not in status}
        await self._world.cluster.patch_status(
            self.identity.namespace, self.identity.name, {**status, **gone, **_holes(status)}
        )
        self._status = status
        for item in conditions.transitions(before, status):
            self._event(conditions.event_type(item), item["reason"], item["message"])
        wanted, desired = before.get("desiredReplicas"), status["desiredReplicas"]
        if wanted not in (None, desired):
            self._event("Normal", "Scaling", f"{wanted} → {desired}: {decision.reason}")
            direction = "up" if desired > int(wanted or 0) else "down"
            self._world.metrics.decisions.labels(*self._labels, direction).inc()

    def _event(self, kind: str, reason: str, message: str) -> None:
        log.info("pool %s/%s: %s: %s", *self._labels, reason, message)
        body: Any = self._body
        kopf.event(kopf.Body(body), type=kind, reason=reason, message=message[:1024])


def _holes(status: dict[str, Any]) -> dict[str, Any]:
    decision = status["lastDecision"]
    return {"lastDecision": {"limitedBy": None, **decision}}
