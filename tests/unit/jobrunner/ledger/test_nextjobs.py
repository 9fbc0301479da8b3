"""How long the next job of a queue has been due."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace
from tests.queue.memory import MemoryQueue
from tests.store.memory import MemoryDatastore

from zerog.ledger.codec import write_record
from zerog.ledger.nextjobs import read_waits
from zerog.model.names import tube_name
from zerog.model.record import JobRecord, State, new_job_id

NOW = datetime(2026, 1, 31, 12, tzinfo=UTC)


@pytest.fixture
def store() -> MemoryDatastore:
    return MemoryDatastore()


@pytest.fixture
def queue() -> MemoryQueue:
    return MemoryQueue()


def job(seconds_ago: float, state: State = State.QUEUED) -> JobRecord:
    changed = NOW - timedelta(seconds=seconds_ago)
    return JobRecord(new_job_id(), "T", "media", changed, changed, state=state)


async def submit(
    store: MemoryDatastore, queue: MemoryQueue, record: JobRecord, priority: int = 5
) -> None:
    await store.upsert("jobs", record.uuid, write_record(record))
    await queue.put(tube_name(record.queue), record.uuid, priority=priority)


async def test_the_next_job_tells_how_long_it_has_been_due(
    store: MemoryDatastore, queue: MemoryQueue
) -> None:
    await submit(store, queue, job(70))
    await submit(store, queue, job(300), priority=9)
    delayed = replace(job(500), queue="audio", not_before_time=NOW - timedelta(seconds=20))
    await submit(store, queue, delayed)

    waits = await read_waits(store, queue, ["audio", "empty", "media"], NOW)

    assert waits == {"audio": 20.0, "empty": 0.0, "media": 70.0}


@pytest.mark.parametrize("body", ["not a uuid", new_job_id()], ids=["no uuid", "no job"])
async def test_a_queue_whose_next_entry_has_no_job_is_unknown(
    store: MemoryDatastore, queue: MemoryQueue, body: str
) -> None:
    await queue.put(tube_name("media"), body)

    assert await read_waits(store, queue, ["media"], NOW) == {}


async def test_a_job_that_does_not_wait_or_cannot_be_read_is_unknown(
    store: MemoryDatastore, queue: MemoryQueue
) -> None:
    await submit(store, queue, job(70, State.CANCELLED))
    broken = replace(job(70), queue="audio")
    await submit(store, queue, broken)
    await store.upsert("jobs", broken.uuid, {"state": 5})

    assert await read_waits(store, queue, ["media", "audio"], NOW) == {}
