"""A slot whose next child takes longer to start than a batch may last."""

import asyncio
from datetime import UTC, datetime
from typing import Any

from zerog.child.handle import Child, Nursery
from zerog.ledger.claim import Claim, Claimer
from zerog.ledger.finish import Finisher
from zerog.ledger.stats import Stats
from zerog.model import life
from zerog.model.record import JobRecord, Limits, WorkerIdentity, new_job_id, to_document
from zerog.queue.beanstalk.connection import BeanstalkConnection
from zerog.queue.port import Entry
from zerog.settings import WorkerSettings
from zerog.store.memory import MemoryDatastore
from zerog.worker.batch import SPLIT_SECONDS
from zerog.worker.slot import Slot, SlotParts

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class SlowNursery(Nursery):
    """Starts a child only after every batch has been split."""

    async def fork(self) -> Child:
        await asyncio.sleep(2 * SPLIT_SECONDS)
        return Child(self)


class Queue(BeanstalkConnection):
    """A connection that notes what is given back."""

    def __init__(self) -> None:
        self.released: list[int] = []

    async def release(self, entry_id: int, **_: Any) -> bool:
        self.released.append(entry_id)
        return True


async def test_jobs_given_back_while_a_child_starts_are_not_looked_for_any_more() -> None:
    store, identity = MemoryDatastore(), WorkerIdentity("w")
    record = JobRecord(new_job_id(), "T", "default", NOW, NOW, priority=5, limits=Limits())
    claimed = life.step(record, life.Claimed(identity, 1), NOW).record
    revision = await store.insert("jobs", record.uuid, to_document(claimed))
    parts = SlotParts(
        WorkerSettings(jobs=("none",)),
        Claimer(store, identity, (), Stats(store)),
        Finisher(store, Stats(store)),
        SlowNursery([]),
        [],
    )
    slot, queue = Slot(0, parts), Queue()

    await slot._work(queue, [Claim(Entry(1, record.uuid), claimed, revision, {})])
    await slot._finished_writing()

    stored = await store.get("jobs", record.uuid)
    assert stored is not None
    assert stored.document["state"] == "queued"
    assert stored.document["attempts"][0]["cause"] == "interrupted"
    assert queue.released == [1]
