"""What every queue adapter does when the other side is not a beanstalkd, or ends in mid-reply."""

import asyncio
import resource
import socket
import threading
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import (
    AbstractAsyncContextManager,
    asynccontextmanager,
    contextmanager,
    suppress,
)
from pathlib import Path
from typing import Any

import pytest
import uvloop
from tests.beanstalkd import Beanstalkd

from zerog.model.errors import QueueUnavailableError
from zerog.queue.beanstalk.connection import BeanstalkConnection
from zerog.queue.greenstalk import GreenstalkConnection
from zerog.queue.port import QueueConnection
from zerog_tools.cluster.ports import free_port

#: For what happens at once, on a busy machine.
DEADLINE_SECONDS = 60
ADAPTERS: dict[str, Any] = {"asyncio": BeanstalkConnection, "greenstalk": GreenstalkConnection}
_FACTS = b"---\nid: 1f\nversion: 1.12\nuptime: 1\nbinlog-current-index: 0\ndraining: false\n"
#: What a beanstalkd answers to the first command of a connection.
WELCOME = b"OK %d\r\n%b\r\n" % (len(_FACTS), _FACTS)

Adapter = type[BeanstalkConnection] | type[GreenstalkConnection]


@pytest.fixture(params=ADAPTERS)
def adapter(request: pytest.FixtureRequest) -> Iterator[Any]:
    before = set(threading.enumerate())
    yield ADAPTERS[request.param]
    for thread in set(threading.enumerate()) - before:
        thread.join(DEADLINE_SECONDS)
        assert not thread.is_alive()


Play = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[Any, Any, None]]


@asynccontextmanager
async def serving(play: Play) -> AsyncIterator[int]:
    """Serve every connection by a coroutine, whose end is that of the connection."""
    playing: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        playing.add(task)
        with suppress(OSError, asyncio.CancelledError):
            await play(reader, writer)
        writer.transport.abort()

    port = free_port()
    async with await asyncio.start_server(connected, "127.0.0.1", port):
        try:
            yield port
        finally:
            for task in playing:
                task.cancel()
            await asyncio.gather(*playing)


def playing(*replies: bytes | None) -> AbstractAsyncContextManager[int]:
    """Serve on a port: each command gets the next reply, None closes the connection."""

    async def play(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for reply in replies:
            if not await reader.readline() or reply is None:
                return
            writer.write(reply)
        while await reader.read(4096):
            pass  # silence

    return serving(play)


NONSENSE = [
    b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n",
    b"\r\n",
    b"OK\r\n",
    b"OK x\r\n\r\n",
    b"OK -3\r\n---\r\n",
    b"OK 3\r\n---x\r\n",
    b"OK 99999999999999999\r\n---\r\n",
    b"OK 4\r\n---\n\r\n",
    b"OK 7\r\n---\nid:\r\n",
    b"OK 6\r\n---\n\xff\xff\r\n",
    b"UNKNOWN_COMMAND\r\n",
    b"INTERNAL_ERROR\r\n",
    b"NOT_FOUND\r\n",
    b"\x00" * 5000 + b"\r\n",
]


@pytest.mark.parametrize("reply", [*NONSENSE, None, b"OK 300\r\n---\nid: 1"])
async def test_connecting_to_something_else_is_unavailable(
    adapter: Adapter, reply: bytes | None
) -> None:
    async with playing(reply, None) as port, asyncio.timeout(DEADLINE_SECONDS):
        with pytest.raises(QueueUnavailableError):
            await adapter.connect("127.0.0.1", port)


async def test_a_server_that_says_nothing_is_unavailable(adapter: Adapter) -> None:
    async with playing() as port, asyncio.timeout(DEADLINE_SECONDS):
        with pytest.raises(QueueUnavailableError, match="does not answer"):
            await adapter.connect("127.0.0.1", port)


async def test_a_reply_that_never_ends_is_unavailable(adapter: Adapter) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(b"OK 100000\r\n")
        while True:
            writer.write(b"-")
            await writer.drain()
            await asyncio.sleep(0.1)

    async with serving(drip) as port, asyncio.timeout(DEADLINE_SECONDS):
        with pytest.raises(QueueUnavailableError, match="does not answer"):
            await adapter.connect("127.0.0.1", port)


Command = Callable[[QueueConnection], Coroutine[Any, Any, object]]
COMMANDS: dict[str, Command] = {
    "put": lambda queue: queue.put("default", "x"),
    "delete": lambda queue: queue.delete(1),
    "kick": lambda queue: queue.kick(1),
    "touch": lambda queue: queue.touch(1),
    "bury": lambda queue: queue.bury(1, priority=5),
    "release": lambda queue: queue.release(1, priority=5),
    "peek": lambda queue: queue.peek(1),
    "peek_many": lambda queue: queue.peek_many([1, 2]),
    "peek_ready": lambda queue: queue.peek_ready("default"),
    "peek_buried": lambda queue: queue.peek_buried("default"),
    "reserve": lambda queue: queue.reserve(1),
    "reserve_ready": lambda queue: queue.reserve_ready(2),
    "reserve_entry": lambda queue: queue.reserve_entry(1),
    "watch": lambda queue: queue.watch(["tube"]),
    "entry_stats": lambda queue: queue.entry_stats(1),
    "tube_stats": lambda queue: queue.tube_stats("default"),
    "tubes": lambda queue: queue.tubes(),
    "server_stats": lambda queue: queue.server_stats(),
}


@pytest.mark.parametrize("reply", [b"WHAT 1 2\r\n", b"BAD_FORMAT\r\n", b"\r\n", None])
@pytest.mark.parametrize("command", COMMANDS)
async def test_a_reply_that_is_not_beanstalkd_s_ends_the_connection(
    adapter: Adapter, command: str, reply: bytes | None
) -> None:
    async with playing(WELCOME, reply, None) as port, asyncio.timeout(DEADLINE_SECONDS):
        connection = await adapter.connect("127.0.0.1", port)

        with pytest.raises(QueueUnavailableError):
            await COMMANDS[command](connection)

        assert connection.closed
        with pytest.raises(QueueUnavailableError):
            await connection.tubes()


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        ("put", b"INSERTED\r\n"),
        ("put", b"INSERTED x\r\n"),
        ("put", b"DELETED\r\n"),
        ("put", b"BURIED\r\n"),
        ("reserve", b"RESERVED 1\r\n"),
        ("reserve", b"RESERVED x 1\r\na\r\n"),
        ("reserve", b"RESERVED 1 1\r\nabc\r\n"),
        ("peek", b"FOUND 1 -1\r\n\r\n"),
        ("tube_stats", b"OK 4\r\n---\n\r\n"),
        ("entry_stats", b"OK 14\r\n---\ntube: tube\r\n"),
    ],
)
async def test_a_reply_without_what_it_must_say_ends_the_connection(
    adapter: Adapter, command: str, reply: bytes
) -> None:
    async with playing(WELCOME, reply, None) as port, asyncio.timeout(DEADLINE_SECONDS):
        connection = await adapter.connect("127.0.0.1", port)

        with pytest.raises(QueueUnavailableError):
            await COMMANDS[command](connection)

        assert connection.closed


@pytest.mark.parametrize(("command", "done"), [("put", 7), ("release", True)])
async def test_a_server_without_memory_buries_an_entry_and_has_it(
    adapter: Adapter, command: str, done: object
) -> None:
    async with playing(WELCOME, b"BURIED 7\r\n" if command == "put" else b"BURIED\r\n") as port:
        connection = await adapter.connect("127.0.0.1", port)

        result = await COMMANDS[command](connection)

        assert getattr(result, "id", result) == done
        await connection.close()


async def test_nobody_listening_is_said_with_what_to_do(adapter: Adapter) -> None:
    with pytest.raises(QueueUnavailableError, match="is beanstalkd running there"):
        await adapter.connect("127.0.0.1", free_port())


async def test_a_name_that_is_not_a_host_s_is_unavailable(adapter: Adapter) -> None:
    with pytest.raises(QueueUnavailableError, match="cannot be reached"):
        await adapter.connect("a..b", 11300)


@contextmanager
def no_files_left() -> Iterator[None]:
    """Let this process open no more files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with socket.socket() as newest:
        free = newest.fileno()
    resource.setrlimit(resource.RLIMIT_NOFILE, (free, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_process_that_can_open_no_more_files_says_that_the_queue_is_unavailable(
    adapter: Adapter, run: Callable[[Coroutine[Any, Any, None]], None], host: str
) -> None:
    async def connect() -> None:
        with no_files_left(), pytest.raises(QueueUnavailableError):
            await adapter.connect(host, free_port_number)

    free_port_number = free_port()
    run(connect())


def test_a_loop_that_ends_under_a_call_leaves_no_thread(adapter: Adapter, tmp_path: Path) -> None:
    server = Beanstalkd(binlog=tmp_path)
    server.start()

    async def leave() -> None:
        connection = await adapter.connect("127.0.0.1", server.port)
        reserving = asyncio.create_task(connection.reserve(1000))
        await asyncio.sleep(0)
        assert not reserving.done()

    asyncio.run(leave())

    server.stop()
