"""Connections: counted, and closed when nothing comes of them. The clock is the test's."""

import resource
import socket
import time
from collections.abc import Callable, Iterator

import pytest
from tornado.iostream import StreamClosedError

from zerog_api.edge.limits import network_of
from zerog_api.edge.server import (
    BODY_SECONDS,
    HEAD_SECONDS,
    IDLE_SECONDS,
    OTHER_FILES,
    STALLED_SECONDS,
    Connections,
    Stream,
    make_room,
)

HEAD_END = b"\r?\n\r?\n"
REQUEST = b"GET / HTTP/1.1\r\n\r\n"
Make = Callable[[], tuple[Stream, socket.socket]]


@pytest.fixture
def make() -> Iterator[Make]:
    """Make a connection as the server has it, and its client."""
    made: list[socket.socket] = []

    def connect() -> tuple[Stream, socket.socket]:
        ours, client = socket.socketpair()
        made.extend((ours, client))
        stream = Stream(ours)
        return stream, client

    yield connect
    for end in made:
        end.close()


async def test_who_connects_and_sends_nothing_is_late_soon(make: Make) -> None:
    stream, _ = make()
    head = stream.read_until_regex(HEAD_END)
    now = time.monotonic()

    assert not stream.is_late(now)
    assert stream.is_late(now + HEAD_SECONDS + 1)
    stream.close()
    with pytest.raises(StreamClosedError):
        await head


async def test_a_used_connection_may_idle_until_its_next_request_begins(make: Make) -> None:
    stream, client = make()
    client.send(REQUEST)
    await stream.read_until_regex(HEAD_END)
    await stream.write(b"answer")
    head = stream.read_until_regex(HEAD_END)
    now = time.monotonic()

    assert not stream.is_late(now + HEAD_SECONDS + 1)
    assert stream.is_late(now + IDLE_SECONDS + 1)
    client.send(b"GET / HT")
    stream.read_from_fd(bytearray(100))
    assert stream.is_late(time.monotonic() + HEAD_SECONDS + 1)
    stream.close()
    with pytest.raises(StreamClosedError):
        await head


async def test_an_answer_may_take_its_time_and_a_body_has_a_limit_of_its_own(make: Make) -> None:
    stream, client = make()
    client.send(REQUEST)
    await stream.read_until_regex(HEAD_END)
    later = time.monotonic() + 10 * IDLE_SECONDS

    assert not stream.is_late(later)
    body = stream.read_bytes(10, partial=True)
    now = time.monotonic()
    assert not stream.is_late(now + BODY_SECONDS - 1)
    assert stream.is_late(now + BODY_SECONDS + 1)
    client.send(b"x")
    assert await body == b"x"


async def test_a_client_that_takes_nothing_of_its_answer_is_given_up(make: Make) -> None:
    stream, _ = make()
    connections = Connections(0, 0)
    assert connections.enter(stream, "127.0.0.1") is None
    written = stream.write(bytes(10_000_000))
    now = time.monotonic()

    connections.sweep(now + STALLED_SECONDS - 5)
    assert not stream.closed()
    connections.sweep(now + STALLED_SECONDS + 1)
    assert stream.closed()
    with pytest.raises(StreamClosedError):
        await written


async def test_connections_are_limited_in_all_and_of_each_client(make: Make) -> None:
    connections = Connections(3, 2)
    streams = [make()[0] for _ in range(5)]

    assert connections.enter(streams[0], "10.0.0.1") is None
    assert connections.enter(streams[1], "10.0.0.1") is None
    assert b"429" in (connections.enter(streams[2], "10.0.0.1") or b"")
    assert connections.enter(streams[3], "10.0.0.2") is None
    assert b"503" in (connections.enter(streams[4], "10.0.0.3") or b"")
    connections.leave(streams[0])
    connections.leave(streams[2])  # was never in
    assert len(connections) == 2
    assert connections.enter(streams[4], "10.0.0.1") is None


def test_a_host_cannot_take_many_addresses_of_its_network() -> None:
    assert network_of("2001:db8::1") == network_of("2001:db8::2:3")
    assert network_of("2001:db8::1") != network_of("2001:db8:0:1::1")
    assert network_of("::ffff:10.0.0.1") == network_of("10.0.0.1") == "10.0.0.1"
    assert network_of("") == ""


def test_there_are_never_more_connections_than_files(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = [1024, 4096]
    monkeypatch.setattr(resource, "getrlimit", lambda _: tuple(limits))
    monkeypatch.setattr(resource, "setrlimit", lambda _, pair: limits.__setitem__(0, pair[0]))

    assert make_room(500) == 500
    assert limits[0] == 1024
    assert make_room(2000) == 2000
    assert limits[0] == 2000 + OTHER_FILES
    assert make_room(8000) == 4096 - OTHER_FILES
    assert make_room(0) == 4096 - OTHER_FILES
