"""A blocking client of a server on its own thread, for callers on the event loop.

The event loop makes calls, watches their deadlines and ends the connection; the thread alone talks
to the client, and closes the socket last. Shutting the socket down wakes the thread wherever it
waits, so an ended connection leaves no thread behind. The thread is a daemon, because a name server
that does not answer can still hold it.

The calls of one turn of the loop go to the thread together, and so do their results come back: a
gather of many calls crosses to the thread and back once.
"""

import asyncio
import contextlib
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Any, Generic, Protocol, TypeVar

from zerog.model.errors import QueueUnavailableError, ZeroGError
from zerog.queue.beanstalk.connection import (
    CONNECT_ERRORS,
    CONNECT_SECONDS,
    REPLY_SECONDS,
    unreachable,
)


class Closable(Protocol):
    """A client that owns its socket."""

    def close(self) -> None:
        """Close the client and its socket."""
        ...


C = TypeVar("C", bound=Closable)
T = TypeVar("T")
_Result = tuple[asyncio.Future[Any], Any, ZeroGError | None]


@dataclass(frozen=True, slots=True)
class _Call:
    """A function for the thread, and the future that gets its result."""

    function: Callable[[], Any]
    future: asyncio.Future[Any]
    #: It may wait for an entry. What was done before is reported first.
    waits: bool


class ClientThread(Generic[C]):
    """A client and its thread. Methods that run on the thread say so; the rest run on the loop."""

    def __init__(self, host: str, port: int, make: Callable[[socket.socket], C]) -> None:
        self._host, self._port, self._make = host, port, make
        self._loop = asyncio.get_running_loop()
        self._next: list[_Call] = []
        #: No calls: the connection has ended.
        self._calls: SimpleQueue[list[_Call]] = SimpleQueue()
        self._unanswered: set[asyncio.Future[Any]] = set()
        self._socket: socket.socket | None = None
        self._client: C | None = None
        #: Why the connection has ended.
        self._ended = ""
        self._shut = False
        self._thread = threading.Thread(target=self._serve, name=f"queue {host}", daemon=True)

    @property
    def closed(self) -> bool:
        """Whether the connection has ended, or the server has closed it."""
        if not self._ended and self._unread() == b"":
            self._ended = self._lost()
        if self._ended:
            self.end(self._ended)
        return self._shut

    async def open(self) -> None:
        """Start the thread and connect, or raise `QueueUnavailableError`."""
        try:
            self._thread.start()
        except RuntimeError as error:  # this machine has no room for one
            raise unreachable(f"{self._host}:{self._port}", error) from error
        await self._call(self._open, CONNECT_SECONDS)

    async def run(
        self,
        command: Callable[[C], T],
        deadline_seconds: float = REPLY_SECONDS,
        *,
        waits: bool = False,
    ) -> T:
        """Run commands on the thread. `waits` says that they may wait for an entry."""
        return await self._call(lambda: command(self._connected()), deadline_seconds, waits=waits)

    async def _call(
        self, function: Callable[[], T], deadline_seconds: float, *, waits: bool = False
    ) -> T:
        """Call a function on the thread, or raise `QueueUnavailableError` when it is overdue."""
        if self._shut:
            raise QueueUnavailableError(self._ended)
        future: asyncio.Future[T] = self._loop.create_future()
        self._unanswered.add(future)
        self._next.append(_Call(function, future, waits))
        if len(self._next) == 1:
            self._loop.call_soon(self._flush)
        overdue = self._loop.call_later(deadline_seconds, self._give_up, future)
        try:
            return await future
        finally:
            overdue.cancel()
            self._unanswered.discard(future)

    def _give_up(self, future: asyncio.Future[Any]) -> None:
        if not future.done():
            self.end(f"the queue at {self._host}:{self._port} does not answer")

    def _flush(self) -> None:
        """Give the calls of this turn of the loop to the thread."""
        calls, self._next = self._next, []
        self._calls.put(calls)

    def end(self, reason: str) -> None:
        """End the connection; every call that waits raises now. Idempotent."""
        if self._shut:
            return
        self._shut = True
        self._ended = self._ended or reason
        for future in self._unanswered:
            if not future.done():
                future.set_exception(QueueUnavailableError(self._ended))
                future.exception()  # nobody may be left to hear it, if its task is cancelled now
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)
        # Only now may the thread close the socket, so that no other file gets its number before.
        self._calls.put([])

    def _deliver(self, results: Sequence[_Result]) -> None:
        for future, result, error in results:
            if future.done():
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)
        if self._ended:
            self.end(self._ended)

    def _serve(self) -> None:
        """Answer calls until the connection has ended. The thread's main function."""
        try:
            while calls := self._calls.get():
                self._answer(calls)
        except RuntimeError:
            pass  # the loop was closed, and with it everybody who waited
        finally:
            if self._client is not None:
                self._client.close()
            elif self._socket is not None:
                self._socket.close()

    def _answer(self, calls: Sequence[_Call]) -> None:
        """Run calls and report to the loop as seldom as possible. On the thread."""
        if not self._ended and self._unread() is not None:
            self._ended = self._lost()
        results: list[_Result] = []
        for call in calls:
            if call.waits and results:
                self._loop.call_soon_threadsafe(self._deliver, results)
                results = []
            results.append((call.future, *self._try(call.function)))
        self._loop.call_soon_threadsafe(self._deliver, results)

    def _try(self, function: Callable[[], Any]) -> tuple[Any, ZeroGError | None]:
        """Return a call's result or its error, in the words of the port. On the thread."""
        try:
            return function(), None
        except ZeroGError as error:
            if isinstance(error, QueueUnavailableError):
                self._ended = self._ended or str(error)
            return None, error
        except Exception as error:
            # A client raises what reading a reply raises, also AssertionError, ValueError,
            # IndexError and MemoryError. After any of them the replies are out of step.
            self._ended = self._ended or self._lost()
            if not isinstance(error, OSError):
                self._ended += f": it does not answer as beanstalkd does ({error!r})"
            return None, QueueUnavailableError(self._ended)

    def _open(self) -> None:
        """Connect. On the thread."""
        try:
            self._socket = socket.create_connection((self._host, self._port), CONNECT_SECONDS)
        except CONNECT_ERRORS as error:
            raise unreachable(f"{self._host}:{self._port}", error) from error
        self._socket.settimeout(None)  # from here on the loop watches the deadlines
        self._client = self._make(self._socket)

    def _connected(self) -> C:
        """Return the client if nothing is wrong with its connection. On the thread."""
        if self._ended or self._client is None:
            raise QueueUnavailableError(self._ended)
        return self._client

    def _unread(self) -> bytes | None:
        """Return what the server sent and nobody has read yet: b"" is the end, None is nothing."""
        if self._socket is None:
            return None
        try:
            return self._socket.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        except OSError:
            return b""

    def _lost(self) -> str:
        return f"the connection to the queue at {self._host}:{self._port} is lost"
