"""Retire: a worker of a pool stops by itself, because it is idle or because it was named.

A retire token on the pool's tube is for any worker whose slots are all idle; a busy one never
takes it. Slots go on reserving meanwhile, so that between token and stop a slot may have got a
job: then the token is put back. An entry on the worker's own tube is for this worker, busy or
not: it takes no new job, finishes what it runs, however long that takes, and stops.

An entry on its way to a slot returns to the queue when the connection closes, so nothing is lost
either way. A token that a crash here leaves behind, or takes with it, does no harm.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence

from zerog.model.errors import QueueError
from zerog.model.names import retire_tube_name, retire_worker_tube_name
from zerog.queue.port import DEFAULT_PRIORITY, Entry, QueueConnection
from zerog.settings import WorkerSettings
from zerog.worker.slot import Slot

log = logging.getLogger(__name__)

#: How long one look at the tubes waits. Short: the worker may get busy or idle meanwhile.
LOOK_SECONDS = 1
_PAUSE_SECONDS = 0.5


class RetireWatch:
    """Looks for what retires this worker; `retired` is set then, once."""

    def __init__(
        self,
        settings: WorkerSettings,
        worker: str,
        slots: Sequence[Slot],
        retired: asyncio.Event,
        connect: Callable[[str], Awaitable[QueueConnection]],
    ) -> None:
        assert settings.pool is not None
        self._address = settings.queue
        self._pool_tube = retire_tube_name(settings.pool)
        self._own_tube = retire_worker_tube_name(worker)
        self._slots = slots
        self._retired = retired
        self._connect = connect

    async def run(self) -> None:
        """Look until the worker stops."""
        while True:
            try:
                await self._watch()
            except QueueError as error:
                log.warning("the retire tubes cannot be read: %s", error)
            except Exception:  # jobs run on, whatever somebody has put on these tubes
                log.exception("the retire tubes cannot be read")
            await asyncio.sleep(_PAUSE_SECONDS)

    async def _watch(self) -> None:
        queue = await self._connect(self._address)
        try:
            while True:
                idle = self._is_idle()
                await queue.watch([self._own_tube, self._pool_tube] if idle else [self._own_tube])
                token = await queue.reserve(LOOK_SECONDS)
                if token is not None and await self._obey(queue, token, watched_pool=idle):
                    await asyncio.Event().wait()
        finally:
            with contextlib.suppress(QueueError):
                await queue.close()

    async def _obey(self, queue: QueueConnection, token: Entry, *, watched_pool: bool) -> bool:
        named = not watched_pool or await self._is_named(queue, token)
        if not named and not (self._is_idle() and not self._retired.is_set()):
            await queue.release(token.id, priority=DEFAULT_PRIORITY)
            return False
        # Stop first: a token lost by a crash here would be a worker too many, no harm.
        self._retired.set()
        await queue.delete(token.id)
        log.info("retiring, %s", "told by name" if named else "by a token for an idle worker")
        return True

    async def _is_named(self, queue: QueueConnection, token: Entry) -> bool:
        stats = await queue.entry_stats(token.id)
        return stats is not None and stats.tube == self._own_tube

    def _is_idle(self) -> bool:
        return all(slot.is_idle for slot in self._slots)
