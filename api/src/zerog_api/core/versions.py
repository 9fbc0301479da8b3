"""Learn of changes by a store's version: one loop for everybody who waits.

SQLite has a version that moves with every write, whichever process made it. Polling it costs next
to nothing, so this also serves several API processes on one machine, without a message between
them. It is polled while somebody waits, and documents are read again only when it has moved.
However many wait, there are so many looks a second in all, so that a thousand who wait cost no more
than ten, and only learn of changes later.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from zerog.store.port import Datastore

#: How often the version is looked at: the latency that waiting adds, twice over.
VERSION_SECONDS = 0.002
#: The same while the version cannot be read.
RETRY_SECONDS = 0.025
#: At most so many of those who wait look for themselves in a second. A look takes some 0.1 ms.
MAX_LOOKS_PER_SECOND = 2000


class Versions:
    """Wakes whoever waits, when anything in the datastore has changed."""

    def __init__(self, store: Datastore) -> None:
        self._store = store
        self._waiting: set[asyncio.Event] = set()
        self._loop: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def changes(self, uuid: str) -> AsyncIterator[asyncio.Event]:
        """Give an event that is set at every change, of any job."""
        event = asyncio.Event()
        self._waiting.add(event)
        if self._loop is None or self._loop.done():
            self._loop = asyncio.create_task(self._poll(), name="versions")
        try:
            yield event
        finally:
            self._waiting.discard(event)

    def wake(self, uuid: str) -> None:
        """Nothing: this process's own changes move the version, too."""

    async def close(self) -> None:
        """Nothing: the loop ends when nobody waits."""

    async def _poll(self) -> None:
        version: str | None = None
        while self._waiting:
            try:
                seen = await self._store.version()
            except Exception:  # those who wait look for themselves, and report what is wrong
                seen = None
            pause = VERSION_SECONDS
            if seen is None or seen != version:
                shortest = RETRY_SECONDS if seen is None else VERSION_SECONDS
                pause = max(shortest, len(self._waiting) / MAX_LOOKS_PER_SECOND)
                version = seen
                for event in self._waiting:
                    event.set()
            await asyncio.sleep(pause)
