"""The operator's readings and retire tokens, against a real beanstalkd."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from tests.beanstalkd import Beanstalkd

from zerog.ledger.mailboxes import NUDGE, RETIRE
from zerog.model.names import mailbox_tube_name, retire_tube_name, tube_name
from zerog.queue import connect_greenstalk
from zerog.queue.port import QueueConnection
from zerog_operator.model import QueueReading, Unknown
from zerog_operator.tubes import Tubes

#: For what happens at once, on a busy machine.
DEADLINE_SECONDS = 60


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Beanstalkd]:
    made = Beanstalkd(binlog=tmp_path / "binlog")
    made.start()
    yield made
    made.stop()


@pytest.fixture
async def tubes(server: Beanstalkd) -> AsyncIterator[Tubes]:
    made = Tubes(server.address)
    yield made
    await made.close()


@pytest.fixture
async def queue(server: Beanstalkd) -> AsyncIterator[QueueConnection]:
    made = await connect_greenstalk(server.address)
    yield made
    await made.close()


async def read(tubes: Tubes) -> QueueReading:
    reading = await tubes.read("media", "pool")
    assert isinstance(reading, QueueReading), reading
    return reading


async def test_a_reading_counts_the_jobs_and_the_tokens(
    tubes: Tubes, queue: QueueConnection
) -> None:
    empty = await read(tubes)
    for delay in (0, 0, 1000):
        await queue.put(tube_name("media"), "x", delay_seconds=delay)
    await queue.watch([tube_name("media")])
    await queue.reserve(0)
    await tubes.put_tokens("pool", 3)

    reading = await read(tubes)

    assert (empty.ready, empty.total, empty.tokens) == (0, 0, 0)
    assert (reading.ready, reading.reserved, reading.delayed) == (1, 1, 1)
    assert (reading.total, reading.tokens) == (3, 3)
    assert reading.server == await queue.server_id()


async def test_no_more_tokens_are_taken_than_asked_for_or_than_there_are(tubes: Tubes) -> None:
    await tubes.put_tokens("pool", 5)

    assert await tubes.take_tokens("pool", 2) == 2
    assert (await read(tubes)).tokens == 3
    assert await tubes.take_tokens("pool", 10) == 3
    assert await tubes.take_tokens("pool", 10) == 0


async def test_a_worker_is_told_once_and_what_it_was_told_is_forgotten(
    tubes: Tubes, queue: QueueConnection
) -> None:
    await tubes.retire([])
    await tubes.retire(["worker-1", "worker-2"])
    await tubes.retire(["worker-1"])
    names = [mailbox_tube_name(f"worker-{n}") for n in (1, 2)]
    told = [tube.ready for tube in await queue.tube_stats_many(names)]

    await tubes.forget_worker("worker-1")

    assert told == [1, 1]
    assert [tube.ready for tube in await queue.tube_stats_many(names)] == [0, 1]


async def test_what_lies_on_a_workers_tube_does_not_keep_it_from_being_told(
    tubes: Tubes, queue: QueueConnection
) -> None:
    tube = mailbox_tube_name("worker-1")
    await queue.put(tube, NUDGE)
    await queue.put(tube, RETIRE, delay_seconds=3600)

    await tubes.retire(["worker-1"])

    await queue.watch([tube])
    assert [entry.body for entry in await queue.reserve_ready(9)] == [NUDGE, RETIRE]


async def test_many_pools_share_a_connection(tubes: Tubes, queue: QueueConnection) -> None:
    async def look(number: int) -> tuple[int, int]:
        await tubes.put_tokens(f"pool-{number}", number % 3)
        taken = await tubes.take_tokens(f"pool-{number}", 1)
        reading = await tubes.read("media", f"pool-{number}")
        return taken, reading.tokens if isinstance(reading, QueueReading) else -1

    looks = await asyncio.gather(*[look(number) for number in range(60)])

    assert looks == [(min(1, n % 3), max(0, n % 3 - 1)) for n in range(60)]
    stats = await queue.tube_stats(retire_tube_name("pool-2"))
    assert (stats.total, stats.deleted) == (2, 1)


async def test_a_queue_that_cannot_be_reached_is_unknown_until_it_is_back(
    server: Beanstalkd, tubes: Tubes
) -> None:
    await tubes.put_tokens("pool", 2)
    before = await read(tubes)
    server.stop()

    unknown = [await tubes.read("media", "pool") for _ in range(3)]

    for reading in unknown:
        assert isinstance(reading, Unknown)
        assert reading.reason == "QueueUnreachable"
    server.start()
    async with asyncio.timeout(DEADLINE_SECONDS):
        while isinstance(await tubes.read("media", "pool"), Unknown):
            await asyncio.sleep(0.05)
    after = await read(tubes)
    assert after.tokens == before.tokens
    assert after.server != before.server
