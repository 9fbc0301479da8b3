"""Waiting at a store with a version: nobody misses a change, and many who wait cost little."""

import asyncio
import contextlib

import pytest
from tests.store.memory import MemoryDatastore
from tests.unit.operator.virtual_time import run_virtually

from zerog.model.errors import DatastoreUnavailableError
from zerog.queue.port import QueueConnection
from zerog_api.core.versions import Versions
from zerog_api.core.watch import Watch

DEADLINE_SECONDS = 20.0
MANY = 2000


class BusyStore(MemoryDatastore):
    """A store in which something changes all the time, or whose version cannot be read."""

    def __init__(self, *, readable: bool) -> None:
        super().__init__()
        self.readable, self.asked = readable, 0

    async def version(self) -> str | None:
        self.asked += 1
        if not self.readable:
            raise DatastoreUnavailableError
        return str(self.asked)


async def no_queue() -> QueueConnection:
    raise AssertionError("a store with a version needs no messages")


def watch_of(store: MemoryDatastore) -> Watch:
    return Watch(store, "me", no_queue)


async def test_a_change_before_the_first_look_is_seen() -> None:
    store = MemoryDatastore()
    versions = Versions(store)
    async with versions.changes("u") as other, versions.changes("u") as changed:
        await asyncio.wait_for(other.wait(), DEADLINE_SECONDS)
        changed.clear()

        await store.upsert("progress", "u", {"completeness": 1})

        await asyncio.wait_for(changed.wait(), DEADLINE_SECONDS)


async def test_nothing_is_told_while_nothing_changes() -> None:
    versions = Versions(MemoryDatastore())
    async with versions.changes("u") as changed:
        await asyncio.wait_for(changed.wait(), DEADLINE_SECONDS)
        changed.clear()

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(changed.wait(), 0.1)


@pytest.mark.parametrize("readable", [True, False])
def test_many_who_wait_are_woken_less_often(readable: bool) -> None:
    async def looks(count: int) -> int:
        store = BusyStore(readable=readable)
        versions = Versions(store)
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(count):
                await stack.enter_async_context(versions.changes("u"))
            await asyncio.sleep(0.5)
            return store.asked

    few, many = run_virtually(looks(1)), run_virtually(looks(MANY))

    assert many <= 2
    assert few > many


def test_one_who_follows_looks_so_often_and_not_at_every_change() -> None:
    async def looks(seconds: float, pause: float) -> int:
        watch = watch_of(BusyStore(readable=True))
        end = asyncio.get_running_loop().time() + seconds
        return len([1 async for _ in watch.looks("u", pause_seconds=pause, until=end)])

    assert run_virtually(looks(10.0, 0.1)) <= 101
    assert run_virtually(looks(10.0, 1.0)) <= 11


def test_one_who_follows_what_does_not_change_gets_a_turn_now_and_then() -> None:
    async def turns(idle: float) -> int:
        watch = watch_of(MemoryDatastore())
        end = asyncio.get_running_loop().time() + 20
        looks = watch.looks("u", pause_seconds=0.1, idle_seconds=idle, until=end)
        return len([1 async for _ in looks])

    # Now, once because a new watch cannot know what has changed, and then every five seconds.
    assert 4 <= run_virtually(turns(5.0)) <= 6
    assert run_virtually(turns(float("inf"))) <= 3


async def test_one_who_follows_stops_when_told() -> None:
    end = asyncio.Event()
    seen = 0
    async for _ in watch_of(MemoryDatastore()).looks("u", end, pause_seconds=0.0):
        seen += 1
        end.set()

    assert seen == 1
