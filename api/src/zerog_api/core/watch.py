"""Wait for jobs to change.

How that is learned depends on the store. One with a version is polled for it
(`zerog_api.core.versions`). At one without a version whoever changes a job wakes those who wait for
it (`zerog_api.core.messages`).
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Protocol

from zerog.store.port import Datastore
from zerog_api.core.messages import Connect, Messages
from zerog_api.core.versions import Versions

#: It is not worth while to wait for less.
SHORTEST_SECONDS = 0.001


class Changes(Protocol):
    """Learns that jobs have changed."""

    def changes(self, uuid: str) -> contextlib.AbstractAsyncContextManager[asyncio.Event]:
        """Give an event that is set when a job may have changed since the block was entered.

        The user reads the job inside the block, and clears the event before each read.
        """
        ...

    def wake(self, uuid: str) -> None:
        """Set the events of a job that this process has changed."""
        ...

    async def close(self) -> None:
        """End what runs in the background. Idempotent."""
        ...


class Watch:
    """Gives those who wait for a job a turn to look at it."""

    def __init__(self, store: Datastore, process: str, connect: Connect) -> None:
        """`process` is this process's name, and `connect` how it hears of changes that others make,
        if the store has no version."""
        self._changes: Changes = (
            Versions(store) if store.has_version else Messages(store, process, connect)
        )

    def wake(self, uuid: str) -> None:
        """Wake those who wait here for a job that this process has changed."""
        self._changes.wake(uuid)

    async def close(self) -> None:
        """End what runs in the background. Idempotent."""
        await self._changes.close()

    async def looks(
        self,
        uuid: str,
        *ends: asyncio.Event,
        pause_seconds: float,
        idle_seconds: float = float("inf"),
        until: float = float("inf"),
    ) -> AsyncIterator[None]:
        """Give a turn to look at a job now, after each change, and when nothing has changed for
        `idle_seconds`.

        Between two looks at least `pause_seconds` go by, however much changes. The turns end
        with one of the events, or at `until` by the loop's clock.
        """
        loop = asyncio.get_running_loop()
        async with self._changes.changes(uuid) as changed:  # watched before it is read
            yield
            while (left := until - loop.time()) > SHORTEST_SECONDS:
                await wait_any(*ends, seconds=min(pause_seconds, left))
                if not any(end.is_set() for end in ends):
                    await wait_any(changed, *ends, seconds=min(idle_seconds, left))
                if any(end.is_set() for end in ends):
                    return
                changed.clear()
                yield


async def wait_any(*events: asyncio.Event, seconds: float) -> None:
    """Wait until one of the events is set, or the time is over."""
    tasks = [asyncio.ensure_future(event.wait()) for event in events or (asyncio.Event(),)]
    timeout = seconds if seconds < float("inf") else None
    try:
        await asyncio.wait(tasks, timeout=timeout, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
