"""Wait for jobs to change: one loop for everybody who waits.

While somebody waits, the datastore's version is polled, which costs next to nothing;
documents are read again only when it has moved. A store that has no version is asked for
the documents themselves. Either way there are so many looks a second in all, however many
wait, so that a thousand who wait cost no more than ten, and only learn of changes later.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator

from zerog.store.port import Datastore

#: How often the version is looked at: the latency that waiting adds, twice over.
VERSION_SECONDS = 0.002
#: The same for a store without one, while few wait.
POLL_SECONDS = 0.025
#: It is not worth while to wait for less.
SHORTEST_SECONDS = 0.001
#: At most so many of those who wait look for themselves in a second: at a store without a
#: version, which is another machine, and at one with it, where a look takes some 0.1 ms.
MAX_LOOKS_PER_SECOND, MAX_CHEAP_LOOKS_PER_SECOND = 400, 2000


class Watch:
    """Wakes whoever waits, when anything in the datastore has changed."""

    def __init__(self, store: Datastore) -> None:
        self._store = store
        self._waiting: set[asyncio.Event] = set()
        self._loop: asyncio.Task[None] | None = None

    @contextlib.asynccontextmanager
    async def changes(self) -> AsyncIterator[asyncio.Event]:
        """Give an event that is set at every change; the user clears it before reading."""
        event = asyncio.Event()
        self._waiting.add(event)
        if self._loop is None or self._loop.done():
            self._loop = asyncio.create_task(self._poll(), name="watch")
        try:
            yield event
        finally:
            self._waiting.discard(event)

    async def looks(
        self,
        *ends: asyncio.Event,
        pause_seconds: float,
        idle_seconds: float = float("inf"),
        until: float = float("inf"),
    ) -> AsyncIterator[None]:
        """Give a turn to look at the datastore now, after each change, and when nothing has changed
        for `idle_seconds`.

        Between two looks at least `pause_seconds` go by, however much changes. The turns end
        with one of the events, or at `until` by the loop's clock.
        """
        loop = asyncio.get_running_loop()
        async with self.changes() as changed:  # watched before it is read
            yield
            while (left := until - loop.time()) > SHORTEST_SECONDS:
                await wait_any(*ends, seconds=min(pause_seconds, left))
                if not any(end.is_set() for end in ends):
                    await wait_any(changed, *ends, seconds=min(idle_seconds, left))
                if any(end.is_set() for end in ends):
                    return
                changed.clear()
                yield

    async def _poll(self) -> None:
        version: str | None = None
        while self._waiting:
            try:
                seen = await self._store.version()
            except Exception:  # those who wait look for themselves, and report what is wrong
                seen = None
            pause = VERSION_SECONDS
            if seen is None:
                pause = max(POLL_SECONDS, len(self._waiting) / MAX_LOOKS_PER_SECOND)
            elif seen != version:
                pause = max(VERSION_SECONDS, len(self._waiting) / MAX_CHEAP_LOOKS_PER_SECOND)
            if seen is None or seen != version:
                version = seen
                for event in self._waiting:
                    event.set()
            await asyncio.sleep(pause)


async def wait_any(*events: asyncio.Event, seconds: float) -> None:
    """Wait until one of the events is set, or the time is over."""
    tasks = [asyncio.ensure_future(event.wait()) for event in events or (asyncio.Event(),)]
    timeout = seconds if seconds < float("inf") else None
    try:
        await asyncio.wait(tasks, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
