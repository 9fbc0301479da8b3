"""Claims when the store falters between two steps."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from zerog.ledger.claim import Claim, Claimer
from zerog.ledger.stats import Stats
from zerog.model import life
from zerog.model.documents import input_key
from zerog.model.errors import AmbiguousWriteError, DatastoreUnavailableError
from zerog.model.record import JobRecord, Limits, WorkerIdentity, new_job_id, to_document
from zerog.queue.beanstalk.connection import BeanstalkConnection
from zerog.queue.port import Entry
from zerog.store.memory import MemoryDatastore
from zerog.store.port import Collection, Document, Stored

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ENTRY_ID = 7


class Queue(BeanstalkConnection):
    """A connection that notes what is done with entries."""

    def __init__(self) -> None:
        self.done: list[str] = []

    async def delete(self, entry_id: int) -> bool:
        self.done.append("delete")
        return True


class FalteringStore(MemoryDatastore):
    """Away for blobs while `away`; the next write succeeds and says that it does not know."""

    away = False
    ambiguous = False

    async def get(self, collection: Collection, key: str) -> Stored | None:
        if self.away and collection == "blobs":
            raise DatastoreUnavailableError
        return await super().get(collection, key)

    async def replace(self, *arguments: Any, **options: Any) -> str:
        revision = await super().replace(*arguments, **options)
        if self.ambiguous:
            self.ambiguous = False
            raise AmbiguousWriteError
        return revision


def job(**changes: Any) -> JobRecord:
    limits = Limits(max_crashes=1, retain_failed_seconds=60)
    record = JobRecord(new_job_id(), "T", "default", NOW, NOW, priority=5, limits=limits)
    return replace(record, **changes)


async def claim(store: MemoryDatastore, uuid: str, queue: Queue | None = None) -> Any:
    claimer = Claimer(store, WorkerIdentity("w-2"), frozenset({"T"}), Stats(store))
    (result,) = await claimer.claim(queue or Queue(), [Entry(ENTRY_ID, uuid)])
    return result


async def state(store: MemoryDatastore, uuid: str) -> Document:
    stored = await store.get("jobs", uuid)
    assert stored is not None
    return stored.document


async def test_a_job_whose_parameters_cannot_be_read_now_stays_unclaimed() -> None:
    store, record = FalteringStore(), job(parameters=None, has_input_blob=True)
    await store.insert("jobs", record.uuid, to_document(record))
    await store.insert("blobs", input_key(record.uuid), {"parameters": {"a": 1}})
    store.away = True

    assert isinstance(await claim(store, record.uuid), DatastoreUnavailableError)

    assert (await state(store, record.uuid))["attempt"] == 0
    store.away = False
    claimed = await claim(store, record.uuid)
    assert claimed.parameters == {"a": 1}


async def test_a_claim_that_was_written_unknown_to_its_worker_is_its_own() -> None:
    store, record = FalteringStore(), job(parameters={})
    await store.insert("jobs", record.uuid, to_document(record))
    store.ambiguous = True

    claimed = await claim(store, record.uuid)

    assert isinstance(claimed, Claim)
    stored = await store.get("jobs", record.uuid)
    assert stored is not None
    assert claimed.revision == stored.revision
    assert claimed.record.attempt == 1


async def test_what_lies_beside_a_job_that_its_dead_worker_used_up_expires_with_it() -> None:
    clock = [0.0]
    store = MemoryDatastore(lambda: clock[0])
    running = life.step(job(parameters={}), life.Claimed(WorkerIdentity("w-1"), ENTRY_ID), NOW)
    uuid, queue = running.record.uuid, Queue()
    await store.insert("jobs", uuid, to_document(running.record))
    await store.upsert("progress", uuid, {"attempt": 1, "completeness": 0.5})

    assert await claim(store, uuid, queue) is None

    assert queue.done == ["delete"]
    assert (await state(store, uuid))["state"] == "failed"
    assert await store.get("progress", uuid) is not None
    clock[0] = 61.0
    assert await store.get("progress", uuid) is None


@pytest.mark.parametrize("known", [True, False])
async def test_the_claimer_takes_only_types_it_knows(known: bool) -> None:
    store, record = MemoryDatastore(), job(parameters={}, type="T" if known else "U")
    await store.insert("jobs", record.uuid, to_document(record))

    queue = Queue()
    queue.release = _released  # type: ignore[method-assign]

    assert isinstance(await claim(store, record.uuid, queue), Claim) is known


async def _released(*_: Any, **__: Any) -> bool:
    return True
