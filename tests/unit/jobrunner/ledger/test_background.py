"""What the ledger does in the background outlives store, queue and surprises."""

import asyncio
import math
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import pytest
from msgspec.structs import replace
from tests.ledger.jobs import Ledger
from tests.queue.memory import MemoryQueue

from zerog.ledger import controls, dispatch, leftovers, repair, repairing, stats
from zerog.ledger.jobs import Jobs
from zerog.ledger.leftovers import MAX_REMEMBERED, Leftovers
from zerog.ledger.repair import RepairReport
from zerog.ledger.repairing import LEASE, Background
from zerog.model import events
from zerog.model.backoff import Backoff
from zerog.model.documents import ControlDocument, TypeDocument, write
from zerog.model.errors import DatastoreUnavailableError, QueueRefusedError, QueueUnavailableError
from zerog.model.record import format_time
from zerog.queue.port import QueueConnection

#: Turns of the loop: far more than anything here takes.
TURNS = 1000


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repairing, "PERIOD_SECONDS", 0)
    monkeypatch.setattr(repairing, "COUNT_PAUSES", 0)
    monkeypatch.setattr(leftovers, "_BACKOFF", Backoff(0.0, 0.0))


async def until(holds: Callable[[], bool]) -> None:
    """Let the others run until something holds."""
    for _ in range(TURNS):
        if holds():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never holds")


async def stop(task: "asyncio.Task[None]") -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


# Leftovers


async def test_leftovers_are_done_in_order_and_until_they_have_worked() -> None:
    done: list[str] = []
    outages = [DatastoreUnavailableError(), QueueUnavailableError()]
    work = Leftovers()

    def task(name: str) -> Callable[[], Awaitable[None]]:
        async def do() -> None:
            if name == "second" and outages:
                raise outages.pop()
            done.append(name)

        return do

    running = asyncio.create_task(work.run())
    for name in ("first", "second", "third"):
        work.later(task(name))
    await until(lambda: len(done) == 3)
    work.later(task("fourth"))
    await until(lambda: len(done) == 4)
    await stop(running)

    assert done == ["first", "second", "third", "fourth"]


async def test_a_leftover_that_is_cancelled_is_done_by_the_last_flush() -> None:
    work, done, begun = Leftovers(), list[str](), asyncio.Event()

    async def do() -> None:
        if not begun.is_set():
            begun.set()
            await asyncio.Event().wait()
        done.append("done")

    running = asyncio.create_task(work.run())
    work.later(do)
    await begun.wait()
    await stop(running)
    await work.flush()

    assert done == ["done"]


async def test_leftovers_have_a_bound() -> None:
    work, done = Leftovers(), list[int]()

    async def do(number: int) -> None:
        done.append(number)

    for number in range(MAX_REMEMBERED + 1):
        work.later(lambda number=number: do(number))  # type: ignore[misc]
    await work.flush()

    assert (len(done), done[0]) == (MAX_REMEMBERED, 1)


# Repair


async def background(ledger: Ledger, queue: MemoryQueue) -> tuple[Background, list[int]]:
    """Return the loop, and how often it has connected."""
    connects: list[int] = []

    async def connect() -> QueueConnection:
        connects.append(1)
        if queue.away:
            raise QueueUnavailableError
        queue.closed = False
        return queue

    return Background(ledger.jobs, connect), connects


async def test_repair_says_that_it_moves_on_only_while_it_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(repairing, "LEASE_SECONDS", 3600.0)
    ledger, queue = Ledger(), MemoryQueue()
    queue.away = True
    loop, connects = await background(ledger, queue)
    steps: list[int] = []
    loop.stepped = lambda: steps.append(len(connects))
    running = asyncio.create_task(loop.run())
    await until(lambda: len(connects) > 2)
    assert steps == []

    queue.away = False
    await until(lambda: len(steps) > 2)
    await stop(running)
    other = Background(ledger.jobs, loop.connect, "another", stepped=lambda: steps.append(-1))
    running = asyncio.create_task(other.run())
    for _ in range(TURNS):
        await asyncio.sleep(0)
    await stop(running)

    assert -1 not in steps


async def test_repair_outlives_store_queue_and_surprises() -> None:
    ledger, queue = Ledger(), MemoryQueue()
    queue.away = True
    loop, connects = await background(ledger, queue)
    running = asyncio.create_task(loop.run())
    await until(lambda: len(connects) > 2)

    original = ledger.store.try_lock
    surprises: list[Exception] = [RuntimeError("a bug"), DatastoreUnavailableError()]

    async def try_lock(name: str, owner: str, *, seconds: float) -> bool:
        if surprises:
            raise surprises.pop()
        return await original(name, owner, seconds=seconds)

    ledger.store.try_lock = try_lock  # type: ignore[method-assign]
    await until(lambda: not surprises)
    queue.away = False
    uuid = await ledger.add()
    await until(lambda: uuid in queue.bodies())
    await stop(running)

    assert queue.bodies() == [uuid]
    assert queue.closed


async def test_a_tube_that_cannot_be_paused_keeps_no_job_from_being_put_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def refuse(tube: str, seconds: int) -> bool:
        raise QueueRefusedError

    ledger, queue = Ledger(), MemoryQueue()
    monkeypatch.setattr(queue, "pause_tube", refuse)
    await controls.hold(ledger.store, ControlDocument("queue", "media"))
    uuid = await ledger.add()

    loop, _ = await background(ledger, queue)
    running = asyncio.create_task(loop.run())
    await until(lambda: queue.bodies() == [uuid])
    await stop(running)


async def test_controls_that_cannot_be_read_keep_no_job_from_being_put_back() -> None:
    ledger, queue = Ledger(), MemoryQueue()
    ledger.store.away["controls"] = math.inf
    uuid = await ledger.add()
    loop, _ = await background(ledger, queue)

    task = asyncio.create_task(loop.run())
    await until(lambda: uuid in queue.bodies())
    await stop(task)


async def test_a_closed_connection_is_replaced() -> None:
    ledger, queue = Ledger(), MemoryQueue()
    loop, connects = await background(ledger, queue)
    running = asyncio.create_task(loop.run())
    await until(lambda: len(connects) == 1)
    queue.closed = True
    await until(lambda: len(connects) == 2)
    await stop(running)


async def test_one_process_at_a_time_repairs() -> None:
    ledger, queue = Ledger(), MemoryQueue()
    assert await ledger.store.try_lock(LEASE, "another", seconds=60)
    uuid = await ledger.add()
    loop, connects = await background(ledger, queue)
    running = asyncio.create_task(loop.run())
    for _ in range(100):
        await asyncio.sleep(0)
    assert connects == []

    ledger.store.now = 61
    await until(lambda: uuid in queue.bodies())
    await stop(running)


@pytest.mark.parametrize("lost", ["entries", "server"])
async def test_a_queue_that_lost_entries_is_looked_through(lost: str) -> None:
    ledger, queue = Ledger(), MemoryQueue()
    job_type = TypeDocument("T", "default", {})
    await ledger.store.upsert("types", "T", write(replace(job_type, queue="default")))
    uuid = await ledger.add()
    loop, _ = await background(ledger, queue)
    running = asyncio.create_task(loop.run())
    await until(lambda: uuid in queue.bodies())
    await asyncio.sleep(0)

    if lost == "server":

        async def server_id() -> str:
            return "another"

        queue.server_id = server_id  # type: ignore[method-assign]
    queue.items.clear()
    await until(lambda: uuid in queue.bodies())
    await stop(running)


async def test_a_server_that_lost_its_disk_is_looked_through_until_late_notes_are_in(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ledger, queue = Ledger(), MemoryQueue()
    loop, _ = await background(ledger, queue)
    passes: list[bool] = []
    original = repair.repair_once

    async def repair_once(
        jobs: Jobs, queue: QueueConnection, *, full: bool, **options: Any
    ) -> RepairReport:
        passes.append(full)
        return await original(jobs, queue, full=full, **options)

    monkeypatch.setattr(repairing, "repair_once", repair_once)
    running = asyncio.create_task(loop.run())
    await until(lambda: len(passes) > 1)
    uuid = await ledger.add()
    # The note of an entry that the lost server had, written after the first passes.
    await ledger.happen(uuid, events.Queued(50))

    await until(lambda: uuid in queue.bodies())
    await stop(running)

    assert not any(passes[::2])
    assert all(passes[1::2])


async def test_a_young_job_whose_entry_is_gone_is_put_back_at_once() -> None:
    ledger, queue = Ledger(), MemoryQueue()
    uuid = await ledger.add(created_time=datetime.now(UTC), changed_time=datetime.now(UTC))
    young = await ledger.add(created_time=datetime.now(UTC), changed_time=datetime.now(UTC))
    await ledger.happen(uuid, events.Queued(50))

    report = await repair.repair_once(ledger.jobs, queue)

    assert report.requeued == [uuid]
    assert young not in queue.bodies()


@pytest.mark.parametrize("part", [dispatch, stats])
async def test_a_surprise_ends_neither_the_notes_of_entries_nor_the_counts(
    part: ModuleType, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = Ledger()
    notes = dispatch.Dispatch(ledger.jobs, MemoryQueue())
    running: Any = notes if part is dispatch else ledger.jobs.stats
    flushes = 0

    async def flush(*_: float) -> None:
        nonlocal flushes
        flushes += 1
        raise KeyError("a surprise")

    monkeypatch.setattr(running, "flush", flush)
    monkeypatch.setattr(dispatch, "NOTE_SECONDS", 0)
    monkeypatch.setattr(stats, "FLUSH_SECONDS", 0)
    task = asyncio.create_task(running.run())

    await until(lambda: flushes > 1)

    assert "a surprise" in caplog.text
    await stop(task)


async def test_a_record_that_cannot_be_put_back_is_not_looked_for_again_and_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(repairing, "SETTLE_SECONDS", 0.0)
    ledger, queue = Ledger(), MemoryQueue()
    await ledger.store.upsert("types", "T", write(TypeDocument("T", "default", {})))
    bad = await ledger.add()
    document = (await ledger.jobs.read(bad)).document
    # Old enough for the first count, however slow the machine is.
    long_ago = format_time(datetime.now(UTC) - timedelta(days=1))
    broken = {**document, "priority": 5e9, "entryId": 50, "changedTime": long_ago}
    await ledger.store.upsert("jobs", bad, broken)
    lost = await ledger.add()
    passes: list[bool] = []
    original = repair.repair_once

    async def repair_once(
        jobs: Jobs, queue: QueueConnection, *, full: bool, **options: Any
    ) -> RepairReport:
        passes.append(full)
        return await original(jobs, queue, full=full, **options)

    monkeypatch.setattr(repairing, "repair_once", repair_once)
    loop, _ = await background(ledger, queue)
    running = asyncio.create_task(loop.run())
    await until(lambda: len(passes) > 5)
    assert passes[:6] == [False, True, False, False, False, False]

    queue.items.clear()
    await until(lambda: lost in queue.bodies())
    await stop(running)
