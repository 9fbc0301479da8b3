"""Who waits for a job is woken by whoever changes it, at a store without a version."""

import asyncio
import itertools
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import pytest
from tests.ledger.jobs import ME, Ledger
from tests.queue.memory import MemoryQueue
from tests.store.faltering import FalteringStore
from tests.unit.operator.virtual_time import run_virtually

from zerog.ledger.jobs import Jobs
from zerog.ledger.stats import Stats
from zerog.ledger.waiters import (
    EXPIRE_SECONDS,
    MAX_UNHEARD,
    REPORTS_SECONDS,
    Wakes,
    register,
    renew,
    waiting,
    with_waiter,
)
from zerog.model import events
from zerog.model.documents import MAX_WAITERS
from zerog.model.names import mailbox_tube_name
from zerog.model.record import JobId
from zerog.store.port import Collection, Stored

A, B = "replica-a", "replica-b"
Step = Callable[[], Coroutine[Any, Any, None]]


class CountingStore(FalteringStore):
    """A store that counts how often it is asked who waits."""

    has_version = False

    def __init__(self) -> None:
        super().__init__()
        self.asked = 0

    async def get_many(self, collection: Collection, keys: Sequence[str]) -> dict[str, Stored]:
        self.asked += collection == "waiters"
        return await super().get_many(collection, keys)


class Waking(Ledger):
    """A ledger whose changes wake those who wait, by a queue in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.counting = self.store = CountingStore()
        self.here: list[str] = []
        wakes = Wakes(self.store, "me", self.here.append)
        self.jobs = Jobs(self.store, Stats(self.store), wakes, clock=self.time)
        self.queue = MemoryQueue()
        self.queue.heard = {mailbox_tube_name(name) for name in (A, B)}

    async def wait(self, uuid: str, *processes: str) -> None:
        for process in processes:
            await register(self.store, uuid, process)

    async def woken(self) -> set[tuple[str, str]]:
        """Return which processes have been woken for which jobs."""
        await self.jobs.wakes.flush(self.queue)
        return {
            (name, item.body)
            for item in self.queue.items.values()
            for name in (A, B)
            if item.tube == mailbox_tube_name(name)
        }


async def listed(store: FalteringStore, uuid: str) -> list[str]:
    stored = await store.get("waiters", uuid)
    return [] if stored is None else list(waiting(stored))


@pytest.mark.parametrize("worker_at", list(itertools.combinations(range(4), 2)))
async def test_in_whatever_order_the_steps_come_the_end_is_seen(worker_at: tuple[int, int]) -> None:
    """The worker writes the end, then reads who waits. The waiter says so, then reads the job."""
    ledger = Waking()
    kept = await ledger.running()
    uuid, seen = kept.record.uuid, []

    async def end() -> None:
        await ledger.jobs.apply(uuid, events.Returned(1))

    async def look() -> None:
        await ledger.jobs.wakes.flush(ledger.queue)

    async def say() -> None:
        await register(ledger.store, uuid, A)

    async def read() -> None:
        seen.append((await ledger.read(uuid)).is_finished)

    worker: list[Step] = [end, look]
    waiter: list[Step] = [say, read]
    for place in range(4):
        await (worker if place in worker_at else waiter).pop(0)()

    assert seen == [True] or (A, uuid) in await ledger.woken()


async def test_every_process_that_waits_is_woken_and_no_other() -> None:
    ledger = Waking()
    both, one, none = [(await ledger.running()).record.uuid for _ in range(3)]
    await ledger.wait(both, A, B)
    await ledger.wait(one, A)

    for uuid in (both, one, none):
        await ledger.jobs.apply(uuid, events.Returned(1))

    assert await ledger.woken() == {(A, both), (B, both), (A, one)}


async def finished(ledger: Waking) -> JobId:
    kept = await ledger.running()
    return (await ledger.happen(kept.record.uuid, events.Returned(1))).record.uuid


async def cancelled(ledger: Waking, uuid: str) -> None:
    await ledger.jobs.apply(uuid, events.CancelRequested())


async def claimed(ledger: Waking, uuid: str) -> None:
    await ledger.jobs.apply(uuid, events.Claimed(ME, 1))


async def noted(ledger: Waking, uuid: str) -> None:
    await ledger.jobs.apply(uuid, events.Queued(7))


async def replayed(ledger: Waking, uuid: str) -> None:
    await ledger.jobs.apply(uuid, events.Replayed())


async def deleted(ledger: Waking, uuid: str) -> None:
    await ledger.jobs.delete(uuid)


async def taken_back(ledger: Waking, uuid: str) -> None:
    await ledger.jobs.take_back(uuid)


@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("change", [cancelled, claimed, noted, replayed, deleted, taken_back])
async def test_every_change_wakes_those_who_wait(
    change: Callable[[Waking, str], Coroutine[Any, Any, None]], lost: bool
) -> None:
    ledger = Waking()
    begins_finished = change in (replayed, deleted)
    uuid = await finished(ledger) if begins_finished else await ledger.add()
    await ledger.wait(uuid, A)
    if lost and change not in (deleted, taken_back):
        ledger.store.fail_next("lost")

    await change(ledger, uuid)

    assert await ledger.woken() == {(A, uuid)}
    assert uuid in ledger.here


async def test_a_process_does_not_wake_itself_by_the_queue() -> None:
    ledger = Waking()
    uuid = await ledger.add()
    await ledger.wait(uuid, "me")
    ledger.queue.heard.add(mailbox_tube_name("me"))

    await ledger.jobs.apply(uuid, events.CancelRequested())
    await ledger.jobs.wakes.flush(ledger.queue)

    assert ledger.here == [uuid]
    assert not ledger.queue.items


async def test_nothing_is_read_at_a_store_with_a_version() -> None:
    ledger = Waking()
    ledger.counting.has_version = True
    uuid = await ledger.add()
    await ledger.wait(uuid, A)

    await ledger.jobs.apply(uuid, events.CancelRequested())

    assert not await ledger.woken()
    assert (ledger.counting.asked, ledger.here) == (0, [])


async def test_nothing_is_put_on_a_tube_that_nobody_hears() -> None:
    ledger = Waking()
    uuid = await ledger.add()
    await ledger.wait(uuid, A, B, "gone")
    ledger.queue.heard.discard(mailbox_tube_name(B))

    await ledger.jobs.apply(uuid, events.CancelRequested())

    assert await ledger.woken() == {(A, uuid)}
    assert len(ledger.queue.items) == 1


async def test_nothing_is_put_on_a_tube_that_is_not_emptied() -> None:
    ledger = Waking()
    uuid = await ledger.add()
    await ledger.wait(uuid, A)
    for _ in range(MAX_UNHEARD):
        ledger.queue.add("something", mailbox_tube_name(A))

    await ledger.jobs.apply(uuid, events.CancelRequested())
    await ledger.jobs.wakes.flush(ledger.queue)

    assert len(ledger.queue.items) == MAX_UNHEARD


@pytest.mark.parametrize(
    "forged",
    [
        b"[]",
        b"{}",
        b'{"processes":"a"}',
        b'{"processes":[1]}',
        b'{"processes":["%s"]}' % (b"x" * 999),
    ],
)
async def test_a_document_that_others_wrote_harms_nobody(forged: bytes) -> None:
    ledger = Waking()
    bad, good = await ledger.add(), await ledger.add()
    await ledger.wait(good, A)
    ledger.store.damage("waiters", bad, forged)

    for uuid in (bad, good):
        await ledger.jobs.apply(uuid, events.CancelRequested())
    assert await ledger.woken() == {(A, good)}

    await ledger.wait(bad, B)
    assert await listed(ledger.store, bad) == [B]


async def test_what_cannot_be_told_now_keeps_nothing_else_from_being_told() -> None:
    ledger = Waking()
    first, second = await ledger.add(), await ledger.add()
    await ledger.wait(first, A)
    await ledger.wait(second, A)
    ledger.queue.away = True
    await ledger.jobs.apply(first, events.CancelRequested())
    await ledger.jobs.wakes.flush(ledger.queue)
    ledger.queue.away = False
    await ledger.jobs.apply(second, events.CancelRequested())

    assert await ledger.woken() == {(A, second)}


def test_reports_ask_who_waits_once_a_second_and_the_end_asks_at_once() -> None:
    async def ask() -> tuple[int, int]:
        ledger = Waking()
        wakes = ledger.jobs.wakes
        running = asyncio.create_task(wakes.run(ledger.queue))
        for _ in range(100):
            wakes.changed("u", at_once=False)
            await asyncio.sleep(0.1)
        of_reports = ledger.counting.asked
        wakes.changed("u", at_once=True)
        await asyncio.sleep(REPORTS_SECONDS / 100)
        running.cancel()
        return of_reports, ledger.counting.asked

    of_reports, all_asked = run_virtually(ask())

    assert of_reports in (10, 11)
    assert all_asked == of_reports + 1


def test_the_last_report_before_a_silence_is_told() -> None:
    async def ask() -> set[tuple[str, str]]:
        ledger = Waking()
        await ledger.wait("u", A)
        running = asyncio.create_task(ledger.jobs.wakes.run(ledger.queue))
        ledger.jobs.wakes.changed("u", at_once=False)
        await asyncio.sleep(REPORTS_SECONDS / 2)
        ledger.queue.items.clear()
        ledger.jobs.wakes.changed("u", at_once=False)
        await asyncio.sleep(REPORTS_SECONDS)
        running.cancel()
        return await ledger.woken()

    assert run_virtually(ask()) == {(A, "u")}


async def test_no_process_that_says_that_it_waits_loses_its_place_to_another() -> None:
    store = CountingStore()
    names = [f"replica-{number}" for number in range(8)]

    await asyncio.gather(*[register(store, "u", name) for name in names])

    assert sorted(await listed(store, "u")) == names
    assert store.seconds_left("waiters", "u") == EXPIRE_SECONDS


async def test_a_process_that_still_waits_stays_listed() -> None:
    store = CountingStore()
    await register(store, "u", A)
    store.now = EXPIRE_SECONDS - 1
    await renew(store, "u", A)
    assert (await listed(store, "u"), store.seconds_left("waiters", "u")) == ([A], EXPIRE_SECONDS)

    store.now += EXPIRE_SECONDS + 1
    assert await listed(store, "u") == []
    await renew(store, "u", A)
    assert await listed(store, "u") == [A]


def test_the_list_does_not_grow_without_bound() -> None:
    names: list[str] = []
    for number in range(3 * MAX_WAITERS):
        names = with_waiter(names, str(number))

    assert names == [str(number) for number in range(2 * MAX_WAITERS, 3 * MAX_WAITERS)]
    assert with_waiter(names, names[0]) == [*names[1:], names[0]]
