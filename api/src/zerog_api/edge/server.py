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
from collections.abc import Callable, Sequence
from typing import Any

from tornado.http1connection import HTTP1ServerConnection
from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream
from tornado.netutil import add_accept_handler
from tornado.web import Application

from zerog_api.edge.clients import Proxies, network_of
from zerog_api.edge.stream import SMALL_BYTES, Stream, Unread, raw
from zerog_api.problems import Problem

log = logging.getLogger(__name__)

SWEEP_SECONDS = 1.0
#: What a connection may hold of what has come or is to go.
BUFFER_BYTES = 100 * 1024 * 1024
#: What all connections may hold of answers, and for how long each may take before it is one of
#: those that are closed for it.
MAX_UNSENT_BYTES, UNSENT_SECONDS = 64 * 1024 * 1024, 5.0
#: What is read at once. Most requests are much shorter, and the room for it is made each time.
READ_BYTES = 16 * 1024
#: Files that are no connections of clients: the datastore, the queue, the log.
OTHER_FILES = 100
_RETRY = {"Retry-After": "2"}


_FULL = raw(Problem(503, "too-many-connections", "too many connections; try again", headers=_RETRY))
_FULL_FOR_CLIENT = raw(
    Problem(
        429,
        "too-many-connections",
        "too many connections from this client: close some, or reuse them",
        headers=_RETRY,
    )
)


class Connections:
    """Counts connections, in all and of each client, and closes those that are late."""

    def __init__(
        self,
        most: int,
        most_of_client: int,
        *,
        max_unread_bytes: int,
        proxies: Proxies | None = None,
    ) -> None:
        """`most` is of all, `most_of_client` of one client; 0 means without limit.

        A trusted proxy has the connections of many clients, and so no limit of its own.
        """
        self.unread = Unread(max_unread_bytes)
        self._proxies = proxies or Proxies()
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
        if 0 < self._most_of_client <= count and not self._proxies.trust(address):
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
        """Close what is late, and what holds most where too much waits to be sent."""
        streams = [stream for stream in self._clients if isinstance(stream, Stream)]
        for stream in streams:
            if stream.is_late(now):
                stream.close()
        unsent = sum(stream.unsent for stream in streams)
        if unsent <= MAX_UNSENT_BYTES:
            return
        slow = [
            each
            for each in streams
            if each.unsent > SMALL_BYTES and now - each.unsent_since > UNSENT_SECONDS
        ]
        slow.sort(key=lambda stream: stream.unsent, reverse=True)
        closed = 0
        while slow and unsent > MAX_UNSENT_BYTES:
            unsent -= slow[0].unsent
            slow.pop(0).close()
            closed += 1
        log.warning("too much waits to be sent: %d slow connections were closed", closed)

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
        unread = self.connections.unread
        stream = Stream(
            connection, unread, max_buffer_size=BUFFER_BYTES, read_chunk_size=READ_BYTES
        )
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
