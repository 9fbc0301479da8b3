"""The writer of the SQLite store: group commit, durability and the sweep of what has expired."""

import asyncio
import math
import sqlite3
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from zerog.ledger.jobs import Jobs
from zerog.ledger.stats import Stats
from zerog.model import events
from zerog.model.documents import TypeDocument
from zerog.model.errors import DatastoreUnavailableError
from zerog.model.life import accept
from zerog.model.record import WorkerIdentity, new_job_id
from zerog.store.port import JobFilter
from zerog.store.sqlite import writer
from zerog.store.sqlite.store import SqliteDatastore

DEADLINE_SECONDS = 60.0


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteDatastore]:
    opened = await SqliteDatastore.open(path, 5.0)
    yield opened
    await opened.close()


@pytest.fixture
def commits(store: SqliteDatastore) -> list[str]:
    """The commits that the writer makes from now on."""
    seen: list[str] = []

    def note(statement: str) -> None:
        if statement == "COMMIT":
            seen.append(statement)

    store.writer._connection.set_trace_callback(note)
    return seen


def rows(path: Path) -> int:
    connection = sqlite3.connect(path)
    (count,) = connection.execute("SELECT count(*) FROM document").fetchone()
    connection.close()
    return int(count)


async def test_writes_that_arrive_together_share_a_commit(
    path: Path, store: SqliteDatastore, commits: list[str]
) -> None:
    lock = sqlite3.connect(path, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")

    writing = [
        asyncio.ensure_future(store.insert("jobs", f"key {n}", {"n": n}, durable=True))
        for n in range(1000)
    ]
    await asyncio.sleep(0)  # all have arrived, and the writer waits with those it has taken
    lock.execute("ROLLBACK")
    lock.close()
    await asyncio.gather(*writing)

    fewest = math.ceil(1000 / writer.MAX_BATCH)
    assert fewest <= len(commits) <= fewest + 1


async def test_a_lone_write_does_not_wait_for_company(
    store: SqliteDatastore, commits: list[str]
) -> None:
    for number in range(10):
        await store.insert("jobs", f"key {number}", {})

    assert len(commits) == 10


async def test_a_write_that_may_wait_shares_the_commit_of_the_next_one(
    store: SqliteDatastore, commits: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "COMPANY_SECONDS", DEADLINE_SECONDS)

    waiting = asyncio.ensure_future(store.upsert("progress", "key", {"n": 1}, may_wait=True))
    await asyncio.sleep(0)
    await store.upsert("progress", "key", {"n": 2})
    await waiting

    stored = await store.get("progress", "key")
    assert stored is not None
    assert stored.document == {"n": 2}  # in the order they came
    assert len(commits) == 1


async def test_a_write_that_may_wait_is_written_without_company(
    store: SqliteDatastore, commits: list[str]
) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        for _ in range(3):
            await store.upsert("progress", "key", {}, may_wait=True)

    assert len(commits) == 3


async def test_a_write_that_waits_for_company_is_written_at_the_end(
    path: Path, store: SqliteDatastore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "COMPANY_SECONDS", DEADLINE_SECONDS)

    waiting = asyncio.ensure_future(store.upsert("progress", "key", {}, may_wait=True))
    await asyncio.sleep(0)
    await store.close()
    await waiting

    assert rows(path) == 1


async def test_a_claim_and_the_note_before_it_are_one_commit(
    store: SqliteDatastore, commits: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "COMPANY_SECONDS", DEADLINE_SECONDS)
    stats = Stats(store, worker="worker")
    jobs = Jobs(store, stats)
    kept = await jobs.insert(
        accept(
            uuid=new_job_id(), job_type=TypeDocument("T", "q", {}), parameters={}, now=jobs.now()
        )
    )
    commits.clear()

    await stats.note_claims([kept.record.uuid], jobs.now())
    await jobs.apply(kept.record.uuid, events.Claimed(WorkerIdentity("worker"), 1), kept)

    assert len(commits) == 1
    assert len(await store.scan("tallies")) == 1


async def test_a_job_in_the_place_of_an_expired_one_is_found_by_its_labels(
    store: SqliteDatastore,
) -> None:
    await store.insert("jobs", "key", {"uuid": "key"})
    await store.expire("jobs", "key", -1)

    await store.insert("jobs", "key", {"uuid": "key", "labels": ["team=a"]})

    page = await store.list_jobs(JobFilter(labels=["team=a"]))
    assert [stored.key for stored in page.jobs] == ["key"]


async def test_each_write_of_a_commit_has_its_own_revision(store: SqliteDatastore) -> None:
    revisions = await asyncio.gather(*(store.insert("jobs", f"key {n}", {}) for n in range(600)))

    assert len(set(revisions)) == 600
    found = await store.scan("jobs")
    assert [found[f"key {n}"].revision for n in range(600)] == revisions


async def test_writes_are_done_in_the_order_they_came(store: SqliteDatastore) -> None:
    await asyncio.gather(*(store.upsert("progress", "key", {"n": n}) for n in range(600)))

    stored = await store.get("progress", "key")
    assert stored is not None
    assert stored.document == {"n": 599}


async def test_only_a_commit_with_a_durable_write_is_flushed_to_the_disk(
    store: SqliteDatastore,
) -> None:
    statements: list[str] = []
    await store.insert("jobs", "first", {})
    store.writer._connection.set_trace_callback(statements.append)

    await store.insert("jobs", "kept", {}, durable=True)
    await store.insert("jobs", "kept too", {}, durable=True)
    await store.insert("jobs", "light", {})
    await asyncio.gather(
        store.insert("jobs", "light too", {}),
        store.insert("jobs", "kept as well", {}, durable=True),
    )

    store.writer._connection.set_trace_callback(None)
    sync, seen = "NORMAL", []
    for statement in statements:
        if statement.startswith("PRAGMA synchronous = "):
            sync = statement.rpartition(" ")[2]
        elif statement.startswith("COMMIT"):
            seen.append(sync)
    assert seen[:3] == ["FULL", "FULL", "NORMAL"]
    assert seen[-1] == "FULL"


async def test_expired_documents_are_removed_in_small_steps(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "SWEEP_SECONDS", 0.02)
    monkeypatch.setattr(writer, "SWEEP_ROWS", 10)
    swept: list[int] = []
    sweep = writer.Writer._sweep

    def sweep_and_note(writer: writer.Writer) -> int:
        swept.append(sweep(writer))
        return swept[-1]

    monkeypatch.setattr(writer.Writer, "_sweep", sweep_and_note)
    store = await SqliteDatastore.open(path, 5.0)
    await asyncio.gather(
        *(store.insert("events", f"gone {n}", {}, expire_seconds=0.01) for n in range(100)),
        store.insert("events", "kept", {}),
        store.insert("events", "later", {}, expire_seconds=3600.0),
    )

    deadline = time.monotonic() + DEADLINE_SECONDS
    while (count := rows(path)) > 2:
        assert time.monotonic() < deadline, f"{count} documents were never swept"
        await asyncio.sleep(0.005)

    assert set(await store.scan("events")) == {"kept", "later"}
    await store.close()
    assert (sum(swept), max(swept)) == (100, 10)


async def test_close_ends_the_writer_thread(path: Path) -> None:
    before = set(threading.enumerate())
    store = await SqliteDatastore.open(path, 5.0)
    mine = {thread for thread in threading.enumerate() if thread.name == "sqlite-writer"} - before
    assert len(mine) == 1

    await store.close()

    assert not any(thread.is_alive() for thread in mine)


async def test_a_deadline_counts_from_when_a_write_was_asked_for(
    path: Path, store: SqliteDatastore
) -> None:
    lock = sqlite3.connect(path, isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    old = asyncio.get_running_loop().create_future()

    late = writer.Write(lambda connection, revision: None, False, old, time.monotonic() - 5.0)
    store.writer._queue.put([late])
    waiting = asyncio.ensure_future(store.insert("jobs", "young", {}))

    # It has waited behind others for long enough. Those that came later still wait.
    with pytest.raises(DatastoreUnavailableError, match="locked"):
        await asyncio.wait_for(old, DEADLINE_SECONDS)
    lock.execute("ROLLBACK")
    lock.close()
    assert await asyncio.wait_for(waiting, DEADLINE_SECONDS)
