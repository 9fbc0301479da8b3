"""The producer of the API: one pipelined connection, made again when it breaks."""

import asyncio
from collections.abc import Iterable

from zerog.model.backoff import Backoff
from zerog.model.errors import QueueError, QueueUnavailableError
from zerog.queue.beanstalk.connection import BeanstalkConnection
from zerog.queue.port import DEFAULT_PRIORITY, Entry, EntryRef, EntryStats, ServerStats, TubeStats

#: Pauses between attempts to connect again.
BACKOFF = Backoff(first_seconds=0.02, max_seconds=1.0)


class BeanstalkProducer:
    """A `zerog.queue.port.Producer` that connects again by itself.

    While the server cannot be reached, one call tries to connect whenever the back-off allows it,
    and the other calls fail at once. A put whose connection broke before the reply may have
    happened. A second entry for a job does no harm.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._connection: BeanstalkConnection | None = None
        self._connecting: asyncio.Lock = asyncio.Lock()
        self._failures = 0
        self._not_before = 0.0
        self._error = ""

    async def put(
        self, tube: str, body: str, *, priority: int = DEFAULT_PRIORITY, delay_seconds: int = 0
    ) -> EntryRef:
        """Put an entry."""
        connection = self._connection
        if connection is None or connection.closed:
            connection = await self._connect()
        return await connection.put(tube, body, priority=priority, delay_seconds=delay_seconds)

    async def delete(self, entry_id: int) -> bool:
        """Delete an entry that nobody has reserved."""
        return await (await self._connect()).delete(entry_id)

    async def kick(self, entry_id: int) -> bool:
        """Make a buried or delayed entry ready."""
        return await (await self._connect()).kick(entry_id)

    async def peek(self, entry_id: int) -> str | None:
        """Return an entry's body."""
        return await (await self._connect()).peek(entry_id)

    async def peek_many(self, entry_ids: Iterable[int]) -> dict[int, str]:
        """Return the bodies of those entries that exist."""
        return await (await self._connect()).peek_many(entry_ids)

    async def peek_ready(self, tube: str) -> Entry | None:
        """Return the entry that is reserved next from a tube."""
        return await (await self._connect()).peek_ready(tube)

    async def peek_buried(self, tube: str) -> Entry | None:
        """Return the first buried entry of a tube."""
        return await (await self._connect()).peek_buried(tube)

    async def entry_stats(self, entry_id: int) -> EntryStats | None:
        """Return the facts of an entry."""
        return await (await self._connect()).entry_stats(entry_id)

    async def tube_stats(self, tube: str) -> TubeStats:
        """Return a tube's counters."""
        return await (await self._connect()).tube_stats(tube)

    async def tube_stats_many(self, tubes: Iterable[str]) -> list[TubeStats]:
        """Return the counters of tubes, in the same order."""
        return await (await self._connect()).tube_stats_many(tubes)

    async def tubes(self) -> list[str]:
        """Return the names of tubes."""
        return await (await self._connect()).tubes()

    async def pause_tube(self, tube: str, seconds: int) -> bool:
        """Let nobody reserve from a tube for a while."""
        return await (await self._connect()).pause_tube(tube, seconds)

    async def server_id(self) -> str:
        """Return the id of the server that is connected now."""
        return await (await self._connect()).server_id()

    async def server_stats(self) -> ServerStats:
        """Return facts of the server."""
        return await (await self._connect()).server_stats()

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            await self._connection.close()

    async def _connect(self) -> BeanstalkConnection:
        async with self._connecting:
            if self._connection is not None and not self._connection.closed:
                return self._connection
            loop = asyncio.get_running_loop()
            if loop.time() < self._not_before:
                raise QueueUnavailableError(self._error)
            try:
                self._connection = await BeanstalkConnection.connect(self._host, self._port)
            except QueueError as error:
                self._failures += 1
                self._not_before = loop.time() + BACKOFF.pause(self._failures)
                self._error = str(error)
                raise
            self._failures = 0
            return self._connection
