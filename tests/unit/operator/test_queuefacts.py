"""What is read of the pools' queues, and what stays known while it cannot be read."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from tests.store.memory import MemoryDatastore

from zerog.ledger import controls
from zerog.ledger.tally import SHARDS, minute_key, shard_key
from zerog.model.documents import ControlDocument, TypeDocument, WorkerDocument, write
from zerog.model.errors import DatastoreUnavailableError
from zerog.store.port import Collection, Stored
from zerog_operator.model import Facts, Pause
from zerog_operator.queuefacts import HOUR_SECONDS, PAUSES_SECONDS, QueueFacts

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Store(MemoryDatastore):
    """Can be away, and counts what is read."""

    away = False

    def __init__(self) -> None:
        super().__init__()
        self.read: list[tuple[str, int]] = []

    async def get_many(self, collection: Collection, keys: Sequence[str]) -> dict[str, Stored]:
        if self.away:
            raise DatastoreUnavailableError
        self.read.append((collection, len(keys)))
        return await super().get_many(collection, keys)


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def facts() -> QueueFacts:
    return QueueFacts(kept=True, wall=NOON.timestamp)


async def read(facts: QueueFacts, store: Store, now: float) -> Facts:
    """Ask for the queue, let everything be read, and return what is known then."""
    facts.of("media")
    await facts.read_pauses(store, now)
    await facts.read_hour(store, now)
    return facts.of("media")


async def count(store: Store, minutes_ago: float, started: int, failed: int = 0) -> None:
    key = shard_key(minute_key(NOON.timestamp() - 60 * minutes_ago), 0)
    counts = {"started": started, "w3": started, "failed": failed}
    await store.upsert("stats", key, {"media T": counts})


async def test_a_pause_is_known_with_who_and_why_and_so_is_its_end(
    facts: QueueFacts, store: Store
) -> None:
    await controls.hold(store, ControlDocument("queue", "media", NOON, "ann", "the disk is full"))
    assert facts.of("media").pause is None

    during = await read(facts, store, 0.0)
    await controls.lift(store, "queue", "media")
    after = await read(facts, store, PAUSES_SECONDS)

    assert during.pause == Pause(True, "since 2026-01-01T12:00:00Z by ann: the disk is full")
    assert after.pause == Pause(False)


async def test_pauses_are_read_now_and_then_and_at_once_for_a_queue_that_is_new(
    facts: QueueFacts, store: Store
) -> None:
    for second in range(int(PAUSES_SECONDS)):
        facts.of("media")
        await facts.read_pauses(store, second)
    assert store.read == [("controls", 1)]

    facts.of("audio")
    await facts.read_pauses(store, PAUSES_SECONDS - 1)

    assert store.read == [("controls", 1), ("controls", 2)]


async def test_a_pause_stays_known_while_it_cannot_be_read(facts: QueueFacts, store: Store) -> None:
    await controls.hold(store, ControlDocument("queue", "media"))
    await read(facts, store, 0.0)
    store.away = True

    with pytest.raises(DatastoreUnavailableError):
        await read(facts, store, PAUSES_SECONDS)

    assert facts.of("media").pause == Pause(True)
    store.away = False
    await controls.lift(store, "queue", "media")
    assert (await read(facts, store, PAUSES_SECONDS + 1)).pause == Pause(False)


async def test_the_last_hour_is_added_up_and_only_young_minutes_are_read_again(
    facts: QueueFacts, store: Store
) -> None:
    await count(store, 61, started=100)
    await count(store, 59, started=10)
    await count(store, 0, started=1, failed=2)

    first = await read(facts, store, 0.0)
    await count(store, 0, started=5)
    second = await read(facts, store, HOUR_SECONDS)

    assert first.hour is not None
    assert (first.hour["started"], first.hour["failed"]) == (11, 2)
    assert second.hour is not None
    assert second.hour["started"] == 15
    assert [number for what, number in store.read if what == "stats"] == [60 * SHARDS, 3 * SHARDS]


async def test_counts_that_cannot_be_read_are_unknown_and_late_ones_are_found_afterwards(
    facts: QueueFacts, store: Store
) -> None:
    await count(store, 30, started=1)
    await read(facts, store, 0.0)
    store.away = True
    with pytest.raises(DatastoreUnavailableError):
        await facts.read_hour(store, HOUR_SECONDS)
    assert facts.of("media").hour is None

    store.away = False
    await count(store, 30, started=7)
    found = await read(facts, store, 2 * HOUR_SECONDS)

    assert found.hour is not None
    assert found.hour["started"] == 7


async def test_a_queue_without_counts_had_no_jobs(facts: QueueFacts, store: Store) -> None:
    assert (await read(facts, store, 0.0)).hour == {}


async def test_the_types_that_no_worker_of_a_queue_knows_are_found_while_pools_ask(
    facts: QueueFacts, store: Store
) -> None:
    worker = WorkerDocument("a", ["media"], ["Crop"], 1, [], "running", NOON, NOON, 1)
    await store.upsert("workers", "a", write(worker))
    await store.upsert("types", "Scale", write(TypeDocument("Scale", "media", {})))
    await store.upsert("jobs", "1", {"type": "Scale", "queue": "media", "state": "waiting"})
    await facts.look_unserved(store, 0.0)
    assert facts.of("media").unserved is None

    await read(facts, store, 0.0)
    await facts.look_unserved(store, 0.0)

    assert facts.of("media").unserved == ("Scale",)
    assert facts.of("other").unserved is None


def test_without_a_datastore_no_queue_is_paused() -> None:
    assert QueueFacts(kept=False).of("media") == Facts(Pause(False))
