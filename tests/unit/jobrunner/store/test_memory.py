"""The memory store on a clock of the test's: what ends when, to the moment."""

import pytest
from tests.store.memory import MemoryDatastore

from zerog.model.errors import DocumentNotFoundError
from zerog.store.port import JobFilter, PatchOp


class Clock:
    """A clock that stands until the test moves it."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> MemoryDatastore:
    return MemoryDatastore(clock)


async def test_a_document_is_there_until_its_time_has_come(
    store: MemoryDatastore, clock: Clock
) -> None:
    await store.insert("jobs", "key", {}, expire_seconds=10.0)

    clock.now += 9.999
    assert await store.get("jobs", "key") is not None
    clock.now += 0.001
    assert await store.get("jobs", "key") is None
    assert await store.count_jobs(JobFilter()) == 0


async def test_a_patch_keeps_the_moment_of_expiry(store: MemoryDatastore, clock: Clock) -> None:
    await store.insert("jobs", "key", {}, expire_seconds=10.0)
    clock.now += 5.0
    await store.patch("jobs", "key", [PatchOp("set", ("a",), 1)])

    clock.now += 5.0

    with pytest.raises(DocumentNotFoundError):
        await store.patch("jobs", "key", [PatchOp("set", ("a",), 2)])


async def test_expire_counts_from_now(store: MemoryDatastore, clock: Clock) -> None:
    await store.insert("jobs", "key", {}, expire_seconds=10.0)
    clock.now += 5.0
    await store.expire("jobs", "key", 10.0)

    clock.now += 9.0
    assert await store.get("jobs", "key") is not None
    clock.now += 1.0
    assert await store.get("jobs", "key") is None


async def test_a_lease_is_held_until_it_runs_out(store: MemoryDatastore, clock: Clock) -> None:
    assert await store.try_lock("repair", "me", seconds=10.0)

    clock.now += 9.0
    assert not await store.try_lock("repair", "you", seconds=10.0)
    assert await store.try_lock("repair", "me", seconds=10.0)
    clock.now += 9.0
    assert not await store.try_lock("repair", "you", seconds=10.0)
    clock.now += 1.1
    assert await store.try_lock("repair", "you", seconds=10.0)
    assert not await store.try_lock("repair", "me", seconds=10.0)
