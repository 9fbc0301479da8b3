"""The cause of a worker's death gets into the record of what it ran, whatever else there is."""

import asyncio
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest

from zerog.ledger.codec import read_record, write_record
from zerog.model import events, life
from zerog.model.record import Cause, JobRecord, State, WorkerIdentity, new_job_id
from zerog.store import open_datastore
from zerog.store.port import Datastore
from zerog_operator.pods import Ending
from zerog_operator.records import Records

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GONE = Ending("DeletionByTaintManager", "the node is lost", None, time=NOW.timestamp() + 60)


async def insert(store: Datastore, record: JobRecord) -> None:
    assert await store.insert("jobs", record.uuid, write_record(record))


async def read(store: Datastore, uuid: str) -> JobRecord:
    stored = await store.get("jobs", uuid)
    assert stored is not None
    return read_record(stored.document)


def running(worker: str) -> JobRecord:
    record = JobRecord(new_job_id(), "Noop", "media", NOW, NOW)
    return life.step(record, events.Claimed(WorkerIdentity(worker), 1), NOW).record


async def test_a_job_that_runs_is_found_behind_any_number_of_newer_ones(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'zerog.db'}"
    store, records = await open_datastore(url), Records(partial(open_datastore, url))
    lost, other = running("media-1"), running("media-2")
    await insert(store, lost)
    await insert(store, other)
    for _ in range(600):
        await insert(store, JobRecord(new_job_id(), "Noop", "media", NOW, NOW))

    assert await records.note_death("media-1", "NodeLost", GONE) == 1

    told = await read(store, lost.uuid)
    assert (told.attempts[0].cause, told.crashes) == (Cause.INTERRUPTED, 0)
    assert "NodeLost: the node is lost" in (told.attempts[0].message or "")
    assert (await read(store, other.uuid)).state is State.RUNNING
    await records.close()
    await store.close()


async def test_each_cause_is_charged_to_its_own_budget(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'zerog.db'}"
    store, records = await open_datastore(url), Records(partial(open_datastore, url))
    charged = {}
    for cause in ("Evicted", "Preempted", "NodeLost", "Deleted", "Crash", "OutOfMemory"):
        job = running(cause)
        await insert(store, job)
        await records.note_death(cause, cause, GONE)
        told = await read(store, job.uuid)
        charged[cause] = (told.attempts[0].cause, told.crashes)

    free = (Cause.INTERRUPTED, 0)
    assert charged == {
        "Evicted": free,
        "Preempted": free,
        "NodeLost": free,
        "Deleted": free,
        "Crash": (Cause.CRASH, 1),
        "OutOfMemory": (Cause.OUT_OF_MEMORY, 1),
    }
    await records.close()
    await store.close()


async def test_a_worker_of_the_same_name_that_came_later_is_not_meant(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'zerog.db'}"
    store, records = await open_datastore(url), Records(partial(open_datastore, url))
    job = running("media-1")
    await insert(store, job)
    before = Ending("Error", "exit code 1", 1, time=(NOW - timedelta(hours=1)).timestamp())

    assert await records.note_death("media-1", "Crash", before) == 0

    assert (await read(store, job.uuid)).state is State.RUNNING
    await records.close()
    await store.close()


async def test_a_lost_nodes_job_is_explained_when_somebody_else_has_taken_it_over(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path / 'zerog.db'}"
    store, records = await open_datastore(url), Records(partial(open_datastore, url))
    job = running("media-1")
    await insert(store, job)
    # Nobody knows whether its process is gone: it may still write.
    silent = Ending("DeletionByTaintManager", "the node is silent")
    assert await records.note_death("media-1", "NodeLost", silent) == 0
    await records.retry()
    stored = await store.get("jobs", job.uuid)
    assert stored is not None
    assert read_record(stored.document).state is State.RUNNING

    gone = life.step(job, events.Crashed(1, "its worker is gone"), NOW).record
    later = gone.not_before_time or datetime.now(UTC)
    taken = life.step(gone, events.Claimed(WorkerIdentity("media-2"), 1), later).record
    await store.replace("jobs", job.uuid, write_record(taken), stored.revision)
    await records.retry()

    told = await read(store, job.uuid)
    assert (told.attempts[0].cause, told.crashes) == (Cause.INTERRUPTED, 0)
    assert told.state is State.RUNNING
    await records.close()
    await store.close()


@pytest.mark.parametrize("attempts", ["none", [{}], [{"worker": {"name": []}}], 5])
async def test_a_record_that_cannot_be_read_keeps_no_other_from_its_cause(
    tmp_path: Path, attempts: object
) -> None:
    url = f"sqlite:///{tmp_path / 'zerog.db'}"
    store, records = await open_datastore(url), Records(partial(open_datastore, url))
    job = running("media-1")
    await insert(store, job)
    bad = write_record(running("media-1"))
    await store.insert("jobs", bad["uuid"], {**bad, "attempts": attempts})

    assert await records.note_death("media-1", "NodeLost", GONE) == 1

    await records.close()
    await store.close()


async def test_deaths_that_are_noted_at_once_share_a_datastore(tmp_path: Path) -> None:
    opened = []

    async def open_slowly() -> Datastore:
        opened.append(1)
        await asyncio.sleep(0)
        return await open_datastore(f"sqlite:///{tmp_path / 'zerog.db'}")

    records = Records(open_slowly)

    await asyncio.gather(*[records.note_death(name, "Crash", GONE) for name in ("a", "b")])

    assert len(opened) == 1
    await records.close()
