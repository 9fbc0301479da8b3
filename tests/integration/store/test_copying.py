"""Everything in one datastore is copied into another, and a copy that broke off goes on."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.couchbase.process import CouchbaseServer
from tests.couchbase.scopes import configure, new_scope
from tests.store.memory import MemoryDatastore
from tests.store.opening import open_datastore

from zerog.cli.main import main
from zerog.ledger import controls
from zerog.ledger.codec import read_record, write_record
from zerog.ledger.copying import compare, copy_all
from zerog.model.documents import (
    ControlDocument,
    TypeDocument,
    input_key,
    log_key,
    output_key,
    write,
)
from zerog.model.errors import DatastoreUnavailableError
from zerog.model.limits import LINES_PER_CHUNK
from zerog.model.record import Attempt, Cause, JobRecord, State, WorkerIdentity, new_job_id
from zerog.store.port import Collection, Datastore, Document, JobFilter

NOW = datetime.now(UTC)
JOBS = 30


def finished(number: int) -> JobRecord:
    attempt = Attempt(1, WorkerIdentity("w"), NOW, NOW, Cause.SUCCEEDED)
    return JobRecord(
        uuid=new_job_id(), type="T", queue="q", created_time=NOW, changed_time=NOW,
        state=State.SUCCEEDED, result_code=200, finished_time=NOW, attempt=1,
        attempts=(attempt,), has_input_blob=True, output_blob_attempt=1, priority=number % 10,
    )  # fmt: skip


def queued() -> JobRecord:
    return JobRecord(uuid=new_job_id(), type="T", queue="q", created_time=NOW, changed_time=NOW)


async def fill(store: Datastore, jobs: int = JOBS) -> list[JobRecord]:
    """Finished jobs with everything beside them, and queued ones."""
    records = [finished(n) if n % 2 else queued() for n in range(jobs)]
    for record in records:
        if record.is_finished:
            await store.upsert("progress", record.uuid, {"attempt": 1, "completeness": 1.0})
            await store.insert("blobs", input_key(record.uuid), {"parameters": {"n": 1}})
            await store.insert("blobs", output_key(record.uuid, 1), {"data": "x" * 5000})
            for chunk in range(2):
                line = {"seq": chunk * LINES_PER_CHUNK, "message": f"line {chunk}"}
                await store.insert("events", log_key(record.uuid, 1, chunk), {"lines": [line]})
        await store.insert("jobs", record.uuid, write_record(record))
    await store.upsert("types", "T", write(TypeDocument("T", "q", {})))
    await store.insert("idempotency", "key", {"uuids": [records[0].uuid]})
    await controls.hold(store, ControlDocument("queue", "q", NOW, "ada", "no disk"))
    await controls.hold(store, ControlDocument("worker", "one"))
    return records


async def everything(
    store: Datastore, records: list[JobRecord]
) -> dict[tuple[str, str], Document | None]:
    """All documents of the jobs, by collection and key."""
    places: list[tuple[Collection, str]] = [("types", "T"), ("idempotency", "key")]
    places += [("controls", "queue::q")]
    for record in records:
        uuid = record.uuid
        places += [("jobs", uuid), ("progress", uuid), ("blobs", input_key(uuid))]
        places += [("blobs", output_key(uuid, 1))]
        places += [("events", log_key(uuid, 1, chunk)) for chunk in range(3)]
    found = {place: await store.get(*place) for place in places}
    return {place: item.document if item else None for place, item in found.items()}


@pytest.fixture
async def source(tmp_path: Path) -> AsyncIterator[Datastore]:
    store = await open_datastore(f"sqlite:///{tmp_path}/source.db")
    yield store
    await store.close()


@pytest.fixture
async def target(
    couchbase: CouchbaseServer, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Datastore]:
    configure(monkeypatch, couchbase)
    store = await open_datastore(couchbase.url(new_scope(couchbase)), deadline_seconds=30.0)
    yield store
    await store.close()


async def test_everything_gets_to_couchbase_and_back(source: Datastore, target: Datastore) -> None:
    records = await fill(source)
    seen: list[int] = []

    report = await copy_all(source, target, seen.append)
    back = MemoryDatastore()
    await copy_all(target, back, seen.append)

    assert (report.jobs, report.present, report.problems) == (JOBS, 0, [])
    assert sum(seen) == 2 * JOBS
    expected = await everything(source, records)
    assert await everything(target, records) == expected
    assert await everything(back, records) == expected
    assert await target.get("controls", "worker::one") is None
    for count in await compare(source, target):
        assert count.source == count.target


async def test_a_copy_that_broke_off_is_resumed(source: Datastore, target: Datastore) -> None:
    records = await fill(source)

    class Breaking(MemoryDatastore):
        writes = 0

        async def insert(self, *arguments: object, **options: object) -> str:
            self.writes += 1
            if self.writes == JOBS // 2:
                raise DatastoreUnavailableError("it went away")
            return await super().insert(*arguments, **options)  # type: ignore[arg-type]

    broken = Breaking()
    with pytest.raises(DatastoreUnavailableError):
        await copy_all(source, broken, lambda count: None)
    await asyncio.sleep(0)

    report = await copy_all(source, broken, lambda count: None)

    assert report.jobs + report.present == JOBS
    assert report.present > 0
    assert await everything(broken, records) == await everything(source, records)


async def test_what_the_target_has_newer_is_left_alone(
    source: Datastore, target: Datastore
) -> None:
    records = await fill(source)
    await copy_all(source, target, lambda count: None)
    newer = replace(records[0], priority=0, changed_time=NOW + timedelta(seconds=1))
    stored = await target.get("jobs", newer.uuid)
    assert stored is not None
    await target.replace("jobs", newer.uuid, write_record(newer), stored.revision)

    report = await copy_all(source, target, lambda count: None)

    assert (report.jobs, report.present) == (0, JOBS)
    stored = await target.get("jobs", newer.uuid)
    assert stored is not None
    assert read_record(stored.document) == newer


async def test_what_the_source_has_newer_is_copied_again(
    source: Datastore, target: Datastore
) -> None:
    records = await fill(source)
    await copy_all(source, target, lambda count: None)
    newer = replace(records[0], priority=0, changed_time=NOW + timedelta(seconds=1))
    stored = await source.get("jobs", newer.uuid)
    assert stored is not None
    await source.replace("jobs", newer.uuid, write_record(newer), stored.revision)

    report = await copy_all(source, target, lambda count: None)

    assert (report.jobs, report.present) == (1, JOBS - 1)


async def test_a_job_whose_retention_is_over_is_not_copied(source: Datastore) -> None:
    old = replace(finished(1), finished_time=NOW - timedelta(days=60))
    await source.insert("jobs", old.uuid, write_record(old))

    report = await copy_all(source, MemoryDatastore(), lambda count: None)

    assert (report.jobs, report.expired) == (0, 1)


async def test_a_copied_finished_job_expires_as_before(source: Datastore) -> None:
    record = finished(1)
    soon = replace(record, limits=replace(record.limits, retain_ok_seconds=3600.0))
    await source.insert("jobs", soon.uuid, write_record(soon))
    now = 0.0
    target = MemoryDatastore(clock=lambda: now)
    await copy_all(source, target, lambda count: None)
    assert await target.get("jobs", soon.uuid) is not None

    now = 3601.0

    assert await target.get("jobs", soon.uuid) is None


def test_the_command_tells_what_it_copied(
    couchbase: CouchbaseServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure(monkeypatch, couchbase)
    source = f"sqlite:///{tmp_path}/source.db"

    async def prepare() -> None:
        store = await open_datastore(source)
        await fill(store)
        await store.close()

    asyncio.run(prepare())
    target = couchbase.url(new_scope(couchbase))

    assert main(["datastore", "copy", source, target]) == 0
    first = capsys.readouterr().out
    assert main(["datastore", "copy", source, target]) == 0

    assert f"{JOBS} jobs copied, 0 already there" in first
    assert f"succeeded\t{JOBS // 2}\t{JOBS // 2}" in first
    assert f"0 jobs copied, {JOBS} already there" in capsys.readouterr().out


async def test_jobs_are_listed_in_the_target_as_in_the_source(
    source: Datastore, target: Datastore
) -> None:
    await fill(source)

    await copy_all(source, target, lambda count: None)

    for job_filter in (JobFilter(), JobFilter(states=["queued"])):
        listed = [item.document for item in (await source.list_jobs(job_filter)).jobs]
        assert [item.document for item in (await target.list_jobs(job_filter)).jobs] == listed


async def test_a_document_that_cannot_be_copied_is_reported_and_stops_no_other() -> None:
    source, target = MemoryDatastore(), MemoryDatastore()
    records = await fill(source)
    source.damage("jobs", "broken", b"{")
    source.damage("types", "broken", b"[]")
    source.damage("progress", records[1].uuid, b"5")
    odd = replace(records[3], finished_time=datetime(9999, 12, 31, tzinfo=UTC))
    await source.upsert("jobs", odd.uuid, write_record(odd))

    report = await copy_all(source, target, lambda count: None)

    assert report.jobs == JOBS
    assert sorted(problem.split(":")[0] for problem in report.problems) == sorted(
        ["job broken", "the type broken", f"progress {records[1].uuid}"]
    )
