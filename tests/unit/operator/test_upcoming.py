"""Due times from the datastore: read for those who ask, and kept while they are to come."""

import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from tests.store.memory import MemoryDatastore

from zerog.model.errors import DatastoreUnavailableError
from zerog.model.record import format_time
from zerog_operator.upcoming import (
    ASKED_SECONDS,
    HORIZON_SECONDS,
    LOOK_SECONDS,
    MAX_QUEUES,
    Upcoming,
)


class Store(MemoryDatastore):
    """A datastore that may be away, and knows what it was asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False
        self.asked: list[Sequence[str]] = []

    async def due_times(
        self, queues: Sequence[str], *, after: str, until: str, limit: int
    ) -> dict[str, list[str]]:
        """Answer, if it is there."""
        self.asked.append(queues)
        if self.away:
            raise DatastoreUnavailableError("away")
        return await super().due_times(queues, after=after, until=until, limit=limit)

    async def delay(self, key: str, seconds: float, queue: str = "media") -> float:
        """Keep a job that falls due then; return the moment."""
        due = datetime.now(UTC) + timedelta(seconds=seconds)
        job = {"state": "queued", "queue": queue, "notBeforeTime": format_time(due)}
        await self.insert("jobs", key, {"uuid": key, **job})
        return due.timestamp()


@pytest.fixture
def store() -> Store:
    return Store()


async def test_the_times_of_a_queue_are_known_after_it_was_asked_for(store: Store) -> None:
    late, soon = await store.delay("1", 60), await store.delay("2", 5)
    await store.delay("3", HORIZON_SECONDS + 60)
    await store.delay("4", 5, "other")
    await store.insert("jobs", "5", {"state": "queued", "queue": "media", "notBeforeTime": "2027"})
    upcoming = Upcoming()

    before = upcoming.times("media", delayed=3)
    await upcoming.work(store, time.monotonic())

    assert before is None
    assert upcoming.times("media", delayed=3) == (soon, late)


async def test_a_queue_without_delayed_entries_costs_nothing(store: Store) -> None:
    upcoming = Upcoming()

    found = upcoming.times("media", delayed=0)
    await upcoming.work(store, time.monotonic())

    assert found == ()
    assert store.asked == []


async def test_it_reads_every_few_seconds_and_at_once_for_a_new_queue(store: Store) -> None:
    upcoming, now = Upcoming(), time.monotonic()
    upcoming.times("media", delayed=1)

    await upcoming.work(store, now)
    await upcoming.work(store, now + 1)
    upcoming.times("other", delayed=1)
    await upcoming.work(store, now + 1.5)
    await upcoming.work(store, now + 1.5 + LOOK_SECONDS)

    assert store.asked == [["media"], *[["media", "other"]] * 2]


async def test_a_queue_that_nobody_asks_for_any_more_is_forgotten(store: Store) -> None:
    await store.delay("1", 5)
    upcoming, now = Upcoming(), time.monotonic()
    upcoming.times("media", delayed=1)
    await upcoming.work(store, now)

    await upcoming.work(store, now + 2 * ASKED_SECONDS)

    assert len(store.asked) == 1
    assert upcoming.times("media", delayed=1) is None


async def test_what_was_read_stays_while_the_datastore_is_away(store: Store) -> None:
    due = await store.delay("1", 60)
    upcoming, now = Upcoming(), time.monotonic()
    upcoming.times("media", delayed=1)
    await upcoming.work(store, now)
    store.away = True

    with pytest.raises(DatastoreUnavailableError):
        await upcoming.work(store, now + LOOK_SECONDS)
    await upcoming.work(store, now + LOOK_SECONDS + 1)

    assert upcoming.times("media", delayed=1) == (due,)
    assert len(store.asked) == 2


async def test_many_queues_are_read_in_parts(store: Store) -> None:
    upcoming = Upcoming()
    for number in range(2 * MAX_QUEUES + 1):
        upcoming.times(f"q{number}", delayed=1)

    await upcoming.work(store, time.monotonic())

    assert list(map(len, store.asked)) == [MAX_QUEUES, MAX_QUEUES, 1]
