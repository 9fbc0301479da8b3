"""The operator's connection to beanstalkd: readings, retire tokens, retirement by name.

One connection, whatever the number of pools. What cannot be read is `Unknown`; a put or a take
that fails is found missing by the next reading.
"""

import asyncio
import time
from collections.abc import Iterable

from zerog.model.errors import QueueError
from zerog.model.names import retire_tube_name, retire_worker_tube_name, tube_name
from zerog.queue import connect_queue
from zerog.queue.port import QueueConnection
from zerog_operator.model import QueueReading, Unknown

#: The server's identity is asked for so often: a restart also shows as a lost connection.
SERVER_SECONDS = 5.0
#: After a failure nobody tries again for so long.
PAUSE_SECONDS = 0.5


class Tubes:
    """Reads and changes tubes. Safe to use from many tasks of one loop."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._connection: QueueConnection | None = None
        self._connecting = asyncio.Lock()
        self._reserving = asyncio.Lock()
        self._server, self._server_until = "", 0.0
        self._failed: tuple[float, QueueError] | None = None

    async def read(self, queue: str, retire_key: str) -> QueueReading | Unknown:
        """Read a queue's tube and a pool's retire tube."""
        try:
            connection = await self._connect()
            jobs, tokens, server = await asyncio.gather(
                connection.tube_stats(tube_name(queue)),
                connection.tube_stats(retire_tube_name(retire_key)),
                self._server_id(connection),
            )
        except QueueError as error:
            return Unknown("QueueUnreachable", str(error))
        return QueueReading(
            time=time.time(),
            ready=jobs.ready,
            reserved=jobs.reserved,
            delayed=jobs.delayed,
            buried=jobs.buried,
            waiting=jobs.waiting,
            total=jobs.total,
            deleted=jobs.deleted,
            tokens=tokens.ready + tokens.reserved,
            server=server,
        )

    async def put_tokens(self, retire_key: str, count: int) -> None:
        """Put retire tokens."""
        connection = await self._connect()
        tube = retire_tube_name(retire_key)
        await asyncio.gather(*[connection.put(tube, "retire") for _ in range(count)])

    async def take_tokens(self, retire_key: str, count: int) -> int:
        """Take back as many tokens as still lie there; return how many."""
        return await self._take(retire_tube_name(retire_key), count)

    async def retire(self, workers: Iterable[str]) -> None:
        """Tell workers by name to retire once they have finished what they run."""
        connection = await self._connect()
        await asyncio.gather(*[_retire(connection, worker) for worker in workers])

    async def forget_worker(self, worker: str) -> None:
        """Remove what was put for a worker that is gone."""
        await self._take(retire_worker_tube_name(worker), 10)

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            await self._connection.close()

    async def _take(self, tube: str, count: int) -> int:
        # Reserving changes what the connection watches: one at a time.
        async with self._reserving:
            connection = await self._connect()
            await connection.watch([tube])
            entries = await connection.reserve_ready(count)
            await asyncio.gather(*[connection.delete(entry.id) for entry in entries])
            await connection.watch(["default"])
            return len(entries)

    async def _server_id(self, connection: QueueConnection) -> str:
        if time.monotonic() >= self._server_until:
            self._server = (await connection.server_stats()).id
            self._server_until = time.monotonic() + SERVER_SECONDS
        return self._server

    async def _connect(self) -> QueueConnection:
        async with self._connecting:
            if self._connection is not None and not self._connection.closed:
                return self._connection
            if self._failed is not None and time.monotonic() < self._failed[0]:
                raise self._failed[1]
            self._server_until = 0.0
            try:
                self._connection = await connect_queue(self._address)
            except QueueError as error:
                self._failed = (time.monotonic() + PAUSE_SECONDS, error)
                raise
            self._failed = None
            return self._connection


async def _retire(connection: QueueConnection, worker: str) -> None:
    tube = retire_worker_tube_name(worker)
    if not (await connection.tube_stats(tube)).entries:
        await connection.put(tube, "retire")
