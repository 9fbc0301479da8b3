"""The cause of a worker's death gets into the record of what it ran, whatever else there is."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from zerog.ledger.codec import read_record, write_record
from zerog.model import events, life
from zerog.model.errors import DatastoreUnavailableError
from zerog.model.record import Cause, JobRecord, State, WorkerIdentity, new_job_id
from zerog.store import open_datastore
from zerog.store.port import Datastore
from zerog_operator.pods import Ending
from zerog_operator.records import MAX_DEATHS, PAUSE_SECONDS, YOUNG_PAUSE_SECONDS, Records

NOW = datetime(2026, 1, 1, tzinfo=UTC)
GONE = Ending("DeletionByTaintManager", "the node is lost", None, time=NOW.timestamp() + 60)


class Away:
    """A datastore that does not answer."""

    asked = 0

    async def jobs_of_workers(self, _: list[str]) -> list[str]:
        self.asked += 1
        raise DatastoreUnavailableError("no answer")


async def insert(store: Datastore, record: JobRecord) -> None:
    assert await store.insert("jobs", record.uuid, write_record(record))


async def read(store: Datastore, uuid: str) -> JobRecord:
    stored = await store.get("jobs", uuid)
    assert stored is not None
    return read_record(stored.document)


def running(worker: str) -> JobRecord:
    record = JobRecord(new_job_id(), "Noop", "media", NOW, NOW)
    return life.step(record, events.Claimed(WorkerIdentity(worker), 1), NOW).record


async def note(records: Records, store: Datastore, worker: str, cause: str, end: Ending) -> None:
    """Note a death and write it."""
    records.note_death(worker, cause, end)
    await records.work(store, time.monotonic())


async def test_a_job_that_runs_is_found_behind_any_number_of_newer_ones(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'zerog.db'}"
    store, records = await open_datastore(url), Records(kept=True)
    lost, other = running("media-1"), running("media-2")
    await insert(store, lost)
    await insert(store, other)
    for _ in range(600):
        await insert(store, JobRecord(new_job_id(), "Noop", "media", NOW, NOW))

    await note(records, store, "media-1", "NodeLost", GONE)

    told = await read(store, lost.uuid)
    assert (told.attempts[0].cause, told.crashes) == (Cause.INTERRUPTED, 0)
    assert "NodeLost: the node is lost" in (told.attempts[0].message or "")
    assert (await read(store, other.uuid)).state is State.RUNNING
    await store.close()


async def test_each_cause_is_charged_to_its_own_budget(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'zerog.db'}"
    store, records = await open_datastore(url), Records(kept=True)
    charged = {}
    for cause in ("Evicted", "Preempted", "NodeLost", "Deleted", "Crash", "OutOfMemory"):
        job = running(cause)
        await insert(store, job)
        await note(records, store, cause, cause, GONE)
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
    await store.close()


async def test_a_job_that_ran_out_of_memory_moves_to_the_larger_queue(tmp_path: Path) -> None:
    store = await open_datastore(f"sqlite:///{tmp_path / 'zerog.db'}")
    records, job = Records(kept=True), running("media-1")
    await insert(store, job)

    records.note_death("media-1", "OutOfMemory", GONE, larger_queue="media-large")
    await records.work(store, time.monotonic())

    told = await read(store, job.uuid)
    assert (told.queue, told.moved_from, told.state) == ("media-large", "media", State.QUEUED)
    assert told.attempts[0].cause is Cause.OUT_OF_MEMORY
    assert "OutOfMemory: the node is lost; moved from the queue media" in (told.message or "")
    await store.close()


async def test_a_worker_of_the_same_name_that_came_later_is_not_meant(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'zerog.db'}"
    store, records = await open_datastore(url), Records(kept=True)
    job = running("media-1")
    await insert(store, job)
    before = Ending("Error", "exit code 1", 1, time=(NOW - timedelta(hours=1)).timestamp())

    await note(records, store, "media-1", "Crash", before)

    assert (await read(store, job.uuid)).state is State.RUNNING
    await store.close()


async def test_a_lost_nodes_job_is_explained_when_somebody_else_has_taken_it_over(
    tmp_path: Path,
) -> None:
    url = f"sqlite:///{tmp_path / 'zerog.db'}"
    store, records = await open_datastore(url), Records(kept=True)
    job = running("media-1")
    await insert(store, job)
    # Nobody knows whether its process is gone: it may still write.
    silent = Ending("DeletionByTaintManager", "the node is silent")
    await note(records, store, "media-1", "NodeLost", silent)
    stored = await store.get("jobs", job.uuid)
    assert stored is not None
    assert read_record(stored.document).state is State.RUNNING

    gone = life.step(job, events.Crashed(1, "its worker is gone"), NOW).record
    later = gone.not_before_time or datetime.now(UTC)
    taken = life.step(gone, events.Claimed(WorkerIdentity("media-2"), 1), later).record
    await store.replace("jobs", job.uuid, write_record(taken), stored.revision)
    await records.work(store, time.monotonic() + PAUSE_SECONDS)

    told = await read(store, job.uuid)
    assert (told.attempts[0].cause, told.crashes) == (Cause.INTERRUPTED, 0)
    assert told.state is State.RUNNING
    await store.close()


@pytest.mark.parametrize("attempts", ["none", [{}], [{"worker": {"name": []}}], 5])
async def test_a_record_that_cannot_be_read_keeps_no_other_from_its_cause(
    tmp_path: Path, attempts: object
) -> None:
    url = f"sqlite:///{tmp_path / 'zerog.db'}"
    store, records = await open_datastore(url), Records(kept=True)
    job = running("media-1")
    await insert(store, job)
    bad = write_record(running("media-1"))
    await store.insert("jobs", bad["uuid"], {**bad, "attempts": attempts})

    await note(records, store, "media-1", "NodeLost", GONE)

    assert (await read(store, job.uuid)).attempts[0].cause is Cause.INTERRUPTED
    await store.close()


async def test_a_death_waits_until_a_datastore_has_heard_of_it(tmp_path: Path) -> None:
    store, records = await open_datastore(f"sqlite:///{tmp_path / 'zerog.db'}"), Records(kept=True)
    silent = Ending("DeletionByTaintManager", "the node is silent")
    for worker, ending in (("gone", GONE), ("silent", silent)):
        records.note_death(worker, "NodeLost", ending)
        assert records.is_waiting(worker)

    await records.work(store, time.monotonic())

    assert not records.is_waiting("gone")
    assert not records.is_waiting("silent")
    await store.close()


async def test_a_death_that_cannot_be_written_is_written_later() -> None:
    records = Records(kept=True)
    records.note_death("media-1", "Crash", GONE)
    store: Any = Away()

    with pytest.raises(DatastoreUnavailableError):
        await records.work(store, time.monotonic())

    assert records.is_waiting("media-1")
    assert store.asked == 1
    await records.work(store, time.monotonic())
    assert store.asked == 1  # not at once
    with pytest.raises(DatastoreUnavailableError):
        await records.work(store, time.monotonic() + YOUNG_PAUSE_SECONDS)
    assert store.asked == 2


def test_a_death_does_not_wait_for_ever_for_a_datastore_that_is_away(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("zerog_operator.records.REMEMBERED_SECONDS", 0.0)
    records = Records(kept=True)

    records.note_death("media-1", "Crash", GONE)

    assert not records.is_waiting("media-1")


def test_without_a_datastore_nothing_waits() -> None:
    records = Records(kept=False)

    records.note_death("media-1", "Crash", GONE)

    assert not records.is_waiting("media-1")


def test_no_more_deaths_wait_than_there_is_room_for(caplog: pytest.LogCaptureFixture) -> None:
    records = Records(kept=True)

    for number in range(MAX_DEATHS + 1):
        records.note_death(f"w{number}", "Crash", GONE)

    assert not records.is_waiting("w0")
    assert records.is_waiting("w1")
    assert records.is_waiting(f"w{MAX_DEATHS}")
    assert "the death of w0 gets into no record" in caplog.text
