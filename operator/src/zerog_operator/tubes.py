"""The operator's connection to beanstalkd: readings, retire tokens, retirement by name.

One connection by greenstalk, whatever the number of pools. What cannot be read is `Unknown`; a put
or a take that fails is found missing by the next reading.
"""

import asyncio
import time
from collections.abc import Callable, Iterable

from zerog.ledger.mailboxes import RETIRE
from zerog.model.backoff import Backoff
from zerog.model.errors import QueueError, QueueUnavailableError
from zerog.model.names import mailbox_tube_name, retire_tube_name, tube_name
from zerog.queue import connect_greenstalk
from zerog.queue.port import QueueConnection, TubeStats
from zerog_operator.model import QueueReading, Unknown

#: Between attempts to connect. Meanwhile every call fails with the error of the last one.
BACKOFF = Backoff(first_seconds=0.5, max_seconds=2.0)


class Tubes:
    """Reads and changes tubes. Safe to use from many tasks of one loop."""

    def __init__(self, address: str, now: Callable[[], float] = time.time) -> None:
        """Connect at the first call; `now` gives a reading its time."""
        self._address = address
        self._now = now
        self._connection: QueueConnection | None = None
        self._connecting = asyncio.Lock()
        self._reserving = asyncio.Lock()
        self._failures = 0
        self._not_before, self._error = 0.0, ""

    async def read(self, queue: str, retire_key: str) -> QueueReading | Unknown:
        """Read a queue's tube and a pool's retire tube."""
        try:
            connection = await self._connect()
            jobs, tokens = await connection.tube_stats_many(
                [tube_name(queue), retire_tube_name(retire_key)]
            )
            # A server that was restarted has ended this connection.
            server = await connection.server_id()
        except QueueError as error:
            return Unknown("QueueUnreachable", str(error))
        return QueueReading(
            time=self._now(),
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
        await self._put([retire_tube_name(retire_key)] * count)

    async def take_tokens(self, retire_key: str, count: int) -> int:
        """Take back as many tokens as still lie there; return how many."""
        return await self._take(retire_tube_name(retire_key), count)

    async def retire(self, workers: Iterable[str]) -> None:
        """Tell workers by name to retire once they have finished what they run."""
        tubes = [mailbox_tube_name(worker) for worker in workers]
        stats = await (await self._connect()).tube_stats_many(tubes) if tubes else []
        await self._put([tube.name for tube in stats if await self._is_untold(tube)])

    async def _is_untold(self, tube: TubeStats) -> bool:
        """Whether a worker is to be told: a nudge may wait there, too. Entries that are delayed or
        buried reach nobody."""
        if tube.ready == 1:
            waiting = await (await self._connect()).peek_ready(tube.name)
            return waiting is None or waiting.body != RETIRE
        return not tube.ready

    async def forget_worker(self, worker: str) -> None:
        """Remove what was put for a worker that is gone."""
        await self._take(mailbox_tube_name(worker), 10)

    async def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            await self._connection.close()

    async def _put(self, tubes: Iterable[str]) -> None:
        """Put an entry into each of these tubes. The gather crosses to the client once."""
        connection = await self._connect()
        await asyncio.gather(*[connection.put(tube, RETIRE) for tube in tubes])

    async def _take(self, tube: str, count: int) -> int:
        # Reserving changes what the connection watches: one at a time.
        async with self._reserving:
            connection = await self._connect()
            await connection.watch([tube])
            entries = await connection.reserve_ready(count)
            await asyncio.gather(*[connection.delete(entry.id) for entry in entries])
            await connection.watch(["default"])
            return len(entries)

    async def _connect(self) -> QueueConnection:
        async with self._connecting:
            if self._connection is not None and not self._connection.closed:
                return self._connection
            if time.monotonic() < self._not_before:
                raise QueueUnavailableError(self._error)
            try:
                self._connection = await connect_greenstalk(self._address)
            except QueueError as error:
                self._failures += 1
                self._not_before = time.monotonic() + BACKOFF.pause(self._failures)
                self._error = str(error)
                raise
            self._failures = 0
            return self._connection
