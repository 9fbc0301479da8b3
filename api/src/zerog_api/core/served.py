"""Whether workers serve a type, for whoever asks about the type or has just submitted a job of it,
and whether its queue is paused.

It costs a submission nothing: however many ask, the workers are read at most once a second, and
while submissions come in nobody waits for that. After a pause the first one waits for a moment. A
warning is a courtesy, so nothing that goes wrong here fails or delays a submission.
"""

import asyncio
import contextlib
import logging
import time

from zerog.ledger import controls
from zerog.ledger.controls import explained_pause
from zerog.ledger.readable import read_collection
from zerog.ledger.unserved import ANY, Unserved, explained, explained_draining
from zerog.model.documents import PoolDocument
from zerog.model.errors import ZeroGError
from zerog.store.port import Datastore
from zerog_api.core.shared import Shared

log = logging.getLogger(__name__)

#: How old an answer may be.
LOOK_SECONDS = 1.0
#: … for whoever has seen a worker start, or is refused.
FRESH_SECONDS = 0.1
#: An answer that is not older than this is given while the next one is made. A worker that has died
#: is noticed later than that anyway.
USABLE_SECONDS = 5.0
#: How long a submission waits for an answer.
PATIENCE_SECONDS = 0.2
#: How old what is known of pools, and of paused queues, may be.
POOLS_SECONDS = HELD_SECONDS = 5.0
#: A warning names at most this many types.
MAX_WARNINGS = 3


class Served:
    """Which types are served. `unserved` holds what was seen of the workers."""

    def __init__(self, store: Datastore, unserved: Unserved) -> None:
        self._store = store
        self._unserved = unserved
        self._look = Shared(self._look_at_workers)
        self._pools = Shared(self._read_pools)
        self._held = Shared(lambda: controls.read_all(store))
        # Reading is cheap on this machine, and one who has just paused a queue sees that soon.
        self._held_age = LOOK_SECONDS if store.has_version else HELD_SECONDS
        #: Warnings by the types that they are for, as of the last look.
        self._told: dict[frozenset[tuple[str, str]], str | None] = {}

    async def is_served(self, name: str, queue: str, version: str = ANY) -> bool | None:
        """Return whether a living worker takes jobs of a type, or of a version of it, from its
        queue; None: unknown.
        """
        try:
            await self._look.get(LOOK_SECONDS)
        except ZeroGError:
            return None
        return self._unserved.served(name, queue, version)

    async def look(self, *, fresh: bool) -> None:
        """Look at the workers if the last look is old. What goes wrong is left to the next one."""
        ages = (FRESH_SECONDS, 0.0) if fresh else (LOOK_SECONDS, USABLE_SECONDS)
        with contextlib.suppress(ZeroGError, TimeoutError):
            async with asyncio.timeout(PATIENCE_SECONDS):
                await self._look.get(*ages)

    async def warning(self, *types: tuple[str, str]) -> str | None:
        """Return what to tell those who submitted jobs of types, each with its queue. None: nothing
        to tell, or nothing is known.
        """
        asked = frozenset(types)
        if not self._look.is_fresh(LOOK_SECONDS) or asked not in self._told:
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await self._look.get(LOOK_SECONDS, USABLE_SECONDS)
                    told = await self._explain(asked)
                    if told is not None:  # a worker may have started meanwhile
                        await self._look.get(LOOK_SECONDS)
                        told = await self._explain(asked)
                    self._told[asked] = told
            except (ZeroGError, TimeoutError):
                return None
            except Exception:  # the job is accepted already
                log.exception("whether workers serve a type")
                return None
        return self._told[asked]

    async def _explain(self, types: frozenset[tuple[str, str]]) -> str | None:
        unserved = [item for item in sorted(types) if await self._waits(*item)]
        told = [self._explained(*item) for item in unserved[:MAX_WARNINGS]]
        if len(unserved) > MAX_WARNINGS:
            told.append(f"and {len(unserved) - MAX_WARNINGS} more types")
        held = (await self._held.get(self._held_age)).queues
        paused = [queue for queue in sorted({queue for _, queue in types}) if queue in held]
        told += [explained_pause(held[queue]) for queue in paused[:MAX_WARNINGS]]
        return "; ".join(told) or None

    def _explained(self, name: str, queue: str) -> str:
        draining = self._unserved.draining(name, queue)
        return explained_draining(name, queue, draining) if draining else explained(name, queue)

    async def _waits(self, name: str, queue: str) -> bool:
        """Whether jobs of a type wait until a person does something. A pool without a worker starts
        one by itself; one whose workers do not know the type starts more of the same.
        """
        if self._unserved.served(name, queue) is not False:
            return False
        if self._unserved.has_workers(queue):
            return True
        return queue not in await self._pools.get(POOLS_SECONDS)

    async def _look_at_workers(self) -> None:
        await self._unserved.look_at_workers(self._store, time.monotonic())
        self._told.clear()

    async def _read_pools(self) -> frozenset[str]:
        found = await read_collection(self._store, "pools", PoolDocument)
        return frozenset(pool.queue for pool, _ in found.values())
