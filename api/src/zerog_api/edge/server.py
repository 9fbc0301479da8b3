"""The listening side: how many connections there may be, and for how long one may do nothing.

Tornado's own server makes its streams itself. So that they can be ours, connections are accepted
here and handed to it, all by its public names (Tornado 6.5 and later).

Tornado knows one limit for the whole time in which it waits for a request. It would be too short
for a connection that is kept for later, or too long for a client that sends its headers byte
by byte. Here a sweep, once a second, closes what is late:

- whoever has connected, or has begun a request, has to send all of its headers soon, and then
  its body;
- a connection that has been used may stay idle for longer;
- an answer has to be taken: a client that reads nothing of it is given up.

An answer that takes its time, as waiting calls and streams do, is no business of this module.
"""

import asyncio
import logging
import resource
import socket
import time
from asyncio import Future
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Any

from tornado.http1connection import HTTP1ServerConnection
from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream, StreamClosedError
from tornado.netutil import add_accept_handler
from tornado.web import Application

from zerog.model import jsontext
from zerog_api import problems
from zerog_api.edge.limits import network_of
from zerog_api.problems import Problem

log = logging.getLogger(__name__)

#: How long a client may take for a request's line and headers, and for its body.
HEAD_SECONDS, BODY_SECONDS = 20.0, 60.0
#: Longer than proxies keep an idle connection by default, so that they end it, and not we
#: while they use it.
IDLE_SECONDS = 120.0
#: How long a client may take nothing of an answer.
STALLED_SECONDS = 60.0
SWEEP_SECONDS = 1.0
#: What a connection may hold of what has come or is to go.
BUFFER_BYTES = 100 * 1024 * 1024
#: What is read at once. Most requests are much shorter, and the room for it is made each time.
READ_BYTES = 16 * 1024
#: Files that are no connections of clients: the datastore, the queue, the log.
OTHER_FILES = 100
_RETRY = {"Retry-After": "2"}


def _raw(problem: Problem) -> bytes:
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


_FULL = _raw(
    Problem(503, "too-many-connections", "too many connections; try again", headers=_RETRY)
)
_FULL_FOR_CLIENT = _raw(
    Problem(
        429,
        "too-many-connections",
        "too many connections of this client: close some, or use them again",
        headers=_RETRY,
    )
)


class Connections:
    """Counts connections, in all and of each client, and closes those that are late."""

    def __init__(self, most: int, most_of_client: int) -> None:
        """0 means without limit."""
        self._most = most
        self._most_of_client = most_of_client
        self._clients: dict[IOStream, str] = {}
        self._counts: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._clients)

    def enter(self, stream: "Stream", address: str) -> bytes | None:
        """Count a connection in; None, or what it is told when it is one too many."""
        client = network_of(address)
        count = self._counts.get(client, 0)
        if 0 < self._most <= len(self._clients):
            return _FULL
        if 0 < self._most_of_client <= count:
            return _FULL_FOR_CLIENT
        self._clients[stream] = client
        self._counts[client] = count + 1
        return None

    def leave(self, stream: IOStream) -> None:
        """Count a connection out."""
        client = self._clients.pop(stream, None)
        if client is not None:
            self._counts[client] -= 1
            if not self._counts[client]:
                del self._counts[client]

    def sweep(self, now: float) -> None:
        """Close what is late."""
        for stream in list(self._clients):
            if isinstance(stream, Stream) and stream.is_late(now):
                stream.close()

    async def watch(self, stop: asyncio.Event) -> None:
        """Sweep until told to stop."""
        while not stop.is_set():
            self.sweep(time.monotonic())
            await asyncio.sleep(SWEEP_SECONDS)


class Server(HTTPServer):
    """Tornado's server, on connections of our own."""

    def initialize(  # type: ignore[override]
        self, application: Application, connections: Connections, **options: Any
    ) -> None:
        """Called by Tornado's constructor."""
        super().initialize(application, **options)
        # The sweep is cheaper than a timer for each request.
        self.conn_params.header_timeout = None
        self.connections = connections
        self._closing: list[Callable[[], None]] = []

    def listen_on(self, sockets: Sequence[socket.socket]) -> None:
        """Accept connections on sockets that listen."""
        for listening in sockets:
            self._closing += [add_accept_handler(listening, self._accept), listening.close]

    def stop(self) -> None:
        """Accept no more connections."""
        for close in self._closing:
            close()
        self._closing.clear()

    def _accept(self, connection: socket.socket, address: Any) -> None:
        stream = Stream(connection, max_buffer_size=BUFFER_BYTES, read_chunk_size=READ_BYTES)
        refusal = self.connections.enter(stream, str(address[0]) if address else "")
        if refusal is None:
            self.handle_stream(stream, address)
        else:
            stream.write(refusal)
            stream.close()

    def on_close(self, server_conn: object) -> None:
        """Called by Tornado at the end of every connection."""
        super().on_close(server_conn)
        assert isinstance(server_conn, HTTP1ServerConnection)
        self.connections.leave(server_conn.stream)


class Stream(IOStream):
    """A connection that knows since when it does nothing."""

    def __init__(self, connection: socket.socket, **options: Any) -> None:
        super().__init__(connection, **options)
        super().set_nodelay(True)
        #: How long what is being read may take, and since when it does. Whoever connects has to
        #: send a request soon.
        self._limit, self._since = HEAD_SECONDS, time.monotonic()
        self._body_seconds = BODY_SECONDS
        #: Whether a head is being read of which nothing has come.
        self._idle = False
        #: Whether the last read has taken all that there was.
        self._drained = False
        #: When the client last took something of an answer.
        self._taken = 0.0

    def is_late(self, now: float) -> bool:
        """Whether the other side has had its time."""
        if self.writing():
            return now - self._taken > STALLED_SECONDS
        return self.reading() and now - self._since > self._limit

    def set_nodelay(self, value: bool) -> None:
        """Leave Nagle's algorithm off: Tornado switches it twice an answer, for nothing."""

    def read_until_regex(self, regex: bytes, max_bytes: int | None = None) -> Awaitable[bytes]:
        """Read a request's head: Tornado uses this for nothing else."""
        if self.closed():  # Tornado would go on with what has come before the end
            raise StreamClosedError(real_error=self.error)
        self._body_seconds = BODY_SECONDS
        if self._taken:  # there was a request before this one
            self._idle = True
            self._begin(IDLE_SECONDS)
        return super().read_until_regex(regex, max_bytes)

    def read_bytes(self, num_bytes: int, partial: bool = False) -> Awaitable[bytes]:
        """Read of a body."""
        self._begin_body()
        return super().read_bytes(num_bytes, partial)

    def read_until(self, delimiter: bytes, max_bytes: int | None = None) -> Awaitable[bytes]:
        """Read of a body in chunks."""
        self._begin_body()
        return super().read_until(delimiter, max_bytes)

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        """Read what is there. After a read that was not filled there is nothing at first, so that
        the system need not be asked: it tells when more has come."""
        if self._drained:
            self._drained = False
            return None
        count = super().read_from_fd(buf)
        self._drained = 0 < (count or 0) < len(buf)
        if count and self._idle:
            self._idle = False
            self._begin(HEAD_SECONDS)
        return count

    def _begin(self, seconds: float) -> None:
        self._limit, self._since = seconds, time.monotonic()

    def limit_body(self, seconds: float) -> None:
        """Let what is left of the body that comes now have this time."""
        self._body_seconds = seconds
        self._begin(seconds)

    def _begin_body(self) -> None:
        if self._limit != self._body_seconds:  # all of its parts have this time together
            self._begin(self._body_seconds)

    def write(self, data: bytes | memoryview) -> "Future[None]":
        """Write."""
        if not self.writing():
            self._taken = time.monotonic()
        return super().write(data)

    def write_to_fd(self, data: memoryview) -> int:
        """Write what the client takes."""
        count = super().write_to_fd(data)
        if count:
            self._taken = time.monotonic()
        return count


def make_room(most: int) -> int:
    """Let this process have the files of so many connections (0: of as many as there can be);
    return how many connections it can have.

    Without a file a connection cannot be taken, and the loop would try that for ever.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return most
    wanted = most + OTHER_FILES if most else max(soft, hard)
    allowed = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if allowed > soft:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    room = max(1, max(allowed, soft) - OTHER_FILES)
    if room < most:
        log.warning("at most %d connections: the limit of open files is %d", room, hard)
    return min(most, room) if most else room
