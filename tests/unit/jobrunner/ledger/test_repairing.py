"""One process at a time repairs, continues where another stopped, and counts only now and then.

Time is virtual: a loop whose clock jumps to what is due next.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from tests.ledger.jobs import Ledger
from tests.queue.memory import MemoryQueue
from tests.store.memory import MemoryDatastore
from tests.unit.operator.virtual_time import run_virtually

from zerog.ledger import repair, repairing
from zerog.ledger.jobs import Jobs
from zerog.ledger.repair import RepairReport
from zerog.ledger.repairing import Background, ended, is_due
from zerog.ledger.stats import Stats
from zerog.model.documents import REPAIR_KEY, RepairState
from zerog.model.errors import DatastoreUnavailableError
from zerog.model.record import JobId
from zerog.queue.port import QueueConnection
from zerog.store.port import Datastore

NOW = datetime(2026, 1, 1, tzinfo=UTC)
#: Virtual seconds within which every pass here ends.
LONG = 600.0
QUEUES = 50


class Passes:
    """What each process's passes do, and how often two of them overlapped."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._original = repair.repair_once
        #: Of full passes: who made it, and after which job it began.
        self.full: list[tuple[str, str]] = []
        self.quick = 0
        self.working: list[str] = []
        self.overlaps = 0
        monkeypatch.setattr(repairing, "repair_once", self.repair_once)

    async def repair_once(self, jobs: Jobs, queue: QueueConnection, **options: Any) -> RepairReport:
        task = asyncio.current_task()
        assert task is not None
        if options["full"]:
            self.full.append((task.get_name(), options["after"]))
        else:
            self.quick += 1
        self.working.append(task.get_name())
        self.overlaps += len(self.working) > 1
        try:
            return await self._original(jobs, queue, **options)
        finally:
            self.working.remove(task.get_name())


class Slow:
    """A process's way to a store: calls take their time, and some take longer than the lease."""

    def __init__(self, store: MemoryDatastore, pauses: list[float]) -> None:
        self._store = store
        self._pauses = pauses
        self._chance = random.Random(1)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if not callable(found):
            return found

        async def call(*args: Any, **options: Any) -> Any:
            await asyncio.sleep(self._chance.choice(self._pauses))
            result = await found(*args, **options)
            await asyncio.sleep(self._chance.choice(self._pauses))
            return result

        return call


async def play(seconds: float, queue: MemoryQueue, stores: dict[str, Datastore | Slow]) -> None:
    """Let a process of each name repair for a while."""

    async def connect() -> QueueConnection:
        queue.closed = False
        return queue

    loops = {
        name: Background(Jobs(cast(Datastore, store), Stats(cast(Datastore, store))), connect, name)
        for name, store in stores.items()
    }
    tasks = [asyncio.create_task(loop.run(), name=name) for name, loop in loops.items()]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def fill(ledger: Ledger, count: int) -> list[JobId]:
    """Store jobs of many queues whose entries are all lost."""
    return [await ledger.add(queue=f"q{n % QUEUES}", entry_id=10_000 + n) for n in range(count)]


def follow_the_loop(store: MemoryDatastore) -> None:
    store._clock = asyncio.get_running_loop().time


def repair_by_two(
    monkeypatch: pytest.MonkeyPatch, pauses: list[float], seconds: float
) -> tuple[Passes, set[JobId]]:
    """Let two processes repair the jobs of many queues; return which jobs were left."""
    monkeypatch.setattr(repairing, "LEASE_SECONDS", 2.0)
    monkeypatch.setattr(repair, "PAGE", 20)
    monkeypatch.setattr(repair, "PUT_AT_ONCE", 5)
    passes, ledger, queue = Passes(monkeypatch), Ledger(), MemoryQueue()

    async def story() -> list[JobId]:
        follow_the_loop(ledger.store)
        uuids = await fill(ledger, QUEUES * 2)
        await play(seconds, queue, {name: Slow(ledger.store, pauses) for name in ("one", "two")})
        return uuids

    return passes, set(run_virtually(story())).difference(queue.bodies())


@pytest.mark.parametrize("pauses", [[0.01], [0.1, 0.3]], ids=str)
def test_two_processes_never_repair_at_once(
    monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    passes, left = repair_by_two(monkeypatch, pauses, 60.0)

    assert (passes.overlaps, left) == (0, set())
    assert len(passes.full) > 1


def test_a_process_whose_calls_outlast_the_lease_never_repairs_beside_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    passes, _ = repair_by_two(monkeypatch, [0.01, 0.01, 0.01, 3.0], 300.0)

    assert passes.overlaps == 0
    assert {name for name, _ in passes.full} == {"one", "two"}


def test_a_pass_ends_at_once_when_the_lease_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repair, "PAGE", 10)
    monkeypatch.setattr(repairing, "PERIOD_SECONDS", LONG)
    ledger, queue = Ledger(), MemoryQueue()
    pages = 0

    async def story() -> None:
        follow_the_loop(ledger.store)
        await fill(ledger, 100)
        original = ledger.store.open_jobs

        async def open_jobs(**options: Any) -> Any:
            nonlocal pages
            if options["without_entry_since"] is None:
                pages += 1
            if pages == 3:
                # As if this process had been frozen meanwhile.
                ledger.store._leases.clear()
                assert await ledger.store.try_lock(repairing.LEASE, "another", seconds=LONG)
                await asyncio.sleep(repairing.LEASE_SECONDS / 2)
            return await original(**options)

        monkeypatch.setattr(ledger.store, "open_jobs", open_jobs)
        await play(LONG / 2, queue, {"one": ledger.store})

    run_virtually(story())

    assert pages == 3
    assert len(queue.items) == 20


@pytest.mark.parametrize("server", ["memory", "another"])
def test_a_pass_that_was_broken_off_is_resumed_by_another_process(
    monkeypatch: pytest.MonkeyPatch, server: str
) -> None:
    monkeypatch.setattr(repair, "PAGE", 10)
    monkeypatch.setattr(repairing, "SETTLE_SECONDS", 0.0)
    passes, ledger, queue = Passes(monkeypatch), Ledger(), MemoryQueue()

    async def story() -> list[JobId]:
        follow_the_loop(ledger.store)
        uuids = await fill(ledger, 50)
        put = queue.put

        async def away_at_the_end(*args: Any, **options: Any) -> Any:
            if len(queue.items) == 35:
                queue.away = True
            return await put(*args, **options)

        monkeypatch.setattr(queue, "put", away_at_the_end)
        monkeypatch.setattr(repairing, "PERIOD_SECONDS", LONG)
        await play(1, queue, {"one": ledger.store})
        queue.away, queue.server = False, server
        monkeypatch.setattr(queue, "put", put)
        monkeypatch.setattr(repairing, "PERIOD_SECONDS", 1.0)
        await play(LONG, queue, {"two": ledger.store})
        return uuids

    uuids = run_virtually(story())

    resumed = uuids[29] if server == "memory" else ""
    assert passes.full == [("one", ""), ("two", resumed)]
    assert set(queue.bodies()) == set(uuids)


@pytest.mark.parametrize("document", [{}, {"server": 5}, {"server": "memory", "sinceTime": "?"}])
def test_a_state_that_cannot_be_read_is_none(
    monkeypatch: pytest.MonkeyPatch, document: dict[str, Any]
) -> None:
    passes, ledger, queue = Passes(monkeypatch), Ledger(), MemoryQueue()

    async def story() -> None:
        follow_the_loop(ledger.store)
        await ledger.store.insert("progress", REPAIR_KEY, document)
        await play(3, queue, {"one": ledger.store})

    run_virtually(story())

    assert passes.full[0] == ("one", "")


def test_a_count_that_fails_stops_no_pass(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(repairing, "SETTLE_SECONDS", 0.0)
    ledger, queue = Ledger(), MemoryQueue()

    async def count_open(changed_before: str) -> dict[str, int]:
        raise DatastoreUnavailableError("it takes too long")

    monkeypatch.setattr(ledger.store, "count_open", count_open)

    async def story() -> JobId:
        follow_the_loop(ledger.store)
        await play(3, queue, {"one": ledger.store})
        uuid = await ledger.add()
        await play(9, queue, {"one": ledger.store})
        return uuid

    uuid = run_virtually(story())

    assert queue.bodies() == [uuid]
    assert "it takes too long" in caplog.text


def count(
    monkeypatch: pytest.MonkeyPatch, takes: Callable[[], Awaitable[None]]
) -> tuple[int, Passes]:
    """Return how often jobs are counted in a thousand seconds."""
    monkeypatch.setattr(repairing, "SETTLE_SECONDS", 0.0)
    passes, ledger, queue = Passes(monkeypatch), Ledger(), MemoryQueue()
    counted = 0

    async def count_open(changed_before: str) -> dict[str, int]:
        nonlocal counted
        counted += 1
        await takes()
        return {}

    monkeypatch.setattr(ledger.store, "count_open", count_open)

    async def story() -> None:
        follow_the_loop(ledger.store)
        await play(1000, queue, {"one": ledger.store})

    run_virtually(story())
    return counted, passes


def test_jobs_are_counted_as_often_as_the_store_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(MemoryDatastore, "count_pause_seconds", 300.0)

    counted, passes = count(monkeypatch, lambda: asyncio.sleep(0))

    assert (counted, passes.quick) == (4, 500)


def test_a_slow_count_is_made_less_often(monkeypatch: pytest.MonkeyPatch) -> None:
    counted, _ = count(monkeypatch, lambda: asyncio.sleep(1))

    assert counted == 1000 // repairing.COUNT_PAUSES


STATE = RepairState("s", NOW)


@pytest.mark.parametrize(
    ("state", "due"),
    [
        (STATE, True),
        (RepairState("s", NOW, ended_time=NOW), False),
        (RepairState("s", NOW, begun_time=NOW, ended_time=NOW), True),
        (RepairState("s", NOW, ended_time=NOW - timedelta(seconds=299)), False),
        (RepairState("s", NOW, ended_time=NOW - timedelta(seconds=300)), True),
        (RepairState("s", NOW, ended_time=NOW + timedelta(days=1)), True),
    ],
)
def test_a_full_pass_is_due(state: RepairState, due: bool) -> None:
    assert is_due(state, NOW) is due


@pytest.mark.parametrize(("began_after", "settled"), [(0, False), (9, False), (10, True)])
def test_only_a_pass_that_begins_late_enough_settles_a_new_server(
    began_after: int, settled: bool
) -> None:
    begun = NOW + timedelta(seconds=began_after)
    later = NOW + timedelta(seconds=60)

    state = ended(RepairState("s", NOW, begun_time=begun, after="x"), later)

    assert state == RepairState("s", NOW, ended_time=later if settled else None)
