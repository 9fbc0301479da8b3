"""The listening side: how many connections there may be, and for how long one may do nothing.

Tornado knows one limit for the whole time in which it waits for a request. It would be too short
for a connection that is kept for later, or too long for a client that sends its headers byte
by byte. Here a sweep, once a second, closes what is late:

- whoever has connected, or has begun a request, has to send all of its headers soon;
- a connection that has been used may stay idle for longer;
- an answer has to be taken: a client that reads nothing of it is given up.

An answer that takes its time, as waiting calls and streams do, is no business of this module.
"""

import asyncio
import logging
import resource
import time
from asyncio import Future
from collections.abc import Awaitable

from tornado.http1connection import HTTP1ServerConnection
from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream

from zerog_api.auth.limits import network_of
from zerog_api.http import NO_HTTP, raw_problem
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
#: Files that are no connections of clients: the datastore, the queue, the log.
OTHER_FILES = 100
#: What Tornado writes when a request line or header is broken, before it closes.
_BARE_REFUSAL = b"HTTP/1.1 400 Bad Request\r\n\r\n"
_RETRY = {"Retry-After": "2"}
_FULL = raw_problem(
    Problem(503, "too-many-connections", "too many connections; try again", headers=_RETRY)
)
_FULL_FOR_CLIENT = raw_problem(
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
    """Tornado's server, with a limit of connections and our way of writing."""

    #: Set before the server listens.
    connections = Connections(0, 0)

    def handle_stream(self, stream: IOStream, address: tuple[object, ...]) -> None:
        """Called by Tornado for every connection."""
        # Tornado makes the stream itself and lets nobody choose its class.
        stream.__class__ = Stream
        assert isinstance(stream, Stream)
        stream.begin(time.monotonic())
        refusal = self.connections.enter(stream, str(address[0]) if address else "")
        if refusal is not None:
            stream.write(refusal)
            stream.close()
            return
        super().handle_stream(stream, address)

    def on_close(self, server_conn: object) -> None:
        """Called by Tornado at the end of every connection."""
        super().on_close(server_conn)
        assert isinstance(server_conn, HTTP1ServerConnection)
        self.connections.leave(server_conn.stream)


class Stream(IOStream):
    """A connection: its answers leave in one write, every refusal is a problem, and it knows
    since when it does nothing."""

    #: Whether it waits for a request, whether one has begun to come, and since when.
    _awaits, _begun, _since = False, False, 0.0
    #: When the client last took something of an answer.
    _taken = 0.0

    def begin(self, now: float) -> None:
        """Called once: whoever connects has to send a request soon."""
        IOStream.set_nodelay(self, True)
        self._since = now
        self._begun = True

    def is_late(self, now: float) -> bool:
        """Whether the other side has had its time."""
        if self.writing():
            return now - self._taken > STALLED_SECONDS
        if self._awaits and self.reading():
            return now - self._since > (HEAD_SECONDS if self._begun else IDLE_SECONDS)
        return False

    def set_nodelay(self, value: bool) -> None:
        """Leave Nagle's algorithm off: Tornado switches it twice an answer, for nothing."""

    def read_until_regex(self, regex: bytes, max_bytes: int | None = None) -> Awaitable[bytes]:
        """Read a request's head: Tornado uses this for nothing else."""
        if self._taken:  # there was a request before this one
            self._since, self._begun = time.monotonic(), False
        self._awaits = True
        return super().read_until_regex(regex, max_bytes)

    def read_bytes(self, num_bytes: int, partial: bool = False) -> Awaitable[bytes]:
        """Read of a body."""
        self._awaits = False
        return super().read_bytes(num_bytes, partial)

    def read_until(self, delimiter: bytes, max_bytes: int | None = None) -> Awaitable[bytes]:
        """Read of a body in chunks."""
        self._awaits = False
        return super().read_until(delimiter, max_bytes)

    def read_from_fd(self, buf: bytearray | memoryview) -> int | None:
        """Read what is there."""
        count = super().read_from_fd(buf)
        if count and not self._begun:
            self._since, self._begun = time.monotonic(), True
        return count

    def write(self, data: bytes | memoryview) -> "Future[None]":
        """Write; Tornado's bare answer to what is no HTTP gets its body here."""
        if not self.writing():
            self._taken = time.monotonic()
        return super().write(NO_HTTP if data == _BARE_REFUSAL else data)

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
