"""What a slot holds: entries that are reserved on its connection, touched, and vouched for.

An entry is held from its reservation until it was released, deleted or lost. While it is held its
reservation is touched, and the worker's document names its job: the worker vouches for it before
the claim is written, so that nobody who finds the claim takes its worker for dead.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime

from msgspec import Struct

from zerog.model.documents import RunningJob
from zerog.model.errors import QueueError, QueueUnavailableError
from zerog.model.record import JobRecord
from zerog.queue.port import TTR_SECONDS, Entry, QueueConnection

log = logging.getLogger(__name__)

#: A waiting reserve is renewed this often; a server that died silently is noticed by then.
RESERVE_SECONDS = 10
#: Reservations are touched at a third of their life: two touches may fail.
TOUCH_SECONDS = TTR_SECONDS / 3
#: How often they are looked at.
TOUCH_LOOK_SECONDS = 1.0

Connect = Callable[[], Awaitable[QueueConnection]]


class _Held(Struct):
    touched: float
    job: RunningJob | None = None
    is_lost: bool = False


class Reservations:
    """The connection of one slot, and the entries that it holds."""

    def __init__(self, slot: int, connect: Connect) -> None:
        #: How many reservations ended before their entries were settled.
        self.lost = 0
        self._slot = slot
        self._connect = connect
        self._queue: QueueConnection | None = None
        self._held: dict[int, _Held] = {}
        self._waiting = self._called_off = False

    def __len__(self) -> int:
        return len(self._held)

    @property
    def connected(self) -> bool:
        """Whether there is a connection; without one nothing is reserved any more."""
        return self._queue is not None and not self._queue.closed

    async def connection(self) -> QueueConnection:
        """Return the connection, a new one if the last is lost. Raises what the queue raises."""
        if self._queue is None or self._queue.closed:
            # What the lost connection held is not ours any more.
            self._lose(self._held.values())
            self._held.clear()
            self._queue = None
            self._queue = await self._connect()
        return self._queue

    async def reserve_ready(self, count: int) -> list[Entry]:
        """Reserve entries that are ready now, without waiting for any."""
        return self._take(await self._open_queue().reserve_ready(count))

    async def reserve(self) -> list[Entry]:
        """Wait for an entry, for a while, or until `stop_waiting`."""
        queue = self._open_queue()
        self._waiting, self._called_off = True, False
        try:
            entry = await queue.reserve(RESERVE_SECONDS)
        except QueueUnavailableError:
            if self._called_off:
                return []
            raise
        finally:
            self._waiting = False
        return [] if entry is None else self._take([entry])

    def stop_waiting(self) -> None:
        """End a waiting reserve."""
        if self._waiting and self._queue is not None:
            self._called_off = True
            # An entry that the server is just handing over goes back when the connection ends.
            self._queue.abort()

    def vouch(self, entry: Entry, record: JobRecord) -> None:
        """Name the job of an entry in the worker's document: its claim is written next."""
        if (held := self._held.get(entry.id)) is not None:
            attempt, now = record.attempt + 1, datetime.now(UTC)
            held.job = RunningJob(record.uuid, record.type, self._slot, attempt, now)

    def vouched(self) -> list[RunningJob]:
        """Return the jobs that the slot vouches for."""
        return [held.job for held in self._held.values() if held.job is not None]

    def let_go(self, entry: Entry) -> None:
        """Hold an entry no longer."""
        self._held.pop(entry.id, None)

    async def give_back(self, entry: Entry) -> None:
        """Give an entry back that is not run here now, with its priority."""
        self.let_go(entry)
        if self._queue is None:
            return
        with contextlib.suppress(QueueError):
            stats = await self._queue.entry_stats(entry.id)
            if stats is not None:
                await self._queue.release(entry.id, priority=stats.priority, delay_seconds=1)

    async def keep_touched(self) -> None:
        """Touch what is due, until cancelled. Each slot does: a silent server stops no other."""
        while True:
            await asyncio.sleep(TOUCH_LOOK_SECONDS)
            with contextlib.suppress(QueueError):
                await self._touch_due()

    async def close(self) -> None:
        """Close the connection; what it holds goes back to its tubes."""
        if self._queue is not None:
            with contextlib.suppress(QueueError):
                await self._queue.close()

    def _open_queue(self) -> QueueConnection:
        """Return the connection that the caller was given. A new one would not be the caller's,
        who settles there what is reserved here."""
        if self._queue is None:
            raise QueueUnavailableError
        return self._queue

    def _take(self, entries: list[Entry]) -> list[Entry]:
        now = time.monotonic()
        self._held.update((entry.id, _Held(now)) for entry in entries)
        return entries

    def _lose(self, lost: Iterable[_Held]) -> None:
        for held in lost:
            self.lost += not held.is_lost
            held.is_lost = True

    async def _touch_due(self) -> None:
        if self._queue is None or self._queue.closed:
            self._lose(self._held.values())
            return
        now = time.monotonic()
        for entry_id, held in list(self._held.items()):
            if now - held.touched >= TOUCH_SECONDS:
                held.touched = now
                touched = await self._queue.touch(entry_id)
                if not touched and entry_id in self._held:  # it was not settled meanwhile
                    log.warning("the reservation of entry %d is lost", entry_id)
                    self._lose([held])
