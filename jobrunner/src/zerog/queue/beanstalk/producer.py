"""The producer of the API: one pipelined connection, made again when it breaks."""

import asyncio
import random

from zerog.model.errors import QueueError, QueueUnavailableError
from zerog.queue.beanstalk.connection import BeanstalkConnection
from zerog.queue.port import DEFAULT_PRIORITY, Entry, EntryStats, ServerStats, TubeStats

#: Pauses between attempts to connect again.
FIRST_PAUSE_SECONDS, LAST_PAUSE_SECONDS = 0.02, 1.0


class BeanstalkProducer:
    """A `zerog.queue.port.Producer` that connects anew by itself.

    While the server is away a call fails at once, but for one that tries to connect, at
    most as often as the back-off allows. A put whose connection broke before the reply
    may have happened: an entry too many is harmless.
    """

    def __init__(self, host: str, port: int) -> None:
        self._host, self._port = host, port
        self._connection: BeanstalkConnection | None = None
        self._connecting: asyncio.Lock = asyncio.Lock()
        self._pause = FIRST_PAUSE_SECONDS
        self._not_before = 0.0

    async def put(
        self, tube: str, body: str, *, priority: int = DEFAULT_PRIORITY, delay_seconds: int = 0
    ) -> int:
        """Put an entry, return its id."""
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

    async def peek_buried(self, tube: str) -> Entry | None:
        """Return the first buried entry of a tube."""
        return await (await self._connect()).peek_buried(tube)

    async def entry_stats(self, entry_id: int) -> EntryStats | None:
        """Return what the server knows of an entry."""
        return await (await self._connect()).entry_stats(entry_id)

    async def tube_stats(self, tube: str) -> TubeStats:
        """Return a tube's counters."""
        return await (await self._connect()).tube_stats(tube)

    async def tubes(self) -> list[str]:
        """Return the names of all tubes."""
        return await (await self._connect()).tubes()

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
                raise QueueUnavailableError(f"the queue at {self._host}:{self._port} is away")
            try:
                self._connection = await BeanstalkConnection.connect(self._host, self._port)
            except QueueError:
                self._not_before = loop.time() + self._pause * random.uniform(0.5, 1.0)
                self._pause = min(2 * self._pause, LAST_PAUSE_SECONDS)
                raise
            self._pause = FIRST_PAUSE_SECONDS
            return self._connection
