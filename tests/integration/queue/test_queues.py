"""What every queue adapter promises, against a real beanstalkd, and when it cannot be reached."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import greenstalk
import pytest
from tests.beanstalkd import Beanstalkd

from zerog.model.errors import (
    ConfigError,
    InvalidTubeNameError,
    QueueRefusedError,
    QueueUnavailableError,
)
from zerog.queue import connect_producer, connect_queue, parse_address
from zerog.queue.beanstalk.connection import BeanstalkConnection
from zerog.queue.greenstalk import GreenstalkConnection
from zerog.queue.port import Entry, QueueConnection, TubeStats

#: For what happens at once, on a busy machine.
DEADLINE_SECONDS = 60
ADAPTERS: dict[str, Any] = {"asyncio": BeanstalkConnection, "greenstalk": GreenstalkConnection}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Beanstalkd]:
    made = Beanstalkd(binlog=tmp_path / "binlog")
    made.start()
    yield made
    made.signal(signal.SIGCONT)
    made.kill()


@pytest.fixture(params=ADAPTERS)
async def queue(
    request: pytest.FixtureRequest, server: Beanstalkd
) -> AsyncIterator[QueueConnection]:
    connection = await ADAPTERS[request.param].connect("127.0.0.1", server.port)
    await connection.watch(["tube"])
    yield connection
    await connection.close()


async def put(queue: QueueConnection, tube: str, body: str, **options: int) -> int:
    return (await queue.put(tube, body, **options)).id


async def start_reserve(server: Beanstalkd, queue: QueueConnection) -> asyncio.Task[Entry | None]:
    """Start a reserve that waits, and return when the server knows of it."""
    probe = await connect_queue(server.address)
    waiting = asyncio.create_task(queue.reserve(10 * DEADLINE_SECONDS))
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not (await probe.tube_stats("tube")).waiting:
            await asyncio.sleep(0.01)
    await probe.close()
    return waiting


async def test_an_entry_is_put_reserved_and_deleted(queue: QueueConnection) -> None:
    ref = await queue.put("tube", "body")

    entry = await queue.reserve(1)

    assert entry is not None
    assert (entry.ref, entry.body) == (ref, "body")
    assert await queue.delete(ref.id)
    assert not await queue.delete(ref.id)
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
    assert stats.age_seconds >= 0


@pytest.mark.parametrize(("priority", "meant"), [(-1, 0), (10, 9), (10**20, 9)])
async def test_other_priorities_count_as_the_nearest(
    queue: QueueConnection, priority: int, meant: int
) -> None:
    number = await put(queue, "tube", "body", priority=priority)

    stats = await queue.entry_stats(number)

    assert stats is not None
    assert stats.priority == meant


@pytest.mark.parametrize(("delay", "meant"), [(5 * 10**9, 2**32 - 1), (10**30, 2**32 - 1)])
async def test_a_delay_that_is_too_long_is_the_longest_there_is(
    queue: QueueConnection, delay: int, meant: int
) -> None:
    number = await put(queue, "tube", "body", delay_seconds=delay)
    first = await queue.entry_stats(number)
    await queue.reserve_entry(number)
    assert await queue.release(number, priority=5, delay_seconds=delay)

    second = await queue.entry_stats(number)

    for stats in (first, second):
        assert stats is not None
        assert (stats.state, stats.delay_seconds) == ("delayed", meant)


async def test_a_negative_delay_is_none(queue: QueueConnection) -> None:
    await queue.put("tube", "body", delay_seconds=-1)

    assert await queue.reserve(0) is not None


@pytest.mark.parametrize("number", [0, -1, 2**64, 10**30])
async def test_what_cannot_be_an_entry_is_not_found(queue: QueueConnection, number: int) -> None:
    assert await queue.peek(number) is None
    assert await queue.peek_many([number]) == {}
    assert await queue.entry_stats(number) is None
    assert await queue.reserve_entry(number) is None
    assert not await queue.delete(number)
    assert not await queue.kick(number)
    assert not await queue.touch(number)
    assert not await queue.bury(number, priority=5)
    assert not await queue.release(number, priority=5)
    assert not queue.closed


@pytest.mark.parametrize("tube", ["", "a b", "a\r\ndelete 1", "ü"])
async def test_what_cannot_be_a_tube_is_refused_and_the_connection_lives(
    queue: QueueConnection, tube: str
) -> None:
    for call in (
        queue.put(tube, "body"),
        queue.tube_stats(tube),
        queue.tube_stats_many([tube]),
        queue.peek_ready(tube),
        queue.peek_buried(tube),
        queue.watch([tube]),
    ):
        with pytest.raises(InvalidTubeNameError):
            await call

    await put(queue, "tube", "body")
    assert await queue.reserve(0) is not None


async def test_a_body_that_is_not_text_is_put_and_read(queue: QueueConnection) -> None:
    number = await put(queue, "tube", "\ud800")

    assert await queue.peek(number) == "?"


async def test_a_stranger_s_bytes_can_be_reserved(
    server: Beanstalkd, queue: QueueConnection
) -> None:
    with greenstalk.Client(("127.0.0.1", server.port), encoding=None, use="tube") as stranger:
        stranger.put(b"\xff\r\n")

    entry = await queue.reserve(1)

    assert entry is not None
    assert entry.body == "\ufffd\r\n"


async def test_an_entry_that_is_too_big_is_refused_and_the_connection_lives(
    queue: QueueConnection,
) -> None:
    with pytest.raises(QueueRefusedError, match="larger than"):
        await queue.put("tube", "x" * 70_000)

    assert (await queue.tube_stats("tube")).entries == 0
    assert not queue.closed


async def test_a_server_that_drains_refuses_entries_and_says_so(
    server: Beanstalkd, queue: QueueConnection
) -> None:
    server.signal(signal.SIGUSR1)

    with pytest.raises(QueueRefusedError, match="draining"):
        await queue.put("tube", "body")

    assert (await queue.server_stats()).draining
    assert not queue.closed


async def test_any_entry_that_nobody_holds_can_be_reserved_by_its_id(
    server: Beanstalkd, queue: QueueConnection
) -> None:
    ready = await put(queue, "another", "ready")
    delayed = await put(queue, "another", "delayed", delay_seconds=1000)
    buried = await put(queue, "tube", "buried")
    await queue.reserve(0)
    await queue.bury(buried, priority=5)
    other = await connect_queue(server.address)

    entries = [await queue.reserve_entry(number) for number in (ready, delayed, buried)]

    assert [entry.body for entry in entries if entry] == ["ready", "delayed", "buried"]
    assert await other.reserve_entry(ready) is None
    assert await queue.delete(buried)
    assert await queue.reserve_entry(buried) is None
    await other.close()


async def test_many_are_looked_at_by_their_ids(queue: QueueConnection) -> None:
    refs = await asyncio.gather(*[queue.put("tube", f"body {n}") for n in range(2500)])

    bodies = await queue.peek_many([*[ref.id for ref in refs], 10**9])

    assert bodies == {ref.id: f"body {n}" for n, ref in enumerate(refs)}
    assert await queue.peek_many([]) == {}


async def test_many_are_reserved_in_one_go_and_no_more_than_there_are(
    queue: QueueConnection,
) -> None:
    for n in range(5):
        await queue.put("tube", str(n))

    some = await queue.reserve_ready(3)
    rest = await queue.reserve_ready(3)

    assert [entry.body for entry in [*some, *rest]] == ["0", "1", "2", "3", "4"]
    assert await queue.reserve_ready(3) == []


async def test_a_reserve_returns_when_a_reservation_is_about_to_end(
    server: Beanstalkd, queue: QueueConnection
) -> None:
    with greenstalk.Client(("127.0.0.1", server.port), encoding=None, use="tube") as stranger:
        stranger.put(b"body", ttr=1)
    entry = await queue.reserve(1)
    assert entry is not None

    assert await asyncio.wait_for(queue.reserve(10 * DEADLINE_SECONDS), DEADLINE_SECONDS) is None

    assert not queue.closed
    assert await queue.touch(entry.id)


async def test_a_connection_watches_exactly_the_tubes_that_it_was_given(
    queue: QueueConnection,
) -> None:
    for tube in ("default", "a", "b"):
        await queue.put(tube, tube)

    await queue.watch(["a"])
    first = await queue.reserve_ready(3)
    await queue.watch(["b", "tube"])
    second = await queue.reserve_ready(3)

    assert [entry.body for entry in (*first, *second)] == ["a", "b"]
    with pytest.raises(ValueError, match="at least one"):
        await queue.watch([])


async def test_the_server_is_named_with_every_entry(queue: QueueConnection) -> None:
    ref = await queue.put("tube", "body")
    entry = await queue.reserve(0)
    assert entry is not None
    await queue.bury(entry.id, priority=5)

    named = [ref, entry.ref, *[e.ref for e in [await queue.peek_buried("tube")] if e]]

    assert {item.server for item in named} == {(await queue.server_stats()).id.lstrip("0")}
    assert await queue.server_id() == ref.server


async def test_nobody_reserves_from_a_paused_tube_until_its_pause_ends(
    queue: QueueConnection,
) -> None:
    await put(queue, "tube", "body")

    assert await queue.pause_tube("tube", 1000)
    assert await queue.reserve(0) is None
    assert await queue.reserve_ready(2) == []
    assert (await queue.tube_stats("tube")).ready == 1

    assert await queue.pause_tube("tube", 0)
    assert await queue.reserve(1) is not None
    assert not await queue.pause_tube("nowhere", 1000)


async def test_a_delayed_entry_waits_and_can_be_kicked(queue: QueueConnection) -> None:
    number = await put(queue, "tube", "body", delay_seconds=1000)
    assert await queue.reserve(0) is None

    assert await queue.kick(number)

    assert await queue.reserve(0) is not None


async def test_the_entry_that_is_next_is_seen_and_stays(queue: QueueConnection) -> None:
    assert await queue.peek_ready("tube") is None
    await queue.put("tube", "later", priority=6)
    await queue.put("tube", "not due", priority=0, delay_seconds=60)
    number = await put(queue, "tube", "next")

    for _ in range(2):
        found = await queue.peek_ready("tube")
        assert found is not None
        assert (found.id, found.body) == (number, "next")


async def test_a_buried_entry_is_seen_and_kicked(queue: QueueConnection) -> None:
    number = await put(queue, "tube", "body")
    await queue.reserve(0)

    assert await queue.bury(number, priority=5)

    buried = await queue.peek_buried("tube")
    assert buried is not None
    assert buried.id == number
    assert (await queue.tube_stats("tube")).buried == 1
    assert await queue.kick(number)


async def test_touch_and_release_of_what_is_not_ours_say_so(queue: QueueConnection) -> None:
    number = await put(queue, "tube", "body")

    assert not await queue.touch(number)
    assert not await queue.release(number, priority=5)
    await queue.reserve(0)
    assert await queue.touch(number)


async def test_peek_shows_a_body_and_none_for_what_is_gone(queue: QueueConnection) -> None:
    number = await put(queue, "tube", "body")

    assert await queue.peek(number) == "body"
    await queue.delete(number)
    assert await queue.peek(number) is None
    assert await queue.entry_stats(number) is None


async def test_a_tube_that_does_not_exist_is_empty(queue: QueueConnection) -> None:
    assert await queue.tube_stats("nobody") == TubeStats("nobody")
    await queue.put("other", "x")
    stats = await queue.tube_stats_many(["nobody", "other"])
    assert [(item.name, item.ready) for item in stats] == [("nobody", 0), ("other", 1)]
    assert "other" in await queue.tubes()


async def test_the_server_tells_of_itself(queue: QueueConnection) -> None:
    stats = await queue.server_stats()

    assert stats.id
    assert not stats.draining


async def test_closing_frees_reservations_at_once(
    server: Beanstalkd, queue: QueueConnection
) -> None:
    await queue.put("tube", "body")
    entry = await queue.reserve(0)
    assert entry is not None
    other = await connect_queue(server.address)
    await other.watch(["tube"])

    await queue.close()

    assert await other.reserve(DEADLINE_SECONDS) is not None
    await other.close()


async def test_a_closed_connection_is_unavailable_to_every_call(queue: QueueConnection) -> None:
    await queue.close()
    await queue.close()

    assert queue.closed
    for call in (
        queue.put("tube", "body"),
        queue.put("another", "body"),
        queue.delete(1),
        queue.kick(1),
        queue.peek(1),
        queue.peek_many([1]),
        queue.peek_buried("tube"),
        queue.entry_stats(1),
        queue.tube_stats("tube"),
        queue.tubes(),
        queue.server_stats(),
        queue.watch(["another"]),
        queue.reserve(1),
        queue.reserve_ready(1),
        queue.reserve_entry(1),
        queue.touch(1),
        queue.release(1, priority=5),
        queue.bury(1, priority=5),
    ):
        with pytest.raises(QueueUnavailableError):
            await call


async def test_aborting_ends_a_waiting_reserve(server: Beanstalkd, queue: QueueConnection) -> None:
    waiting = await start_reserve(server, queue)

    queue.abort()

    with pytest.raises(QueueUnavailableError):
        await asyncio.wait_for(waiting, DEADLINE_SECONDS)
    assert queue.closed


async def test_cancelling_a_waiting_reserve_loses_no_entry(
    server: Beanstalkd, queue: QueueConnection
) -> None:
    waiting = await start_reserve(server, queue)

    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert queue.closed
    other = await connect_queue(server.address)
    await other.watch(["tube"])
    await other.put("tube", "body")
    assert await other.reserve(DEADLINE_SECONDS) is not None
    await other.close()


async def test_cancelling_a_look_leaves_the_connection_in_step(queue: QueueConnection) -> None:
    first, second = await put(queue, "tube", "first"), await put(queue, "tube", "second")
    looking = asyncio.create_task(queue.peek(first))
    await asyncio.sleep(0)

    looking.cancel()
    await asyncio.wait([looking])

    assert await queue.peek(second) == "second"


async def test_a_server_that_dies_under_a_reserve_is_unavailable(
    server: Beanstalkd, queue: QueueConnection
) -> None:
    waiting = await start_reserve(server, queue)

    server.kill()

    with pytest.raises(QueueUnavailableError):
        await asyncio.wait_for(waiting, DEADLINE_SECONDS)
    assert queue.closed


async def test_an_idle_connection_knows_that_its_server_has_ended(
    server: Beanstalkd, queue: QueueConnection
) -> None:
    assert not queue.closed

    server.kill()

    async with asyncio.timeout(DEADLINE_SECONDS):
        while not queue.closed:
            await asyncio.sleep(0.01)


async def test_a_frozen_server_is_unavailable_to_a_connection(
    server: Beanstalkd, queue: QueueConnection
) -> None:
    server.signal(signal.SIGSTOP)

    with pytest.raises(QueueUnavailableError, match="does not answer"):
        await asyncio.wait_for(queue.put("tube", "x"), DEADLINE_SECONDS)

    assert queue.closed


async def test_many_tasks_share_a_connection_and_no_reply_is_mixed_up(
    queue: QueueConnection,
) -> None:
    async def work(number: int) -> tuple[str | None, str]:
        ref = await queue.put(f"tube-{number % 3}", f"body {number}")
        return await queue.peek(ref.id), f"body {number}"

    pairs = await asyncio.gather(*[work(number) for number in range(500)])

    assert all(seen == expected for seen, expected in pairs)
    assert (await queue.tube_stats("tube-0")).ready == 167


async def test_a_frozen_server_is_unavailable_within_the_deadline(
    server: Beanstalkd,
) -> None:
    producer = await connect_producer(server.address)
    await producer.put("tube", "x")
    server.signal(signal.SIGSTOP)

    with pytest.raises(QueueUnavailableError):
        await asyncio.wait_for(producer.put("tube", "y"), DEADLINE_SECONDS)

    server.signal(signal.SIGCONT)


async def test_a_producer_heals_when_the_server_is_back(server: Beanstalkd) -> None:
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
    server: Beanstalkd,
) -> None:
    producer = await connect_producer(server.address)

    async def put(number: int) -> tuple[int, str]:
        body = f"body {number}"
        return (await producer.put(f"tube-{number % 3}", body)).id, body

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
