"""Connections to beanstalkd on the event loop, pipelined.

`BeanstalkConnection` is one connection: a command is written at once, and replies are
matched to commands in order, so many tasks share it without waiting for each other.
`zerog.queue.beanstalk.producer` keeps one and connects again when it breaks.
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Self, cast

from zerog.model.errors import QueueUnavailableError
from zerog.queue.beanstalk import wire
from zerog.queue.port import (
    DEFAULT_PRIORITY,
    TTR_SECONDS,
    Entry,
    EntryStats,
    ServerStats,
    TubeStats,
)

#: A reply that takes longer means that the server is frozen or the network is cut.
REPLY_SECONDS = 5.0
#: How often a connection looks whether a reply is overdue.
LOOK_SECONDS = 0.5
CONNECT_SECONDS = 2.0


class _Channel(asyncio.Protocol):
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
                    raise wire.ProtocolError("a reply that nobody asked for")
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


_RESERVE_ANSWERS = (b"RESERVED", b"TIMED_OUT", b"DEADLINE_SOON")


class BeanstalkConnection:
    """One connection to beanstalkd: a `zerog.queue.port.QueueConnection`."""

    def __init__(self, channel: _Channel, address: str) -> None:
        self._channel = channel
        self._address = address
        self._used = "default"
        self._watched = {"default"}

    @classmethod
    async def connect(cls, host: str, port: int) -> Self:
        """Connect, or raise `QueueUnavailableError`."""
        address = f"{host}:{port}"
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                _, channel = await loop.create_connection(lambda: _Channel(address), host, port)
        except (OSError, TimeoutError) as error:
            raise QueueUnavailableError(
                f"the queue at {address} cannot be reached ({error or 'no answer'}): "
                "is beanstalkd running there?"
            ) from error
        return cls(channel, address)

    @property
    def closed(self) -> bool:
        """Whether the connection is over; its reservations are then gone."""
        return self._channel.closed

    def abort(self) -> None:
        """End the connection at once, also out of a waiting reserve, which raises then."""
        self._channel.abort("the connection was closed")

    async def close(self) -> None:
        """Close the connection; reservations go back to their tubes."""
        self.abort()

    async def put(
        self, tube: str, body: str, *, priority: int = DEFAULT_PRIORITY, delay_seconds: int = 0
    ) -> int:
        """Put an entry, return its id."""
        command = wire.encode_put(body.encode(), priority, delay_seconds, TTR_SECONDS)
        if tube != self._used:
            # Both are written in one go: no other task's command comes between.
            using = self._channel.send(wire.encode("use", tube))
            using.add_done_callback(_forget)
            self._used = tube
        reply = wire.check(await self._call(command), b"INSERTED", b"BURIED")
        return wire.entry_id(reply)

    async def delete(self, entry_id: int) -> bool:
        """Delete an entry; whether it was there and not reserved by somebody else."""
        return await self._found(wire.encode("delete", entry_id), b"DELETED")

    async def touch(self, entry_id: int) -> bool:
        """Begin the reservation's time anew."""
        return await self._found(wire.encode("touch", entry_id), b"TOUCHED")

    async def kick(self, entry_id: int) -> bool:
        """Make a buried or delayed entry ready."""
        return await self._found(wire.encode("kick-job", entry_id), b"KICKED")

    async def bury(self, entry_id: int, *, priority: int) -> bool:
        """Put an entry aside."""
        number = wire.to_server_priority(priority)
        return await self._found(wire.encode("bury", entry_id, number), b"BURIED")

    async def release(self, entry_id: int, *, priority: int, delay_seconds: int = 0) -> bool:
        """Give an entry back."""
        command = wire.encode_release(entry_id, priority, delay_seconds)
        return await self._found(command, b"RELEASED", b"BURIED")

    async def watch(self, tubes: Sequence[str]) -> None:
        """Reserve from exactly these tubes. At least one is needed."""
        wanted = set(tubes)
        if not wanted:
            raise ValueError("a connection watches at least one tube")
        for tube in sorted(wanted - self._watched):
            wire.check(await self._call(wire.encode("watch", tube)), b"WATCHING")
        for tube in sorted(self._watched - wanted):
            wire.check(await self._call(wire.encode("ignore", tube)), b"WATCHING")
        self._watched = wanted

    async def reserve(self, timeout_seconds: int) -> Entry | None:
        """Wait for an entry. Cancelling the task ends the connection: nothing leaks."""
        command = wire.encode("reserve-with-timeout", timeout_seconds)
        try:
            reply = await self._call(command, timeout_seconds + REPLY_SECONDS)
        except asyncio.CancelledError:
            self.abort()
            raise
        wire.check(reply, *_RESERVE_ANSWERS)
        return _entry(reply) if reply.word == b"RESERVED" else None

    async def reserve_ready(self, count: int) -> list[Entry]:
        """Reserve up to so many entries that are ready now, in one go."""
        command = wire.encode("reserve-with-timeout", 0)
        replies = [self._channel.send(command) for _ in range(count)]
        try:
            answers = [wire.check(await reply, *_RESERVE_ANSWERS) for reply in replies]
        except asyncio.CancelledError:
            self.abort()
            raise
        finally:
            for reply in replies:
                reply.add_done_callback(_forget)
        return [_entry(answer) for answer in answers if answer.word == b"RESERVED"]

    async def peek(self, entry_id: int) -> str | None:
        """Return an entry's body."""
        reply = wire.check(await self._call(wire.encode("peek", entry_id)), b"FOUND", b"NOT_FOUND")
        return reply.body.decode("utf-8", "replace") if reply.word == b"FOUND" else None

    async def peek_buried(self, tube: str) -> Entry | None:
        """Return the first buried entry of a tube."""
        using = self._channel.send(wire.encode("use", tube))
        using.add_done_callback(_forget)
        self._used = tube
        reply = wire.check(await self._call(wire.encode("peek-buried")), b"FOUND", b"NOT_FOUND")
        if reply.word != b"FOUND":
            return None
        return _entry(reply)

    async def entry_stats(self, entry_id: int) -> EntryStats | None:
        """Return what the server knows of an entry."""
        values = await self._stats(wire.encode("stats-job", entry_id))
        if values is None:
            return None
        return wire.entry_stats(entry_id, values)

    async def tube_stats(self, tube: str) -> TubeStats:
        """Return a tube's counters: zeroes for a tube that does not exist."""
        values = await self._stats(wire.encode("stats-tube", tube))
        if values is None:
            return TubeStats(tube)
        return wire.tube_stats(tube, values)

    async def tubes(self) -> list[str]:
        """Return the names of all tubes."""
        return wire.parse_list(wire.check(await self._call(wire.encode("list-tubes")), b"OK").body)

    async def server_stats(self) -> ServerStats:
        """Return facts of the server."""
        values = await self._stats(wire.encode("stats"))
        assert values is not None
        return wire.server_stats(values)

    async def _stats(self, command: bytes) -> dict[str, str] | None:
        reply = wire.check(await self._call(command), b"OK", b"NOT_FOUND")
        return wire.parse_mapping(reply.body) if reply.word == b"OK" else None

    async def _found(self, command: bytes, *good: bytes) -> bool:
        reply = wire.check(await self._call(command), *good, b"NOT_FOUND")
        return reply.word != b"NOT_FOUND"

    async def _call(self, command: bytes, deadline_seconds: float = REPLY_SECONDS) -> wire.Reply:
        return await self._channel.send(command, deadline_seconds)


def _entry(reply: wire.Reply) -> Entry:
    return Entry(wire.entry_id(reply), reply.body.decode("utf-8", "replace"))


def _forget(future: asyncio.Future[wire.Reply]) -> None:
    if not future.cancelled():
        future.exception()
