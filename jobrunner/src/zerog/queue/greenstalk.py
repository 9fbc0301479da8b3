"""The greenstalk adapter: a blocking client on a thread of its own, behind the
interface of `zerog.queue.port`.

It answers one command at a time and every call crosses a thread, which limits an API
(measured in `benchmarks/queue_adapters.py`); `zerog.queue.beanstalk.connection` is what ZeroG's own
processes use. This one stays as the second implementation that the contract suite holds
the first against.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self, TypeVar

import greenstalk

from zerog.model.errors import QueueRefusedError, QueueUnavailableError
from zerog.queue.beanstalk import wire
from zerog.queue.port import (
    DEFAULT_PRIORITY,
    TTR_SECONDS,
    Entry,
    EntryStats,
    ServerStats,
    TubeStats,
)

T = TypeVar("T")
_REFUSALS = (greenstalk.DrainingError, greenstalk.JobTooBigError, greenstalk.OutOfMemoryError)


class GreenstalkConnection:
    """One connection by greenstalk: a `QueueConnection`."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._executor = ThreadPoolExecutor(1, "greenstalk")
        self._client: greenstalk.Client[str] | None = None
        self.closed = False

    @classmethod
    async def connect(cls, host: str, port: int) -> Self:
        """Connect, or raise `QueueUnavailableError`."""
        connection = cls((host, port))
        connection._client = await connection._call(
            lambda: greenstalk.Client((host, port), encoding="utf-8")
        )
        return connection

    def abort(self) -> None:
        """End the connection; a reserve that waits ends with it."""
        self.closed = True
        if self._client is not None:
            self._client.close()
        self._executor.shutdown(wait=False)

    async def close(self) -> None:
        """Close the connection."""
        self.abort()

    async def put(
        self, tube: str, body: str, *, priority: int = DEFAULT_PRIORITY, delay_seconds: int = 0
    ) -> int:
        """Put an entry, return its id."""
        number = wire.to_server_priority(priority)

        def put() -> int:
            self._it.use(tube)
            return int(self._it.put(body, number, delay_seconds, TTR_SECONDS))

        return await self._call(put)

    async def delete(self, entry_id: int) -> bool:
        """Delete an entry."""
        return await self._found(lambda: self._it.delete(entry_id))

    async def touch(self, entry_id: int) -> bool:
        """Begin the reservation's time anew."""
        return await self._found(lambda: self._it.touch(_job(entry_id)))

    async def kick(self, entry_id: int) -> bool:
        """Make a buried or delayed entry ready."""
        return await self._found(lambda: self._it.kick_job(entry_id))

    async def bury(self, entry_id: int, *, priority: int) -> bool:
        """Put an entry aside."""
        number = wire.to_server_priority(priority)
        return await self._found(lambda: self._it.bury(_job(entry_id), number))

    async def release(self, entry_id: int, *, priority: int, delay_seconds: int = 0) -> bool:
        """Give an entry back."""
        number = wire.to_server_priority(priority)
        return await self._found(lambda: self._it.release(_job(entry_id), number, delay_seconds))

    async def watch(self, tubes: Sequence[str]) -> None:
        """Reserve from exactly these tubes."""

        def watch() -> None:
            for tube in tubes:
                self._it.watch(tube)
            for tube in set(self._it.watching()) - set(tubes):
                self._it.ignore(tube)

        await self._call(watch)

    async def reserve(self, timeout_seconds: int) -> Entry | None:
        """Wait for an entry."""
        try:
            job = await self._call(lambda: self._it.reserve(timeout_seconds))
        except (greenstalk.TimedOutError, greenstalk.DeadlineSoonError):
            return None
        except asyncio.CancelledError:
            self.abort()
            raise
        return Entry(job.id, str(job.body))

    async def reserve_ready(self, count: int) -> list[Entry]:
        """Reserve up to so many entries that are ready now, one call each."""
        entries: list[Entry] = []
        while len(entries) < count and (entry := await self.reserve(0)) is not None:
            entries.append(entry)
        return entries

    async def peek(self, entry_id: int) -> str | None:
        """Return an entry's body."""
        job = await self._or_none(lambda: self._it.peek(entry_id))
        return None if job is None else str(job.body)

    async def peek_buried(self, tube: str) -> Entry | None:
        """Return the first buried entry of a tube."""

        def peek() -> Any:
            self._it.use(tube)
            return self._it.peek_buried()

        job = await self._or_none(peek)
        return None if job is None else Entry(job.id, str(job.body))

    async def entry_stats(self, entry_id: int) -> EntryStats | None:
        """Return what the server knows of an entry."""
        values = await self._or_none(lambda: self._it.stats_job(entry_id))
        return None if values is None else wire.entry_stats(entry_id, values)

    async def tube_stats(self, tube: str) -> TubeStats:
        """Return a tube's counters."""
        values = await self._or_none(lambda: self._it.stats_tube(tube))
        return TubeStats(tube) if values is None else wire.tube_stats(tube, values)

    async def tubes(self) -> list[str]:
        """Return the names of all tubes."""
        return list(await self._call(lambda: self._it.tubes()))

    async def server_stats(self) -> ServerStats:
        """Return facts of the server."""
        return wire.server_stats(await self._call(lambda: self._it.stats()))

    @property
    def _it(self) -> greenstalk.Client[str]:
        if self._client is None or self.closed:
            raise ConnectionError("closed")
        return self._client

    async def _call(self, function: Callable[[], T]) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, function)
        except _REFUSALS as error:
            raise QueueRefusedError(f"the queue server refuses the entry: {error}") from error
        except (
            OSError,
            EOFError,
            AssertionError,
            RuntimeError,
            greenstalk.UnknownResponseError,
        ) as error:
            self.abort()
            host, port = self._address
            raise QueueUnavailableError(f"the queue at {host}:{port} is away: {error}") from error

    async def _found(self, function: Callable[[], Any]) -> bool:
        try:
            await self._call(function)
        except greenstalk.NotFoundError:
            return False
        return True

    async def _or_none(self, function: Callable[[], T]) -> T | None:
        try:
            return await self._call(function)
        except greenstalk.NotFoundError:
            return None


def _job(entry_id: int) -> greenstalk.Job[str]:
    return greenstalk.Job(entry_id, "")
