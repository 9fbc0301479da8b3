"""One look at one pool: observe, decide, apply, report.

Level-based: nothing depends on which event woke it, and a look too many does no harm. The loop
of a pool is the only writer of its pods (but for two annotations: `marking`), tokens and status.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from zerog.model.errors import ConfigError
from zerog_operator.apply import Applier
from zerog_operator.cluster import CallError
from zerog_operator.conditions import was_paused
from zerog_operator.defaults import join_defaults
from zerog_operator.inventory import FRESH_SECONDS
from zerog_operator.model import Decision, LimitedBy, Refusal, Unknown
from zerog_operator.observe import Look, Sources, observe
from zerog_operator.pool import PoolSpec
from zerog_operator.report import Outlets, PoolReport
from zerog_operator.resources import PoolIdentity
from zerog_operator.scaling import History, decide

log = logging.getLogger(__name__)

#: After an error nobody foresaw.
ERROR_PAUSE_SECONDS = 5.0
#: Looks are this far apart at least: when many pods change, one look sees many changes.
SPACING_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class PoolParts:
    """What the loops of all pools use."""

    sources: Sources
    applier: Applier
    outlets: Outlets
    #: What every worker gets besides its pool's template.
    defaults: Mapping[str, Any]


class PoolLoop:
    """Looks after one pool until it is gone."""

    def __init__(self, parts: PoolParts, body: Mapping[str, Any]) -> None:
        self._parts = parts
        metadata = body["metadata"]
        self.identity = PoolIdentity(metadata["namespace"], metadata["name"], metadata["uid"])
        #: When the loop last turned, by `time.monotonic()`.
        self.turned = time.monotonic()
        self._report = PoolReport(parts.outlets, self.identity, body)
        self._spec = self._parse(body)
        self._history = History(paused=was_paused(body.get("status") or {}))
        self._wake = asyncio.Event()
        parts.sources.inventory.follow(self.identity.uid, self._wake.set)
        self._task = asyncio.create_task(self._run(), name=f"pool-{self.identity.name}")

    def update(self, body: Mapping[str, Any]) -> None:
        """Take note of a change of the object."""
        before, self._report.body = self._report.body, body
        if body["metadata"].get("generation") != before["metadata"].get("generation"):
            self._spec = self._parse(body)
            self._wake.set()

    async def stop(self) -> None:
        """End the loop; what it did stays."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        self._parts.sources.inventory.forget(self.identity.uid)
        self._report.forget()

    async def _run(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._parts.sources.inventory.complete.wait(), FRESH_SECONDS)
        if isinstance(self._spec, PoolSpec) and not self._report.body.get("status"):
            # A new pool must not begin with pods for a queue that is paused.
            await self._parts.sources.facts.wait_for_pause(self._spec.queue)
        while True:
            pause = ERROR_PAUSE_SECONDS
            self.turned = time.monotonic()
            # What comes from here on is for the next look.
            self._wake.clear()
            try:
                with self._parts.outlets.metrics.reconcile.time():
                    pause = await self.reconcile()
            except CallError as error:
                log.warning("pool %s: %s", self.identity.name, error)
            except Exception:  # the loop of a pool must not end while the pool is there
                log.exception("pool %s", self.identity.name)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wake.wait(), pause)
            await asyncio.sleep(max(0.0, SPACING_SECONDS - (time.monotonic() - self.turned)))

    async def reconcile(self) -> float:
        """Look once and do what is to be done; return the seconds until the next look."""
        spec, report = self._spec, self._report
        if isinstance(spec, ConfigError):
            await report.tell_invalid(spec)
            return ERROR_PAUSE_SECONDS
        look = await observe(self._parts.sources, self.identity, spec, self._history)
        ended = report.tell_ends(spec, look, self._history)
        decision, self._history = decide(spec, look.observation, self._history, look.time)
        refusal = await self._parts.applier.apply(
            self.identity, spec, decision, check=look.check, ended=ended
        )
        self._history = remember(self._history, spec, look, decision, refusal)
        await report.tell(spec, look, decision)
        if refusal is not None:
            return min(1.0, decision.next_check_seconds)
        return decision.next_check_seconds

    def _parse(self, body: Mapping[str, Any]) -> PoolSpec | ConfigError:
        try:
            spec = PoolSpec.parse(self.identity.name, body["spec"])
        except ConfigError as error:
            return error
        return replace(spec, template=join_defaults(spec.template, self._parts.defaults))


def remember(
    history: History, spec: PoolSpec, look: Look, decision: Decision, refusal: Refusal | None
) -> History:
    """Return what is remembered after a decision was carried out and answered. Pure."""
    before = look.observation.refusal
    final = before if before is not None and before.final else None
    if decision.create or look.check.start:
        refusal = refusal or final
    elif decision.limited_by in (LimitedBy.BACKOFF, LimitedBy.UNKNOWN):
        refusal = before
    else:
        refusal = final  # nobody lacks what was refused any more
    deleted = history.deleted | {pod.uid for pod in decision.delete}
    if not isinstance(look.observation.workers, Unknown):
        deleted &= {facts.worker.uid for facts in look.pods}
    return replace(history, refusal=refusal, refused=spec.template_hash, deleted=deleted)
