"""A client's connection: it knows since when it does nothing, and how much it holds.

Tornado reads a request's head with `read_until_regex`, and its body with the other reads. A head is
checked here before Tornado parses it: how long it is, how many headers it has, and that its lines
end as HTTP says. (Two programs that end lines differently see different requests.)

What has come of requests that are not answered yet is held in memory, and anybody may send such
bytes. So all connections of a process share one budget (`Unread`), of which a caller has half. When
it is used up, the connections that hold most of it and are still sending are closed: those of an
attacker, or large bodies, and never small requests alongside.
"""

import contextlib
import logging
import socket
import time
from asyncio import Future
from collections import Counter
from http import HTTPStatus
from typing import Any, cast

from tornado.ioloop import IOLoop
from tornado.iostream import IOStream, StreamClosedError, UnsatisfiableReadError

from zerog.model import jsontext
from zerog_api import problems
from zerog_api.edge.listening import LazyLoop
from zerog_api.problems import Problem

log = logging.getLogger(__name__)

#: How long a client may take for a request's line and headers, and for its body.
HEAD_SECONDS, BODY_SECONDS = 20.0, 60.0
#: Longer than proxies keep an idle connection by default, so that they end it, and not we
#: while they use it.
IDLE_SECONDS = 120.0
#: How long a client may take nothing of an answer.
STALLED_SECONDS = 60.0
#: The request line and headers; a browser behind a proxy sends 2 to 4 KB and 20 headers.
MAX_HEAD_BYTES, MAX_HEADERS = 16 * 1024, 100
#: More than a query string of any call has.
MAX_AMPERSANDS = 400
#: To what part of a budget it is emptied once it is used up: each search costs time.
_LEFT = 0.75
#: What a connection may always hold: a usual request.
SMALL_BYTES = 4096
#: Of the lines of a head, these are no headers: the request line and the empty line.
_OTHER_LINES = 2


def raw(problem: Problem) -> bytes:
    """Return a whole answer for where there is no request, which ends the connection."""
    body = jsontext.dumps(problem.to_document())
    headers = {
        "Content-Type": problems.CONTENT_TYPE,
        "Content-Length": str(len(body)),
        "Connection": "close",
        **problem.headers,
    }
    lines = [f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


_HEAD_TOO_LARGE = raw(
    Problem(
        431,
        "headers-too-large",
        f"send at most {MAX_HEADERS} headers, and {MAX_HEAD_BYTES:,} bytes of them",
    )
)
_QUERY_TOO_LONG = raw(Problem(414, "query-too-long", "the query string has too many parameters"))
_BAD_HEAD = raw(Problem(400, "bad-request", "each line of a request's head must end with CR LF"))
_BUSY = raw(
    Problem(
        503,
        "too-many-bytes",
        "too many requests are being sent; nothing was changed; try again",
        headers={"Retry-After": str(problems.RETRY_AFTER_SECONDS)},
    )
)


def refusal_of(head: bytes) -> bytes | None:
    """Return the answer to a head that is not to be parsed, None if it may be. Pure."""
    lines = head.count(b"\n")
    if lines > MAX_HEADERS + _OTHER_LINES:
        return _HEAD_TOO_LARGE
    if head.count(b"&") > MAX_AMPERSANDS:
        return _QUERY_TOO_LONG
    if not lines == head.count(b"\r\n") == head.count(b"\r"):
        return _BAD_HEAD
    return None


class Unread:
    """The budget of what all connections hold of requests that are not answered yet."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._streams: set[Stream] = set()
        self._owners: Counter[str] = Counter()
        self.bytes = 0

    def change(self, stream: "Stream", count: int) -> None:
        """Count what a connection holds more, or less."""
        self.bytes += count
        if stream.owner:
            self._owners[stream.owner] += count
            if not self._owners[stream.owner]:
                del self._owners[stream.owner]
        if stream.held:
            self._streams.add(stream)
        else:
            self._streams.discard(stream)

    def choose(self, stream: "Stream") -> "list[Stream]":
        """Return the connections to close, now that this one holds more: the largest of those that
        are still sending, of all or of its owner."""
        if self.bytes > self._max_bytes:
            return self._largest(list(self._streams), self.bytes, self._max_bytes)
        share = self._max_bytes / 2
        if stream.owner and (held := self._owners[stream.owner]) > share:
            own = [each for each in self._streams if each.owner == stream.owner]
            return self._largest(own, held, share)
        return []

    @staticmethod
    def _largest(streams: "list[Stream]", held: int, most: float) -> "list[Stream]":
        sending = [each for each in streams if each.reading() and each.held > SMALL_BYTES]
        sending.sort(key=lambda each: each.held, reverse=True)
        chosen: list[Stream] = []
        for each in sending:
            if held <= most * _LEFT:
                break
            chosen.append(each)
            held -= each.held
        return chosen


class Stream(IOStream):
    """A connection of a client."""

    def __init__(
        self, connection: socket.socket, unread: Unread | None = None, **options: Any
    ) -> None:
        super().__init__(connection, **options)
        self.io_loop = cast(IOLoop, LazyLoop(self.io_loop))
        super().set_nodelay(True)
        #: How long what is being read may take, and since when it does. Whoever connects has to
        #: send a request soon.
        self._limit, self._since = HEAD_SECONDS, time.monotonic()
        self._body_seconds = BODY_SECONDS
        #: Whether a head is being read, and nothing of it has come.
        self._reads_head, self._idle = False, False
        #: Whether the last read has taken all that there was.
        self._drained = False
        #: When the client last took something of an answer, and whether the request has none.
        self._taken, self._is_silent = 0.0, True
        self._unread = unread
        #: Whose the request is, once that is known.
        self.owner = ""
        #: Bytes that Tornado has not got yet, and those that a handler keeps of the request.
        self._waiting = self._kept = 0
        #: Both, as they are counted.
        self.held = 0
        #: Whether a handler works on the whole request, also when the client has left.
        self._in_use = False
        #: Bytes of answers that the client has not taken, and since when there are some.
        self.unsent, self.unsent_since = 0, 0.0

    def is_late(self, now: float) -> bool:
        """Whether the other side has had its time."""
        if self.writing():
            return self.stalled_seconds(now) > STALLED_SECONDS
        return self.reading() and now - self._since > self._limit

    def stalled_seconds(self, now: float) -> float:
        """Return for how long the client has taken nothing of an answer that it is to take."""
        return now - self._taken if self.writing() else 0.0

    def set_nodelay(self, value: bool) -> None:
        """Leave Nagle's algorithm off: Tornado switches it twice an answer, for nothing."""

    # Reading

    async def read_until_regex(self, regex: bytes, max_bytes: int | None = None) -> bytes:
        """Read a request's head: Tornado uses this for nothing else."""
        if self.closed():  # Tornado would go on with what has come before the end
            raise StreamClosedError(real_error=self.error)
        self._body_seconds = BODY_SECONDS
        if self._taken:  # there was a request before this one
            self._idle = not self._waiting
            self._begin(IDLE_SECONDS if self._idle else HEAD_SECONDS)
        self._reads_head = self._is_silent = True
        head = await super().read_until_regex(regex, MAX_HEAD_BYTES)
        self._reads_head = False
        self._give(head)
        if (refusal := refusal_of(head)) is not None:
            self.give_up(refusal)
            raise StreamClosedError
        return head

    async def read_bytes(self, num_bytes: int, partial: bool = False) -> bytes:
        """Read of a body."""
        self._begin_body()
        return self._give(await super().read_bytes(num_bytes, partial))

    async def read_until(self, delimiter: bytes, max_bytes: int | None = None) -> bytes:
        """Read of a body in chunks."""
        self._begin_body()
        return self._give(await super().read_until(delimiter, max_bytes))

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        """Read what is there. After a read that was not filled there is nothing at first, so that
        the system need not be asked: it tells when more has come."""
        if self._drained:
            self._drained = False
            return None
        count = super().read_from_fd(buf)
        self._drained = 0 < (count or 0) < len(buf)
        if count:
            self._waiting += count
            if self._idle:
                self._idle = False
                self._begin(HEAD_SECONDS)
            if not self._count():
                return 0  # as if the client had left: Tornado closes
        return count

    def _give(self, data: bytes) -> bytes:
        """Let Tornado have what it has waited for. What a handler keeps of it, it says."""
        self._waiting -= len(data)
        return data

    def belong_to(self, owner: str) -> None:
        """Note whose the request is that comes now."""
        kept, self._kept, waiting, self._waiting = self._kept, 0, self._waiting, 0
        self._count()
        self.owner, self._kept, self._waiting = owner, kept, waiting
        self._count()

    def keep(self, count: int) -> None:
        """Count a part of a body that a handler keeps until it calls `release`."""
        self._kept += count
        self._count()

    def occupy(self) -> None:
        """Let a handler work on what it has kept, until it calls `release`."""
        self._in_use = True

    def release(self) -> None:
        """Forget the request: its handler is done with it."""
        self._in_use, self._kept = False, 0
        self._count()
        self.owner = ""

    def _count(self) -> bool:
        """Count what is held, and close what holds too much; False: this one."""
        held = self._kept + (0 if self.closed() else self._waiting)
        more, self.held = held - self.held, held
        if not more or self._unread is None:
            return True
        self._unread.change(self, more)
        chosen = self._unread.choose(self) if more > 0 else []
        if chosen:
            log.warning(
                "%d bytes of unfinished requests are held: %d connections are closed",
                self._unread.bytes,
                len(chosen),
            )
        for stream in chosen:
            if stream is not self:
                stream.give_up(_BUSY)
        if self in chosen:
            self._send_last(_BUSY)
        return self not in chosen

    def give_up(self, answer: bytes) -> None:
        """Answer at once, and close."""
        self._send_last(answer)
        self.close()

    def _send_last(self, answer: bytes) -> None:
        if self._is_silent:
            # What does not fit into the system's buffer is not worth waiting for.
            with contextlib.suppress(OSError):
                self.socket.send(answer)

    def close(self, exc_info: Any = False) -> None:
        """Close. A head that is too long is answered."""
        if self._reads_head and isinstance(exc_info, UnsatisfiableReadError):
            self._send_last(_HEAD_TOO_LARGE)
        super().close(exc_info)
        self.unsent = 0
        if not self._in_use:
            self._kept = 0
        self._count()

    def _begin(self, seconds: float) -> None:
        self._limit, self._since = seconds, time.monotonic()

    def limit_body(self, seconds: float) -> None:
        """Let what is left of the body that comes now have this time."""
        self._body_seconds = seconds
        self._begin(seconds)

    def _begin_body(self) -> None:
        if self._limit != self._body_seconds:  # all of its parts have this time together
            self._begin(self._body_seconds)

    # Writing

    def write(self, data: bytes | memoryview) -> "Future[None]":
        """Write."""
        self._is_silent = False
        if not self.writing():
            self._taken = self.unsent_since = time.monotonic()
        self.unsent += len(data)
        return super().write(data)

    def write_to_fd(self, data: memoryview) -> int:
        """Write what the client takes."""
        count = super().write_to_fd(data)
        if count:
            self._taken = time.monotonic()
            self.unsent -= count
        return count
