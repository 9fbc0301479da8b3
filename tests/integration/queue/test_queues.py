"""What every queue adapter promises, against a real beanstalkd, and what it does when
that is away."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.ports import free_port

from zerog.model.errors import ConfigError, QueueUnavailableError
from zerog.queue import connect_producer, connect_queue, parse_address
from zerog.queue.beanstalk.connection import BeanstalkConnection
from zerog.queue.beanstalk.server import LocalBeanstalkd
from zerog.queue.greenstalk import GreenstalkConnection
from zerog.queue.port import QueueConnection, TubeStats

#: For what happens at once, on a busy machine.
DEADLINE_SECONDS = 60
ADAPTERS: dict[str, Any] = {"asyncio": BeanstalkConnection, "greenstalk": GreenstalkConnection}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LocalBeanstalkd]:
    made = LocalBeanstalkd(port=free_port(), binlog=tmp_path / "binlog", fsync_milliseconds=0)
    made.start()
    yield made
    made.signal(signal.SIGCONT)
    made.kill()


@pytest.fixture(params=ADAPTERS)
async def queue(
    request: pytest.FixtureRequest, server: LocalBeanstalkd
) -> AsyncIterator[QueueConnection]:
    connection = await ADAPTERS[request.param].connect("127.0.0.1", server.port)
    await connection.watch(["tube"])
    yield connection
    await connection.close()


async def test_an_entry_is_put_reserved_and_deleted(queue: QueueConnection) -> None:
    number = await queue.put("tube", "body")

    entry = await queue.reserve(1)

    assert entry is not None
    assert (entry.id, entry.body) == (number, "body")
    assert await queue.delete(number)
    assert not await queue.delete(number)
    assert await queue.reserve(0) is None


async def test_priorities_order_entries_and_survive_a_release(queue: QueueConnection) -> None:
    for priority in (9, 0, 5):
        await queue.put("tube", str(priority), priority=priority)
    first = await queue.reserve(0)
    assert first is not None
    await queue.release(first.id, priority=0)

    order = [(await queue.reserve(0)) for _ in range(3)]

    assert [entry.body for entry in order if entry] == ["0", "5", "9"]
    stats = await queue.entry_stats(first.id)
    assert stats is not None
    assert (stats.priority, stats.state, stats.reserves, stats.releases) == (0, "reserved", 2, 1)


@pytest.mark.parametrize("priority", [-1, 10])
async def test_other_priorities_are_refused(queue: QueueConnection, priority: int) -> None:
    with pytest.raises(ValueError, match="0 \\(first\\) to 9"):
        await queue.put("tube", "body", priority=priority)


async def test_a_delayed_entry_waits_and_can_be_kicked(queue: QueueConnection) -> None:
    number = await queue.put("tube", "body", delay_seconds=1000)
    assert await queue.reserve(0) is None

    assert await queue.kick(number)

    assert await queue.reserve(0) is not None


async def test_a_buried_entry_is_seen_and_kicked(queue: QueueConnection) -> None:
    number = await queue.put("tube", "body")
    await queue.reserve(0)

    assert await queue.bury(number, priority=5)

    buried = await queue.peek_buried("tube")
    assert buried is not None
    assert buried.id == number
    assert (await queue.tube_stats("tube")).buried == 1
    assert await queue.kick(number)


async def test_touch_and_release_of_what_is_not_ours_say_so(queue: QueueConnection) -> None:
    number = await queue.put("tube", "body")

    assert not await queue.touch(number)
    assert not await queue.release(number, priority=5)
    await queue.reserve(0)
    assert await queue.touch(number)


async def test_peek_shows_a_body_and_none_for_what_is_gone(queue: QueueConnection) -> None:
    number = await queue.put("tube", "body")

    assert await queue.peek(number) == "body"
    await queue.delete(number)
    assert await queue.peek(number) is None
    assert await queue.entry_stats(number) is None


async def test_a_tube_that_does_not_exist_is_empty(queue: QueueConnection) -> None:
    assert await queue.tube_stats("nobody") == TubeStats("nobody")
    await queue.put("other", "x")
    assert "other" in await queue.tubes()


async def test_the_server_tells_of_itself(queue: QueueConnection) -> None:
    stats = await queue.server_stats()

    assert stats.id
    assert stats.binlog
    assert not stats.draining


async def test_closing_frees_reservations_at_once(
    server: LocalBeanstalkd, queue: QueueConnection
) -> None:
    await queue.put("tube", "body")
    other = await connect_queue(server.address)
    await other.watch(["tube"])
    assert await other.reserve(0) is not None

    await other.close()

    assert await queue.reserve(DEADLINE_SECONDS) is not None


async def test_aborting_ends_a_waiting_reserve(server: LocalBeanstalkd) -> None:
    connection = await connect_queue(server.address)
    waiting = asyncio.create_task(connection.reserve(10 * DEADLINE_SECONDS))
    await asyncio.sleep(0)

    connection.abort()

    with pytest.raises(QueueUnavailableError):
        await asyncio.wait_for(waiting, DEADLINE_SECONDS)
    assert connection.closed


async def test_a_server_that_dies_under_a_reserve_is_told(server: LocalBeanstalkd) -> None:
    connection = await connect_queue(server.address)
    await connection.watch(["tube"])
    waiting = asyncio.create_task(connection.reserve(10 * DEADLINE_SECONDS))
    await asyncio.sleep(0.05)

    server.kill()

    with pytest.raises(QueueUnavailableError):
        await asyncio.wait_for(waiting, DEADLINE_SECONDS)


async def test_a_frozen_server_is_unavailable_within_the_deadline(
    server: LocalBeanstalkd,
) -> None:
    producer = await connect_producer(server.address)
    await producer.put("tube", "x")
    server.signal(signal.SIGSTOP)

    with pytest.raises(QueueUnavailableError):
        await asyncio.wait_for(producer.put("tube", "y"), DEADLINE_SECONDS)

    server.signal(signal.SIGCONT)


async def test_a_producer_heals_when_the_server_is_back(server: LocalBeanstalkd) -> None:
    producer = await connect_producer(server.address)
    await producer.put("tube", "x")
    server.kill()
    with pytest.raises(QueueUnavailableError):
        await producer.put("tube", "y")
    server.start()

    deadline = time.monotonic() + DEADLINE_SECONDS
    while True:
        try:
            await producer.put("tube", "z")
            break
        except QueueUnavailableError:
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)

    assert (await producer.tube_stats("tube")).ready == 2
    await producer.close()


async def test_many_tasks_share_a_producer_and_no_reply_is_mixed_up(
    server: LocalBeanstalkd,
) -> None:
    producer = await connect_producer(server.address)

    async def put(number: int) -> tuple[int, str]:
        body = f"body {number}"
        return await producer.put(f"tube-{number % 3}", body), body

    entries = await asyncio.gather(*[put(number) for number in range(2000)])

    assert len({number for number, _ in entries}) == 2000
    bodies = await asyncio.gather(*[producer.peek(number) for number, _ in entries])
    assert bodies == [body for _, body in entries]
    assert (await producer.tube_stats("tube-0")).ready == 667
    await producer.close()


async def test_nobody_listening_is_said_with_what_to_do() -> None:
    with pytest.raises(QueueUnavailableError, match="is beanstalkd running there"):
        await connect_queue("127.0.0.1:1")


@pytest.mark.parametrize("address", ["", "host:", ":1", "host:99999", "host:x:y"])
def test_addresses_that_are_none_are_refused(address: str) -> None:
    with pytest.raises(ConfigError):
        parse_address(address)


def test_addresses_are_read() -> None:
    assert parse_address("beanstalk://h:1") == ("h", 1)
    assert parse_address("h") == ("h", 11300)
    assert parse_address("[::1]:5") == ("::1", 5)
