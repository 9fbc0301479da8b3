"""Repair against a real beanstalkd, through both of its clients."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest
from tests.beanstalkd import Beanstalkd
from tests.ledger.jobs import Ledger

from zerog.ledger.repair import repair_once
from zerog.model import events
from zerog.model.names import retire_tube_name, tube_name
from zerog.model.record import new_job_id
from zerog.queue import connect_greenstalk, connect_queue
from zerog.queue.port import QueueConnection

TUBE = tube_name("default")


@pytest.fixture
def server() -> Iterator[Beanstalkd]:
    made = Beanstalkd()
    made.start()
    yield made
    made.kill()


@pytest.fixture(params=[connect_queue, connect_greenstalk], ids=["asyncio", "greenstalk"])
async def queue(
    server: Beanstalkd, request: pytest.FixtureRequest
) -> AsyncIterator[QueueConnection]:
    connect: Callable[[str], Awaitable[QueueConnection]] = request.param
    made = await connect(server.address)
    yield made
    await made.close()


async def bury(queue: QueueConnection, *bodies: str, tube: str = TUBE) -> list[int]:
    """Put entries that are buried, in this order."""
    buried = []
    for body in bodies:
        ref = await queue.put(tube, body)
        entry = await queue.reserve_entry(ref.id)
        assert entry is not None
        assert await queue.bury(entry.id, priority=0)
        buried.append(ref.id)
    return buried


async def state(queue: QueueConnection, entry_id: int) -> str | None:
    stats = await queue.entry_stats(entry_id)
    return None if stats is None else stats.state


async def test_unknown_buried_entries_hide_none_behind_them(queue: QueueConnection) -> None:
    ledger = Ledger()
    live, finished, unknown = await ledger.add(), await ledger.add(), new_job_id()
    odd = await bury(queue, "select 1", unknown, "")
    (kicked,) = await bury(queue, live)
    (dropped,) = await bury(queue, finished)
    await ledger.happen(live, events.Queued(kicked))
    await ledger.happen(finished, events.CancelRequested())

    for again in (False, True):
        report = await repair_once(ledger.jobs, queue)

        assert sorted(report.unknown) == sorted(["select 1", unknown, ""])
        assert (report.kicked, report.dropped) == (([], []) if again else ([live], [finished]))
        assert report.requeued == []
    assert await state(queue, kicked) == "ready"
    assert await state(queue, dropped) is None
    assert [await state(queue, entry) for entry in odd] == ["buried"] * 3


async def test_foreign_tubes_are_not_touched(queue: QueueConnection) -> None:
    ledger = Ledger()
    uuid = await ledger.add()
    (ours,) = await bury(queue, uuid, tube="anybodys")
    (token,) = await bury(queue, "x", tube=retire_tube_name("pool"))

    report = await repair_once(ledger.jobs, queue)

    assert (report.unknown, report.kicked, report.dropped) == ([], [], [])
    for entry in (ours, token):
        stats = await queue.entry_stats(entry)
        assert stats is not None
        assert (stats.state, stats.reserves) == ("buried", 1)


async def test_what_has_no_entry_is_put_back_once(queue: QueueConnection) -> None:
    ledger = Ledger()
    first, last = await ledger.add(), await ledger.add(priority=0)

    report = await repair_once(ledger.jobs, queue)

    assert sorted(report.requeued) == sorted([first, last])
    assert (await repair_once(ledger.jobs, queue)).requeued == []
    assert (await queue.tube_stats(TUBE)).ready == 2
    await queue.watch([TUBE])
    entry = await queue.reserve(0)
    assert entry is not None
    assert entry.body == last
