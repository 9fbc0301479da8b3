"""Connections: counted, and closed when nothing comes of them. The clock is the test's."""

import asyncio
import resource
import socket
import time
from collections.abc import Callable, Iterator
from functools import partial
from ipaddress import ip_network

import pytest
from tornado.iostream import StreamClosedError

from zerog_api.edge import server
from zerog_api.edge.clients import Proxies, network_of
from zerog_api.edge.server import OTHER_FILES, Connections, make_room
from zerog_api.edge.stream import (
    BODY_SECONDS,
    HEAD_SECONDS,
    IDLE_SECONDS,
    MAX_HEAD_BYTES,
    MAX_HEADERS,
    STALLED_SECONDS,
    Stream,
    Unread,
    refusal_of,
)

HEAD_END = b"\r?\n\r?\n"
REQUEST = b"GET / HTTP/1.1\r\n\r\n"
CONNECTIONS = partial(Connections, 0, 0, max_unread_bytes=10**9)
Make = Callable[..., tuple[Stream, socket.socket]]


@pytest.fixture
def make() -> Iterator[Make]:
    """Make a connection as the server has it, and its client."""
    made: list[socket.socket] = []

    def connect(unread: Unread | None = None) -> tuple[Stream, socket.socket]:
        ours, client = socket.socketpair()
        made.extend((ours, client))
        stream = Stream(ours, unread)
        return stream, client

    yield connect
    for end in made:
        end.close()


async def test_who_connects_and_sends_nothing_is_late_soon(make: Make) -> None:
    stream, _ = make()
    head = asyncio.ensure_future(stream.read_until_regex(HEAD_END))
    await asyncio.sleep(0)
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
    head = asyncio.ensure_future(stream.read_until_regex(HEAD_END))
    await asyncio.sleep(0)
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
    body = asyncio.ensure_future(stream.read_bytes(10, partial=True))
    await asyncio.sleep(0)
    now = time.monotonic()
    assert not stream.is_late(now + BODY_SECONDS - 1)
    assert stream.is_late(now + BODY_SECONDS + 1)
    client.send(b"x")
    assert await body == b"x"


async def test_a_client_that_takes_nothing_of_its_answer_is_given_up(make: Make) -> None:
    stream, _ = make()
    connections = Connections(0, 0, max_unread_bytes=10**9)
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
    connections = Connections(3, 2, max_unread_bytes=10**9)
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


def test_a_trusted_proxy_has_the_connections_of_many_clients(make: Make) -> None:
    proxies = Proxies([ip_network("10.0.0.0/8")])
    connections = Connections(0, 1, max_unread_bytes=10**9, proxies=proxies)

    for _ in range(3):
        assert connections.enter(make()[0], "10.1.2.3") is None
    assert connections.enter(make()[0], "192.0.2.1") is None
    assert connections.enter(make()[0], "192.0.2.1") is not None


@pytest.mark.parametrize(("peer", "forwarded", "client"), [
    ("10.0.0.1", "192.0.2.7", "192.0.2.7"),
    ("10.0.0.1", "6.6.6.6, 192.0.2.7, 10.0.0.9", "192.0.2.7"),
    ("10.0.0.1", "10.0.0.8, 10.0.0.9", "10.0.0.8"),
    ("10.0.0.1", "192.0.2.7:4711", "192.0.2.7"),
    ("10.0.0.1", "[2001:db8::7]:4711", "2001:db8::7"),
    ("::ffff:10.0.0.1", "192.0.2.7", "192.0.2.7"),
    ("10.0.0.1", "<script>, 10.0.0.9", "10.0.0.9"),
    ("10.0.0.1", "unknown", "10.0.0.1"),
    ("10.0.0.1", "", "10.0.0.1"),
    ("10.0.0.1", None, "10.0.0.1"),
    ("10.0.0.1", "," * 15_000, "10.0.0.1"),
    ("192.0.2.1", "10.0.0.1", "192.0.2.1"),
])  # fmt: skip
def test_a_client_is_the_last_address_that_no_trusted_proxy_has(
    peer: str, forwarded: str | None, client: str
) -> None:
    proxies = Proxies([ip_network("10.0.0.0/8"), ip_network("::ffff:0:0/96")])

    assert proxies.client_of(peer, forwarded) == client
    assert Proxies().client_of(peer, forwarded) == peer


HEAD = b"GET / HTTP/1.1\r\nHost: x\r\n"


@pytest.mark.parametrize(("head", "status"), [
    (HEAD + b"\r\n", None),
    (HEAD + b"A: b\r\n" * (MAX_HEADERS - 1) + b"\r\n", None),
    (HEAD + b"A: b\r\n" * MAX_HEADERS + b"\r\n", b"431"),
    (HEAD + b"A: b\n\r\n", b"400"),
    (HEAD + b"\n", b"400"),
    (HEAD + b"A: b\rC: d\r\n\r\n", b"400"),
])  # fmt: skip
def test_a_head_is_looked_at_before_it_is_parsed(head: bytes, status: bytes | None) -> None:
    refusal = refusal_of(head)

    assert (refusal.split(b" ", 2)[1] if refusal else None) == status


async def test_a_head_that_is_too_long_is_told_so(make: Make) -> None:
    stream, client = make()
    head = asyncio.ensure_future(stream.read_until_regex(HEAD_END))
    client.sendall(b"GET / HTTP/1.1\r\nA: " + b"a" * MAX_HEAD_BYTES)

    with pytest.raises(StreamClosedError):
        await head
    assert client.recv(100).startswith(b"HTTP/1.1 431 ")


async def test_the_largest_unfinished_requests_go_when_too_much_is_held(make: Make) -> None:
    unread = Unread(20_000)
    streams, clients = zip(*(make(unread) for _ in range(4)), strict=True)
    reads = [asyncio.ensure_future(stream.read_bytes(10**6)) for stream in streams]
    for client, count in zip(clients, (6000, 100, 12_000, 500), strict=True):
        client.sendall(bytes(count))
    while unread.bytes < 18_600:
        await asyncio.sleep(0)

    clients[3].sendall(bytes(2000))

    with pytest.raises(StreamClosedError):
        await reads[2]
    assert clients[2].recv(100).startswith(b"HTTP/1.1 503 ")
    assert [stream.closed() for stream in streams] == [False, False, True, False]
    assert unread.bytes == sum(stream.held for stream in streams) == 8600
    for stream, read in zip(streams, reads, strict=True):
        stream.close()
        with pytest.raises(StreamClosedError):
            await read
    assert unread.bytes == 0


async def test_what_a_handler_works_on_is_held_until_it_is_done(make: Make) -> None:
    unread = Unread(10_000)
    stream, client = make(unread)
    client.sendall(REQUEST + bytes(500) + b"next")
    await stream.read_until_regex(HEAD_END)
    stream.keep(len(await stream.read_bytes(500)))
    stream.occupy()
    assert unread.bytes == stream.held == 500 + len(b"next")

    stream.close()
    assert unread.bytes == stream.held == 500
    stream.release()
    assert unread.bytes == stream.held == 0


async def test_what_nobody_keeps_is_not_held(make: Make) -> None:
    unread = Unread(10_000)
    stream, client = make(unread)
    for _ in range(100):
        client.sendall(bytes(1000))
        await stream.read_bytes(1000)

    assert not stream.closed()
    assert unread.bytes <= 1000


async def test_small_requests_are_not_closed_when_others_hold_everything(make: Make) -> None:
    unread = Unread(10_000)
    working, _ = make(unread)
    working.keep(20_000)
    working.occupy()
    small, client = make(unread)
    head = asyncio.ensure_future(small.read_until_regex(HEAD_END))
    await asyncio.sleep(0)

    client.sendall(REQUEST)

    assert await head == REQUEST


async def test_a_caller_may_hold_half_of_the_budget(make: Make) -> None:
    unread = Unread(40_000)
    streams, clients = zip(*(make(unread) for _ in range(3)), strict=True)
    reads = []
    for stream, owner in zip(streams, ("shop", "shop", "bank"), strict=True):
        stream.belong_to(owner)
        reads.append(asyncio.ensure_future(stream.read_bytes(10**6)))
    for client in clients:
        client.sendall(bytes(9000))
    while unread.bytes < 27_000:
        await asyncio.sleep(0)

    clients[1].sendall(bytes(3000))

    with pytest.raises(StreamClosedError):
        await reads[1]
    assert [stream.closed() for stream in streams] == [False, True, False]
    for stream, read in ((streams[0], reads[0]), (streams[2], reads[2])):
        stream.close()
        with pytest.raises(StreamClosedError):
            await read
    assert unread.bytes == 0


async def test_answers_that_nobody_takes_hold_no_more_than_their_budget(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MAX_UNSENT_BYTES", 30_000_000)
    connections = CONNECTIONS()
    streams = [make()[0] for _ in range(3)]
    writes = []
    for stream, count in zip(streams, (10_000_000, 20_000_000, 15_000_000), strict=True):
        assert connections.enter(stream, "127.0.0.1") is None
        writes.append(asyncio.ensure_future(stream.write(bytes(count))))
    now = time.monotonic()

    connections.sweep(now)
    assert not any(stream.closed() for stream in streams)
    connections.sweep(now + server.UNSENT_SECONDS + 1)
    assert [stream.closed() for stream in streams] == [False, True, False]
    for stream in streams:
        stream.close()
    assert await asyncio.gather(*writes, return_exceptions=True)


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
