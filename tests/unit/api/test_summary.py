"""One replica looks at everything for all of them, and another one takes over."""

import asyncio
from typing import Any

import pytest
from tests.store.memory import MemoryDatastore

from zerog.model.errors import DatastoreUnavailableError, DocumentTooLargeError
from zerog_api.core.summary import SPARE_SECONDS, Summary

AGE_SECONDS = 2.0


class Clock:
    """What both the store and the replicas take for the time."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class SharedStore(MemoryDatastore):
    """A store that has no version, as one on another machine."""

    has_version = False
    refuses: Exception | None = None

    async def upsert(self, *arguments: Any, **more: Any) -> str:
        if self.refuses is not None:
            raise self.refuses
        return await super().upsert(*arguments, **more)


class Replica:
    """Takes looks, which it counts."""

    def __init__(self, store: MemoryDatastore, clock: Clock, name: str) -> None:
        self.looks = 0
        self._name = name
        self.summary = Summary(store, "overview", self._take, AGE_SECONDS, clock)

    async def _take(self) -> dict[str, Any]:
        self.looks += 1
        return {"by": self._name, "number": self.looks}


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> SharedStore:
    return SharedStore(clock)


async def test_the_first_that_is_asked_looks_and_the_others_read(
    store: SharedStore, clock: Clock
) -> None:
    a, b, c = (Replica(store, clock, name) for name in "abc")

    seen = [await each.summary.get() for each in (a, b, c)]

    assert seen == [{"by": "a", "number": 1}] * 3
    assert (a.looks, b.looks, c.looks) == (1, 0, 0)


async def test_the_holder_goes_on_while_it_is_asked(store: SharedStore, clock: Clock) -> None:
    a, b = Replica(store, clock, "a"), Replica(store, clock, "b")

    for _ in range(60):
        await a.summary.get()
        await b.summary.get()
        clock.now += 1.0

    assert (a.looks, b.looks) == (30, 0)


async def test_another_one_takes_over_from_a_holder_that_is_asked_no_more(
    store: SharedStore, clock: Clock
) -> None:
    a, b = Replica(store, clock, "a"), Replica(store, clock, "b")
    await a.summary.get()
    assert (await b.summary.get())["by"] == "a"

    clock.now += AGE_SECONDS + SPARE_SECONDS + 1

    assert (await b.summary.get())["by"] == "b"
    assert (await a.summary.get())["by"] == "b"
    assert (a.looks, b.looks) == (1, 1)


async def test_without_a_look_of_the_holder_each_takes_its_own(
    store: SharedStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def pass_by(seconds: float) -> None:
        clock.now += seconds

    monkeypatch.setattr(asyncio, "sleep", pass_by)
    assert await store.try_lock("summary-overview", "frozen", seconds=60.0)

    assert await Replica(store, clock, "a").summary.get() == {"by": "a", "number": 1}


@pytest.mark.parametrize("error", [DocumentTooLargeError("20 MiB"), DatastoreUnavailableError()])
async def test_a_look_that_cannot_be_written_is_told_all_the_same(
    store: SharedStore, clock: Clock, error: Exception
) -> None:
    store.refuses = error

    assert await Replica(store, clock, "a").summary.get() == {"by": "a", "number": 1}


async def test_a_store_on_this_machine_is_looked_at_directly(clock: Clock) -> None:
    store = MemoryDatastore(clock)
    a, b = Replica(store, clock, "a"), Replica(store, clock, "b")

    assert [(await each.summary.get())["by"] for each in (a, b)] == ["a", "b"]
    assert await store.scan("summaries") == {}
