"""The greenstalk adapter: a blocking client on its own thread, behind `zerog.queue.port`.

The operator and every other tool use it. The API, the worker and repair do not: see
`zerog.queue.beanstalk.connection` for the figure. `zerog.queue.blocking` owns the thread; the
functions given to it here run there.
"""

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ParamSpec, Self, TypeVar

import greenstalk

from zerog.model.errors import QueueRefusedError
from zerog.queue.beanstalk import wire
from zerog.queue.beanstalk.connection import REPLY_SECONDS
from zerog.queue.blocking import ClientThread
from zerog.queue.port import (
    DEFAULT_PRIORITY,
    MAX_TUBES,
    TTR_SECONDS,
    Entry,
    EntryRef,
    EntryStats,
    ServerStats,
    TubeStats,
)

K = TypeVar("K")
P = ParamSpec("P")
T = TypeVar("T")
Client = greenstalk.Client[bytes]
Job = greenstalk.Job[bytes]
_REASONS: dict[type[Exception], str] = {
    greenstalk.DrainingError: wire.REFUSALS[b"DRAINING"],
    greenstalk.JobTooBigError: wire.REFUSALS[b"JOB_TOO_BIG"],
    greenstalk.OutOfMemoryError: wire.REFUSALS[b"OUT_OF_MEMORY"],
}
_NOTHING = (greenstalk.NotFoundError, greenstalk.TimedOutError, greenstalk.DeadlineSoonError)


class GreenstalkConnection:
    """One connection by greenstalk: a `zerog.queue.port.QueueConnection`."""

    def __init__(self, thread: ClientThread[Client]) -> None:
        self._thread = thread
        self._server = ""
        self._used = "default"
        self._watched = {"default"}

    @classmethod
    async def connect(cls, host: str, port: int) -> Self:
        """Connect, or raise `QueueUnavailableError`."""
        thread = ClientThread(host, port, lambda sock: greenstalk.Client(sock, encoding=None))
        connection = cls(thread)
        try:
            await thread.open()
            connection._server = (await connection.server_stats()).id
        except BaseException:
            connection.abort()
            raise
        return connection

    @property
    def closed(self) -> bool:
        """Whether the connection has ended; its reservations are then gone."""
        return self._thread.closed

    def abort(self) -> None:
        """End the connection at once, also out of a waiting reserve, which raises then."""
        self._thread.end("the connection was closed")

    async def close(self) -> None:
        """Close the connection; reservations go back to their tubes."""
        self.abort()

    async def put(
        self, tube: str, body: str, *, priority: int = DEFAULT_PRIORITY, delay_seconds: int = 0
    ) -> EntryRef:
        """Put an entry."""
        wire.check_tube(tube)
        data, number = wire.encode_body(body), wire.to_server_priority(priority)
        delay = wire.to_server_delay(delay_seconds)

        def put(client: Client) -> int:
            self._use(client, tube)
            try:
                return wire.check_entry_id(client.put(data, number, delay, TTR_SECONDS))
            except greenstalk.BuriedError as error:
                if error.id is None:
                    raise
                return error.id  # it was put, too
            except tuple(_REASONS) as error:
                raise QueueRefusedError(_REASONS[type(error)]) from error

        return EntryRef(await self._thread.run(put), self._server)

    async def delete(self, entry_id: int) -> bool:
        """Delete an entry; False if it does not exist or another connection has reserved it."""
        number = wire.to_server_id(entry_id)
        return await self._found(lambda client: client.delete(number))

    async def touch(self, entry_id: int) -> bool:
        """Restart the time of a reservation."""
        job = _job(entry_id)
        return await self._found(lambda client: client.touch(job))

    async def kick(self, entry_id: int) -> bool:
        """Make a buried or delayed entry ready."""
        number = wire.to_server_id(entry_id)
        return await self._found(lambda client: client.kick_job(number))

    async def bury(self, entry_id: int, *, priority: int) -> bool:
        """Put an entry aside."""
        job, number = _job(entry_id), wire.to_server_priority(priority)
        return await self._found(lambda client: client.bury(job, number))

    async def release(self, entry_id: int, *, priority: int, delay_seconds: int = 0) -> bool:
        """Give an entry back."""
        job, number = _job(entry_id), wire.to_server_priority(priority)
        delay = wire.to_server_delay(delay_seconds)

        def release(client: Client) -> None:
            with contextlib.suppress(greenstalk.BuriedError):  # it was given back, too
                client.release(job, number, delay)

        return await self._found(release)

    async def watch(self, tubes: Sequence[str]) -> None:
        """Reserve from exactly these tubes. At least one is needed."""
        wanted = {wire.check_tube(tube) for tube in tubes}
        if not wanted:
            raise ValueError("a connection watches at least one tube")

        def watch(client: Client) -> None:
            for tube in wanted - self._watched:
                client.watch(tube)
            for tube in self._watched - wanted:
                client.ignore(tube)
            self._watched = wanted

        await self._thread.run(watch)

    async def reserve(self, timeout_seconds: int) -> Entry | None:
        """Wait for an entry. Cancelling the task ends the connection: nothing leaks."""
        found = await self._reserve(
            lambda client: _some(client.reserve, timeout_seconds),
            timeout_seconds + REPLY_SECONDS,
        )
        return found[0] if found else None

    async def reserve_ready(self, count: int) -> list[Entry]:
        """Reserve up to `count` entries that are ready now, one command each."""

        def reserve(client: Client) -> list[Job]:
            jobs: list[Job] = []
            while len(jobs) < count and (found := _some(client.reserve, 0)):
                jobs += found
            return jobs

        return await self._reserve(reserve, REPLY_SECONDS)

    async def reserve_entry(self, entry_id: int) -> Entry | None:
        """Reserve one entry that is ready, delayed or buried."""
        number = wire.to_server_id(entry_id)
        found = await self._reserve(lambda client: _some(client.reserve_job, number), REPLY_SECONDS)
        return found[0] if found else None

    async def peek(self, entry_id: int) -> str | None:
        """Return an entry's body."""
        return (await self.peek_many([entry_id])).get(entry_id)

    async def peek_many(self, entry_ids: Iterable[int]) -> dict[int, str]:
        """Return the bodies of those entries that exist, one command each."""
        numbers = {number: wire.to_server_id(number) for number in entry_ids}
        return await self._thread.run(
            lambda client: {
                number: wire.decode_body(job.body)
                for number, known in numbers.items()
                for job in _some(client.peek, known)
            }
        )

    async def peek_ready(self, tube: str) -> Entry | None:
        """Return the entry that is reserved next from a tube."""
        return await self._peek(Client.peek_ready, tube)

    async def peek_buried(self, tube: str) -> Entry | None:
        """Return the first buried entry of a tube."""
        return await self._peek(Client.peek_buried, tube)

    async def _peek(self, command: Callable[[Client], Job], tube: str) -> Entry | None:
        wire.check_tube(tube)

        def peek(client: Client) -> list[Job]:
            self._use(client, tube)
            return _some(command, client)

        found = await self._thread.run(peek)
        return self._entry(found[0]) if found else None

    async def entry_stats(self, entry_id: int) -> EntryStats | None:
        """Return the facts of an entry."""
        number = wire.to_server_id(entry_id)
        return await self._thread.run(
            lambda client: _stats(wire.entry_stats, client.stats_job, number)
        )

    async def tube_stats(self, tube: str) -> TubeStats:
        """Return a tube's counters: zeroes for a tube that does not exist."""
        return (await self.tube_stats_many([tube]))[0]

    async def tube_stats_many(self, tubes: Iterable[str]) -> list[TubeStats]:
        """Return the counters of tubes, in the same order, one command each."""
        names = [wire.check_tube(tube) for tube in tubes]
        return await self._thread.run(
            lambda client: [
                _stats(wire.tube_stats, client.stats_tube, name) or TubeStats(name)
                for name in names
            ]
        )

    async def tubes(self) -> list[str]:
        """Return the names of tubes."""
        return (await self._thread.run(lambda client: client.tubes()))[:MAX_TUBES]

    async def pause_tube(self, tube: str, seconds: int) -> bool:
        """Let nobody reserve from a tube for a while."""
        name, delay = wire.check_tube(tube), wire.to_server_delay(seconds)
        return await self._found(lambda client: client.pause_tube(name, delay))

    async def server_id(self) -> str:
        """Return the server's id, which was asked for when the connection was made."""
        return self._server

    async def server_stats(self) -> ServerStats:
        """Return facts of the server."""
        return await self._thread.run(lambda client: wire.server_stats(client.stats()))

    def _use(self, client: Client, tube: str) -> None:
        """Choose the tube of the next command. On the thread."""
        if tube != self._used:
            client.use(tube)
            self._used = tube

    async def _reserve(
        self, reserve: Callable[[Client], list[Job]], deadline_seconds: float
    ) -> list[Entry]:
        try:
            jobs = await self._thread.run(reserve, deadline_seconds, waits=True)
        except asyncio.CancelledError:
            self.abort()
            raise
        return [self._entry(job) for job in jobs]

    def _entry(self, job: Job) -> Entry:
        return Entry(wire.check_entry_id(job.id), wire.decode_body(job.body), self._server)

    async def _found(self, command: Callable[[Client], object]) -> bool:
        def found(client: Client) -> bool:
            try:
                command(client)
            except greenstalk.NotFoundError:
                return False
            return True

        return await self._thread.run(found)


def _job(entry_id: int) -> Job:
    return Job(wire.to_server_id(entry_id), b"")


def _some(find: Callable[P, Job], *args: P.args, **kwargs: P.kwargs) -> list[Job]:
    """Return the entry that a command finds, or none. On the thread."""
    try:
        return [find(*args, **kwargs)]
    except _NOTHING:
        return []


def _stats(read: Callable[[Any], T], ask: Callable[[K], Any], key: K) -> T | None:
    """Return facts, None for what does not exist. On the thread."""
    try:
        return read(ask(key))
    except greenstalk.NotFoundError:
        return None
