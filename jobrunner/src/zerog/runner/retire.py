"""Retire: a worker of a pool stops by itself when it is idle and a retire token lies on
the pool's tube.

Only a worker whose slots are all idle takes a token. Slots go on reserving meanwhile,
so that between token and stop a slot may have got a job: then the token is put back. An
entry on its way to a slot returns to the queue when the connection closes, so nothing
is lost either way.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence

from zerog.errors import QueueError
from zerog.names import retire_tube_name
from zerog.queues.base import DEFAULT_PRIORITY, QueueConnection
from zerog.runner.slot import Slot
from zerog.settings import WorkerSettings

log = logging.getLogger(__name__)

#: How long one look at the retire tube waits. Short: the worker may get busy meanwhile.
LOOK_SECONDS = 1
_PAUSE_SECONDS = 0.5


class RetireWatch:
    """Looks for a retire token while the worker is idle, and stops the worker when it got one."""

    def __init__(
        self,
        settings: WorkerSettings,
        slots: Sequence[Slot],
        stopping: asyncio.Event,
        connect: Callable[[str], Awaitable[QueueConnection]],
    ) -> None:
        assert settings.pool is not None
        self._address = settings.queue
        self._tube = retire_tube_name(settings.pool)
        self._slots = slots
        self._stopping = stopping
        self._connect = connect

    async def run(self) -> None:
        """Look until the worker stops."""
        while True:
            try:
                await self._watch()
            except QueueError as error:
                log.warning("the retire tube cannot be read: %s", error)
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _watch(self) -> None:
        queue = await self._connect(self._address)
        try:
            await queue.watch([self._tube])
            while True:
                if not self._is_idle():
                    await asyncio.sleep(_PAUSE_SECONDS)
                    continue
                token = await queue.reserve(LOOK_SECONDS)
                if token is None:
                    continue
                if self._is_idle() and not self._stopping.is_set():
                    # Stop first: a token lost by a crash here would be a worker too many, no harm.
                    self._stopping.set()
                    await queue.delete(token.id)
                    log.info("retired by token %s", token.body)
                    await asyncio.Event().wait()
                await queue.release(token.id, priority=DEFAULT_PRIORITY)
        finally:
            with contextlib.suppress(QueueError):
                await queue.close()

    def _is_idle(self) -> bool:
        return all(slot.is_idle for slot in self._slots)
