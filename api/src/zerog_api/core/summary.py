"""A look at everything that one replica of the API takes for all of them.

A look at 5,000 workers reads 5,000 documents. On a datastore that replicas share, the one that has
the lease takes the look and writes it down; the others read that document. Both end by themselves
some seconds after nobody asks the holder any more, and then the next replica that is asked takes
over. A store on this machine is looked at directly: its reads cost less than the note would.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from zerog.model.errors import DatastoreError
from zerog.model.names import worker_name
from zerog.store.port import Datastore

log = logging.getLogger(__name__)

Look = dict[str, Any]
#: A look outlives its age by this long, so that it is still there while the next one is taken.
#: The lease is over at about the same time.
SPARE_SECONDS = 4.0
#: How long, and how often, a replica without the lease waits for the first look of another one.
PATIENCE_SECONDS, PAUSE_SECONDS = 5.0, 0.25


class Summary:
    """A kind of look, known to all replicas by its name."""

    def __init__(
        self,
        store: Datastore,
        name: str,
        take: Callable[[], Awaitable[Look]],
        age_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`age_seconds` is how old a look may be when the holder takes the next one."""
        self._store = store
        self._name = name
        self._take = take
        self._age_seconds = age_seconds
        self._clock = clock
        self._owner = worker_name()
        #: The look that this replica has written, and when.
        self._own: tuple[Look, float] | None = None

    async def get(self) -> Look:
        """Return a look: this replica's own, or another one's.

        Raises what the store, and taking a look, raise.
        """
        if self._store.has_version:
            return await self._take()
        if self._own is not None and self._clock() - self._own[1] < self._age_seconds:
            return self._own[0]
        if self._own is None and (found := await self._read()) is not None:
            return found
        if await self._has_lease():
            return await self._take_for_all()
        self._own = None
        return await self._wait_for_it() or await self._take()

    async def _has_lease(self) -> bool:
        seconds = self._age_seconds + SPARE_SECONDS
        return await self._store.try_lock(f"summary-{self._name}", self._owner, seconds=seconds)

    async def _take_for_all(self) -> Look:
        look = await self._take()
        try:
            seconds = self._age_seconds + SPARE_SECONDS
            await self._store.upsert("summaries", self._name, look, expire_seconds=seconds)
        except DatastoreError as error:  # the others take looks of their own
            log.warning("the summary %s is not written: %s", self._name, error)
        self._own = look, self._clock()
        return look

    async def _read(self) -> Look | None:
        stored = await self._store.get("summaries", self._name)
        return None if stored is None else stored.document

    async def _wait_for_it(self) -> Look | None:
        deadline = self._clock() + PATIENCE_SECONDS
        while self._clock() < deadline:
            if (found := await self._read()) is not None:
                return found
            await asyncio.sleep(PAUSE_SECONDS)
        return None
