"""Waiting at a store without a version: by messages, and by a look now and then."""

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.queue.memory import MemoryQueue
from tests.store.memory import MemoryDatastore
from tests.unit.operator.virtual_time import run_virtually

from zerog.ledger.jobs import Jobs
from zerog.ledger.stats import Stats
from zerog.ledger.waiters import EXPIRE_SECONDS, waiting
from zerog.model import events
from zerog.model.errors import DatastoreUnavailableError, QueueUnavailableError
from zerog.model.names import mailbox_tube_name
from zerog.model.record import JobRecord, WorkerIdentity, new_job_id
from zerog.queue.port import QueueConnection
from zerog.store.port import Collection, Document, Stored
from zerog_api.core import messages
from zerog_api.core.messages import LOOK_SECONDS, RENEW_SECONDS, Messages

ME = "me"
MANY = 1000
NOW = datetime(2026, 1, 1, tzinfo=UTC)
#: Of the loop.
ROUNDS = 20


class Store(MemoryDatastore):
    """A store without a version that counts what is asked of it, by virtual time."""

    has_version = False

    def __init__(self) -> None:
        super().__init__(lambda: asyncio.get_running_loop().time())
        self.asked = Counter[str]()
        self.away = False

    def _ask(self, what: str, count: int = 1) -> None:
        if self.away:
            raise DatastoreUnavailableError
        self.asked[what] += count

    async def get(self, collection: Collection, key: str) -> Stored | None:
        self._ask(f"get {collection}")
        return await super().get(collection, key)

    async def get_many(self, collection: Collection, keys: Sequence[str]) -> dict[str, Stored]:
        self._ask(f"get {collection}", len(keys))
        return await super().get_many(collection, keys)

    async def insert(
        self,
        collection: Collection,
        key: str,
        document: Document,
        *,
        durable: bool = False,
        expire_seconds: float | None = None,
    ) -> str:
        self._ask(f"insert {collection}")
        await asyncio.sleep(0.001)
        return await super().insert(collection, key, document, expire_seconds=expire_seconds)

    async def expire(self, collection: Collection, key: str, seconds: float) -> bool:
        self._ask(f"expire {collection}")
        return await super().expire(collection, key, seconds)


class World:
    """A process that waits, with its store and its queue."""

    def __init__(self) -> None:
        self.store, self.queue = Store(), MemoryQueue()
        self.is_reachable = True
        self.messages = Messages(self.store, ME, self._connect)

    async def _connect(self) -> QueueConnection:
        if not self.is_reachable:
            raise QueueUnavailableError
        return self.queue

    async def settle(self) -> None:
        """Let the first looks pass: those that find out what a document was like."""
        await asyncio.sleep(LOOK_SECONDS)

    def put(self, body: str) -> None:
        self.queue.add(body, mailbox_tube_name(ME))


async def soon() -> None:
    for _ in range(ROUNDS):
        await asyncio.sleep(0)


def test_a_message_wakes_those_who_wait_for_its_job_and_nobody_else() -> None:
    async def wait() -> tuple[bool, bool, bool]:
        world = World()
        changes = world.messages.changes
        async with changes("u") as one, changes("u") as two, changes("v") as other:
            await world.settle()
            for event in (one, two, other):
                event.clear()
            world.put("u")
            await soon()
            await world.messages.close()
            return one.is_set(), two.is_set(), other.is_set()

    assert run_virtually(wait()) == (True, True, False)


def test_messages_that_make_no_sense_wake_nobody_and_are_taken_off_the_tube() -> None:
    async def wait() -> tuple[bool, int]:
        world = World()
        async with world.messages.changes("u") as event:
            await world.settle()
            event.clear()
            for body in ("v", "x" * 1000, "\x00", "u\n"):
                world.put(body)
            await soon()
            await world.messages.close()
            return event.is_set(), len(world.queue.items)

    assert run_virtually(wait()) == (False, 0)


def test_the_own_changes_wake_at_once() -> None:
    async def wait() -> bool:
        world = World()
        async with world.messages.changes("u") as event:
            await world.settle()
            event.clear()
            world.messages.wake("u")
            await world.messages.close()
            return event.is_set()

    assert run_virtually(wait())


def test_the_store_says_that_somebody_waits_before_the_job_is_read() -> None:
    async def wait() -> list[Sequence[str]]:
        world = World()
        found: list[Sequence[str]] = []
        for _ in range(2):  # the second begins while the first is still being written down
            async with world.messages.changes("u"):
                stored = await world.store.get("waiters", "u")
                found.append(waiting(stored) if stored else ())
        await world.messages.close()
        return found

    assert run_virtually(wait()) == [[ME], [ME]]


def test_many_who_wait_for_one_job_say_so_once() -> None:
    async def wait() -> int:
        world = World()
        async with contextlib.AsyncExitStack() as stack:
            waits = [stack.enter_async_context(world.messages.changes("u")) for _ in range(100)]
            await asyncio.gather(*waits)
        for _ in range(100):  # and one after another
            async with world.messages.changes("u"):
                pass
        await world.messages.close()
        return world.store.asked["insert waiters"]

    assert run_virtually(wait()) == 1


def test_what_waits_long_stays_listed_and_what_left_does_not() -> None:
    async def wait() -> tuple[bool, bool]:
        world = World()
        async with world.messages.changes("u"):
            await asyncio.sleep(10 * EXPIRE_SECONDS)
            stays = await world.store.get("waiters", "u") is not None
        await asyncio.sleep(RENEW_SECONDS + EXPIRE_SECONDS + 1)
        return stays, await world.store.get("waiters", "u") is not None

    assert run_virtually(wait()) == (True, False)


def test_nothing_runs_when_nobody_waits() -> None:
    async def wait() -> tuple[int, int]:
        world = World()
        for _ in range(3):
            async with world.messages.changes("u"):
                during = len(asyncio.all_tasks())
            await asyncio.sleep(2 * RENEW_SECONDS)
        return during, len(asyncio.all_tasks())

    during, after = run_virtually(wait())

    assert during > after == 1


@pytest.mark.parametrize("is_reachable", [True, False])
def test_a_change_that_nobody_tells_of_is_seen_by_a_look(is_reachable: bool) -> None:
    async def wait() -> tuple[float, float]:
        world = World()
        world.is_reachable = is_reachable
        loop = asyncio.get_running_loop()
        await world.store.upsert("jobs", "u", {"state": "running"})
        passed: list[float] = []
        async with world.messages.changes("u") as event:
            for collection in ("progress", "jobs"):
                await world.settle()
                event.clear()
                await world.store.upsert(collection, "u", {"state": "succeeded"})
                began = loop.time()
                await event.wait()
                passed.append(loop.time() - began)
            await world.messages.close()
        return passed[0], passed[1]

    assert max(run_virtually(wait())) <= LOOK_SECONDS


def test_what_was_missed_without_a_connection_is_seen_once_there_is_one() -> None:
    async def wait() -> float:
        world = World()
        world.is_reachable = False
        async with world.messages.changes("u") as event:
            await world.settle()
            await world.settle()
            event.clear()
            await world.store.upsert("jobs", "u", {"state": "succeeded"})
            world.messages.missed()
            began = asyncio.get_running_loop().time()
            await event.wait()
            await world.messages.close()
            return asyncio.get_running_loop().time() - began

    assert run_virtually(wait()) <= LOOK_SECONDS / 10


async def read_while(what: Callable[[World], None]) -> int:
    """Return how many jobs are read in a minute in which something happens again and again."""
    world = World()
    async with contextlib.AsyncExitStack() as stack:
        for number in range(MANY):
            await stack.enter_async_context(world.messages.changes(str(number)))
        await world.settle()
        world.store.asked.clear()
        for _ in range(600):
            what(world)
            await asyncio.sleep(0.1)
        await world.messages.close()
    return world.store.asked["get jobs"]


def test_empty_messages_of_strangers_cost_no_look() -> None:
    quiet = run_virtually(read_while(lambda world: None))

    read = run_virtually(read_while(lambda world: world.put("")))

    assert abs(read - quiet) < quiet / 10


def test_a_connection_that_comes_and_goes_costs_a_look_in_a_while() -> None:
    quiet = run_virtually(read_while(lambda world: None))

    read = run_virtually(read_while(lambda world: world.messages.missed()))

    assert read <= 2 * quiet


def test_a_store_that_is_away_wakes_so_that_it_is_reported() -> None:
    async def wait() -> float:
        world = World()
        async with world.messages.changes("u") as event:
            await world.settle()
            event.clear()
            world.store.away = True
            began = asyncio.get_running_loop().time()
            await event.wait()
            await world.messages.close()
            return asyncio.get_running_loop().time() - began

    assert run_virtually(wait()) <= LOOK_SECONDS


def test_who_cannot_say_that_it_waits_waits_all_the_same_and_says_it_later() -> None:
    async def wait() -> bool:
        world = World()
        world.store.away = True
        async with world.messages.changes("u"):
            await world.settle()
            world.store.away = False
            await world.settle()
            await world.settle()
            await world.messages.close()
            return await world.store.get("waiters", "u") is not None

    assert run_virtually(wait())


class SlowStore(Store):
    """A store whose answers take any time, so that others do something in between."""

    def __init__(self, chance: random.Random) -> None:
        super().__init__()
        self._chance = chance

    async def _pass(self) -> None:
        for _ in range(self._chance.choice((0, 1, 5, 25))):
            await asyncio.sleep(0)

    async def get(self, collection: Collection, key: str) -> Stored | None:
        await self._pass()
        found = await super().get(collection, key)
        await self._pass()
        return found

    async def get_many(self, collection: Collection, keys: Sequence[str]) -> dict[str, Stored]:
        await self._pass()
        found = await super().get_many(collection, keys)
        await self._pass()
        return found

    async def insert(
        self, collection: Collection, key: str, document: Document, **options: Any
    ) -> str:
        await self._pass()
        revision = await MemoryDatastore.insert(self, collection, key, document, **options)
        await self._pass()
        return revision

    async def replace(
        self, collection: Collection, key: str, document: Document, revision: str, **options: Any
    ) -> str:
        await self._pass()
        new = await super().replace(collection, key, document, revision, **options)
        await self._pass()
        return new


async def see_the_end(chance: random.Random) -> bool:
    """Begin to wait at any moment of a job's end; whether the end is seen."""
    world = World()
    world.store = SlowStore(chance)
    world.messages = Messages(world.store, ME, world._connect)
    world.queue.heard = {mailbox_tube_name(ME)}
    jobs = Jobs(world.store, Stats(world.store))
    record = JobRecord(new_job_id(), "T", "default", NOW, NOW, parameters={})
    await jobs.insert(record)
    await jobs.apply(record.uuid, events.Claimed(WorkerIdentity("worker"), 1))
    await jobs.wakes.flush(world.queue)

    async def end() -> None:
        for _ in range(chance.randrange(60)):
            await asyncio.sleep(0)
        await jobs.apply(record.uuid, events.Returned(1))

    async with world.messages.changes("another"):  # its tube is heard already
        await soon()
        waking = asyncio.create_task(jobs.wakes.run(world.queue))
        ending = asyncio.create_task(end())
        async with world.messages.changes(record.uuid) as event:
            while not (await jobs.read(record.uuid)).record.is_finished:
                try:
                    async with asyncio.timeout(LOOK_SECONDS):
                        await event.wait()
                except TimeoutError:
                    return False
                event.clear()
    await ending
    waking.cancel()
    await world.messages.close()
    return True


def test_whenever_one_begins_to_wait_the_end_is_not_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "LOOK_SECONDS", 1e6)

    missed = [n for n in range(300) if not run_virtually(see_the_end(random.Random(n)))]

    assert not missed


def test_a_thousand_who_wait_ask_for_little_while_nothing_happens() -> None:
    seconds = 70.0

    async def wait() -> Counter[str]:
        world = World()
        for number in range(MANY):
            state = "running" if number % 10 == 0 else "queued"
            await world.store.upsert("jobs", str(number), {"state": state})
        async with contextlib.AsyncExitStack() as stack:
            for number in range(MANY):
                await stack.enter_async_context(world.messages.changes(str(number)))
            await world.settle()
            world.store.asked.clear()
            await asyncio.sleep(seconds)
            await world.messages.close()
            return world.store.asked

    asked = run_virtually(wait())

    # Each job is looked at every 4 to 5 seconds, and kept listed every 35.
    assert MANY * seconds / 5.1 <= asked["get jobs"] <= MANY * seconds / 3.7
    assert asked["get progress"] <= asked["get jobs"] / 9
    assert MANY * 1.5 <= asked["expire waiters"] <= MANY * 2.1
    assert set(asked) == {"get jobs", "get progress", "expire waiters"}
