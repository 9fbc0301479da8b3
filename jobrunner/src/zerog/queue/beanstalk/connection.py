"""Connections to beanstalkd on the event loop, pipelined.

`BeanstalkConnection` is one connection: a command is written at once, and replies are
matched to commands in order, so many tasks share it without waiting for each other.
`zerog.queue.beanstalk.producer` keeps one and connects again when it breaks.

The API and the worker use it, because every job costs them several commands: a put takes 10 µs of
processor time from 32 tasks and 27 µs from one, against 27 and 75 µs by greenstalk, and a
connection puts more than twice as many entries a second (`benchmarks/queue_adapters.py`, 2 cores).
So does repair, which looks at every entry. Everything else uses `zerog.queue.greenstalk`.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Self, TypeVar, cast

from zerog.model.errors import QueueUnavailableError
from zerog.queue.beanstalk import wire
from zerog.queue.port import (
    DEFAULT_PRIORITY,
    Entry,
    EntryRef,
    EntryStats,
    ServerStats,
    TubeStats,
)

#: A reply that takes longer means that the server is frozen or the network is cut.
REPLY_SECONDS = 5.0
#: How often a connection looks whether a reply is overdue.
LOOK_SECONDS = 0.5
CONNECT_SECONDS = 2.0
#: What connecting may raise: a name that is not a host's is a UnicodeError, and resolving one
#: needs a thread, which a full machine refuses with a RuntimeError.
CONNECT_ERRORS = (OSError, UnicodeError, RuntimeError)
#: Peeks in a round trip. Anybody may have put bodies as large as the server accepts.
PEEKS_AT_ONCE = 200
T = TypeVar("T")


class _Pipeline(asyncio.Protocol):
    """Bytes in and out; replies go to the futures in the order of the commands."""

    def __init__(self, address: str) -> None:
        self._address = address
        self._reader = wire.ReplyReader()
        #: Who waits for a reply, and until when, in the order of the commands.
        self._waiting: deque[tuple[asyncio.Future[wire.Reply], float]] = deque()
        self._out: list[bytes] = []
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None
        self.closed = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have the interface of asyncio's, not their class.
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            for reply in self._reader.feed(data):
                if not self._waiting:
                    raise wire.ProtocolError("an unexpected reply")
                future, _ = self._waiting.popleft()
                if not future.done():
                    future.set_result(reply)
        except wire.ProtocolError as error:
            self.abort(str(error))

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(f"the connection to the queue at {self._address} is lost")

    def send(
        self, command: bytes, deadline_seconds: float = REPLY_SECONDS
    ) -> asyncio.Future[wire.Reply]:
        """Write a command; the future gets its reply, or an error when it is overdue."""
        if self.closed or self._transport is None:
            raise QueueUnavailableError(f"no connection to the queue at {self._address}")
        future: asyncio.Future[wire.Reply] = self._loop.create_future()
        self._waiting.append((future, self._loop.time() + deadline_seconds))
        if self._timer is None:
            self._timer = self._loop.call_later(LOOK_SECONDS, self._look_for_overdue)
        # Commands of one turn of the loop go out together: a system call for many.
        self._out.append(command)
        if len(self._out) == 1:
            self._loop.call_soon(self._flush)
        return future

    def _flush(self) -> None:
        commands, self._out = self._out, []
        if self._transport is not None and not self.closed:
            self._transport.write(b"".join(commands))

    def _look_for_overdue(self) -> None:
        """One timer a connection is cheaper than one a command; replies come in order."""
        self._timer = None
        if not self._waiting:
            return
        if self._loop.time() >= self._waiting[0][1]:
            self.abort(f"the queue at {self._address} does not answer")
        else:
            self._timer = self._loop.call_later(LOOK_SECONDS, self._look_for_overdue)

    def abort(self, reason: str) -> None:
        """End the connection now; everybody who waits is told why."""
        self._fail(reason)
        if self._transport is not None:
            self._transport.abort()

    def _fail(self, reason: str) -> None:
        self.closed = True
        waiting, self._waiting = self._waiting, deque()
        if self._timer is not None:
            self._timer.cancel()
        for future, _ in waiting:
            if not future.done():
                future.set_exception(QueueUnavailableError(reason))
                future.exception()  # nobody may be left to hear it, if its task is cancelled now


class BeanstalkConnection:
    """One connection to beanstalkd: a `zerog.queue.port.QueueConnection`."""

    def __init__(self, pipeline: _Pipeline) -> None:
        self._pipeline = pipeline
        self._server = ""
        self._used = "default"
        self._watched = {"default"}

    @classmethod
    async def connect(cls, host: str, port: int) -> Self:
        """Connect, or raise `QueueUnavailableError`."""
        address = f"{host}:{port}"
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, pipeline = await loop.create_connection(lambda: _Pipeline(address), host, port)
        except CONNECT_ERRORS as error:
            raise unreachable(address, error) from error
        connection = cls(pipeline)
        try:
            connection._server = (await connection.server_stats()).id
        except BaseException:
            connection.abort()
            raise
        return connection

    @property
    def closed(self) -> bool:
        """Whether the connection has ended; its reservations are then gone."""
        return self._pipeline.closed

    def abort(self) -> None:
        """End the connection at once, also out of a waiting reserve, which raises then."""
        self._pipeline.abort("the connection was closed")

    async def close(self) -> None:
        """Close the connection; reservations go back to their tubes."""
        self.abort()

    async def put(
        self, tube: str, body: str, *, priority: int = DEFAULT_PRIORITY, delay_seconds: int = 0
    ) -> EntryRef:
        """Put an entry."""
        command = wire.encode_put(body, priority, delay_seconds)
        self._use(tube)
        return EntryRef(await self._ask(command, wire.read_id), self._server)

    async def delete(self, entry_id: int) -> bool:
        """Delete an entry; False if it does not exist or another connection has reserved it."""
        return await self._ask(wire.encode_for("delete", entry_id), wire.found(b"DELETED"))

    async def touch(self, entry_id: int) -> bool:
        """Restart the time of a reservation."""
        return await self._ask(wire.encode_for("touch", entry_id), wire.found(b"TOUCHED"))

    async def kick(self, entry_id: int) -> bool:
        """Make a buried or delayed entry ready."""
        return await self._ask(wire.encode_for("kick-job", entry_id), wire.found(b"KICKED"))

    async def bury(self, entry_id: int, *, priority: int) -> bool:
        """Put an entry aside."""
        command = wire.encode_for("bury", entry_id, wire.to_server_priority(priority))
        return await self._ask(command, wire.found(b"BURIED"))

    async def release(self, entry_id: int, *, priority: int, delay_seconds: int = 0) -> bool:
        """Give an entry back."""
        command = wire.encode_release(entry_id, priority, delay_seconds)
        return await self._ask(command, wire.found(b"RELEASED", b"BURIED"))

    async def watch(self, tubes: Sequence[str]) -> None:
        """Reserve from exactly these tubes. At least one is needed."""
        wanted = set(tubes)
        if not wanted:
            raise ValueError("a connection watches at least one tube")
        for tube in sorted(wanted - self._watched):
            await self._ask(wire.encode_tube("watch", tube), wire.found(b"WATCHING"))
            self._watched.add(tube)
        for tube in sorted(self._watched - wanted):
            await self._ask(wire.encode_tube("ignore", tube), wire.found(b"WATCHING"))
            self._watched.discard(tube)

    async def reserve(self, timeout_seconds: int) -> Entry | None:
        """Wait for an entry. Cancelling the task ends the connection: nothing leaks."""
        command = wire.encode("reserve-with-timeout", timeout_seconds)
        return await self._reserve(command, timeout_seconds + REPLY_SECONDS)

    async def reserve_entry(self, entry_id: int) -> Entry | None:
        """Reserve one entry that is ready, delayed or buried."""
        return await self._reserve(wire.encode_for("reserve-job", entry_id), REPLY_SECONDS)

    async def reserve_ready(self, count: int) -> list[Entry]:
        """Reserve up to `count` entries that are ready now, in one go."""
        command = wire.encode("reserve-with-timeout", 0)
        replies = [self._pipeline.send(command) for _ in range(count)]
        try:
            found = [self._read(await reply, wire.read_entry) for reply in replies]
        except asyncio.CancelledError:
            self.abort()
            raise
        return [Entry(*entry, self._server) for entry in found if entry is not None]

    async def peek(self, entry_id: int) -> str | None:
        """Return an entry's body."""
        entry = await self._ask(wire.encode_for("peek", entry_id), wire.read_entry)
        return None if entry is None else entry[1]

    async def peek_many(self, entry_ids: Iterable[int]) -> dict[int, str]:
        """Return the bodies of those entries that exist, in a round trip per `PEEKS_AT_ONCE`."""
        numbers = list(entry_ids)
        bodies: dict[int, str] = {}
        for start in range(0, len(numbers), PEEKS_AT_ONCE):
            some = numbers[start : start + PEEKS_AT_ONCE]
            found = await asyncio.gather(*[self.peek(number) for number in some])
            bodies |= {n: body for n, body in zip(some, found, strict=True) if body is not None}
        return bodies

    async def peek_ready(self, tube: str) -> Entry | None:
        """Return the entry that is reserved next from a tube."""
        return await self._peek("peek-ready", tube)

    async def peek_buried(self, tube: str) -> Entry | None:
        """Return the first buried entry of a tube."""
        return await self._peek("peek-buried", tube)

    async def _peek(self, command: str, tube: str) -> Entry | None:
        self._use(tube)
        entry = await self._ask(wire.encode(command), wire.read_entry)
        return None if entry is None else Entry(*entry, self._server)

    async def entry_stats(self, entry_id: int) -> EntryStats | None:
        """Return the facts of an entry."""
        return await self._ask(wire.encode_for("stats-job", entry_id), wire.read_entry_stats)

    async def tube_stats(self, tube: str) -> TubeStats:
        """Return a tube's counters: zeroes for a tube that does not exist."""
        found = await self._ask(wire.encode_tube("stats-tube", tube), wire.read_tube_stats)
        return found or TubeStats(tube)

    async def tube_stats_many(self, tubes: Iterable[str]) -> list[TubeStats]:
        """Return the counters of tubes, in the same order."""
        return await asyncio.gather(*[self.tube_stats(tube) for tube in tubes])

    async def tubes(self) -> list[str]:
        """Return the names of tubes."""
        return await self._ask(wire.encode("list-tubes"), wire.read_list)

    async def pause_tube(self, tube: str, seconds: int) -> bool:
        """Let nobody reserve from a tube for a while."""
        return await self._ask(wire.encode_pause(tube, seconds), wire.found(b"PAUSED"))

    async def server_id(self) -> str:
        """Return the server's id, which was asked for when the connection was made."""
        return self._server

    async def server_stats(self) -> ServerStats:
        """Return facts of the server."""
        return await self._ask(wire.encode("stats"), wire.read_server_stats)

    def _use(self, tube: str) -> None:
        """Choose the tube of the next command, which must follow in the same turn of the loop."""
        if tube != self._used:
            self._pipeline.send(wire.encode_tube("use", tube))
            self._used = tube

    async def _reserve(self, command: bytes, deadline_seconds: float) -> Entry | None:
        try:
            entry = await self._ask(command, wire.read_entry, deadline_seconds)
        except asyncio.CancelledError:
            self.abort()
            raise
        return None if entry is None else Entry(*entry, self._server)

    async def _ask(
        self,
        command: bytes,
        read: Callable[[wire.Reply], T],
        deadline_seconds: float = REPLY_SECONDS,
    ) -> T:
        return self._read(await self._pipeline.send(command, deadline_seconds), read)

    def _read(self, reply: wire.Reply, read: Callable[[wire.Reply], T]) -> T:
        try:
            return read(reply)
        except wire.ProtocolError as error:
            # What answers like this is not a beanstalkd, or its replies are out of step.
            self._pipeline.abort(str(error))
            raise


def unreachable(address: str, error: Exception) -> QueueUnavailableError:
    """Return the error that says that connecting failed, and what to look at."""
    return QueueUnavailableError(
        f"the queue at {address} cannot be reached ({str(error) or 'no answer'}): "
        "is beanstalkd running there?"
    )
