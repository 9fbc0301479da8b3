"""The SQLite file itself: how it is made, refused, filled up and left behind."""

import asyncio
import contextlib
import resource
import shutil
import signal
import sqlite3
import stat
import time
from pathlib import Path

import pytest

from zerog.model.errors import (
    AmbiguousWriteError,
    DatastoreError,
    DatastoreUnavailableError,
)
from zerog.store import open_datastore
from zerog.store.port import JobFilter, OpenJob

#: The tables as the version before made them.
VERSION_1 = """
CREATE TABLE document (
    collection TEXT NOT NULL,
    key TEXT NOT NULL,
    revision INTEGER NOT NULL,
    body BLOB NOT NULL,
    expires REAL,
    state TEXT, type TEXT, queue TEXT, changed TEXT,
    PRIMARY KEY (collection, key)
) WITHOUT ROWID;
CREATE INDEX jobs_by_state ON document (state, key) WHERE collection = 'jobs';
CREATE INDEX jobs_by_type ON document (type, key) WHERE collection = 'jobs';
CREATE INDEX jobs_by_queue ON document (queue, state, key) WHERE collection = 'jobs';
CREATE INDEX by_expiry ON document (expires) WHERE expires IS NOT NULL;
CREATE TABLE counter (only INTEGER PRIMARY KEY CHECK (only = 1), revision INTEGER NOT NULL);
INSERT INTO counter VALUES (1, 1);
CREATE TABLE lease (name TEXT PRIMARY KEY, owner TEXT NOT NULL, expires REAL NOT NULL);
PRAGMA user_version = 1;
PRAGMA journal_mode = WAL;
"""


def url(path: Path) -> str:
    return f"sqlite:///{path}"


def files_with_content(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir() if file.stat().st_size}


def write_a_letter(path: Path) -> None:
    path.write_bytes(b"This is a letter to my aunt, and no database.\n" * 200)


async def test_folder_and_file_are_made_for_the_owner_only(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "store.db"

    store = await open_datastore(url(path))
    await store.insert("jobs", "key", {})
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    await store.close()

    assert modes["store.db"] == 0o600
    assert set(modes.values()) == {0o600}


async def test_a_relative_path_is_relative_to_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    store = await open_datastore("sqlite:///here/store.db")
    await store.close()

    assert (tmp_path / "here" / "store.db").is_file()


async def test_a_store_opened_again_has_everything(path: Path) -> None:
    store = await open_datastore(url(path))
    revision = await store.insert("jobs", "key", {"n": 1})
    await store.try_lock("repair", "me", seconds=60)
    await store.close()

    store = await open_datastore(url(path))
    stored = await store.get("jobs", "key")
    lease = await store.try_lock("repair", "you", seconds=60)
    later = await store.insert("jobs", "other", {})
    await store.close()

    assert stored is not None
    assert (stored.document, stored.revision) == ({"n": 1}, revision)
    assert lease is False
    assert later != revision


async def test_a_revision_is_not_used_again_by_a_later_process(path: Path) -> None:
    store = await open_datastore(url(path))
    first = await store.insert("jobs", "key", {})
    await store.remove("jobs", "key")
    await store.close()

    store = await open_datastore(url(path))
    second = await store.insert("jobs", "key", {})
    await store.close()

    assert first != second


async def test_after_close_the_file_alone_holds_everything(path: Path, tmp_path: Path) -> None:
    store = await open_datastore(url(path))
    await asyncio.gather(*(store.insert("jobs", f"key {n}", {"n": n}) for n in range(500)))
    await store.close()

    copy = tmp_path / "copy.db"
    shutil.copy(path, copy)

    assert files_with_content(tmp_path) == {"store.db", "copy.db"}
    connection = sqlite3.connect(copy)
    assert connection.execute("SELECT count(*) FROM document").fetchone() == (500,)
    connection.close()


async def test_a_closed_store_is_unavailable(path: Path) -> None:
    store = await open_datastore(url(path))
    await store.insert("jobs", "key", {})
    await store.close()

    with pytest.raises(DatastoreUnavailableError):
        await store.get("jobs", "key")
    with pytest.raises(DatastoreUnavailableError):
        await store.insert("jobs", "other", {})
    with pytest.raises(DatastoreUnavailableError):
        await store.ready()


async def test_a_file_of_a_newer_schema_is_refused_untouched(path: Path) -> None:
    store = await open_datastore(url(path))
    await store.close()
    connection = sqlite3.connect(path)
    (known,) = connection.execute("PRAGMA user_version").fetchone()
    connection.execute(f"PRAGMA user_version = {known + 1}")
    connection.close()

    with pytest.raises(DatastoreError, match="newer") as caught:
        await open_datastore(url(path))

    assert not caught.value.transient
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA user_version").fetchone() == (known + 1,)
    connection.close()


async def test_a_file_of_the_version_before_gets_the_indexes_of_a_new_one(tmp_path: Path) -> None:
    indexes = []
    for name, script in (("old.db", VERSION_1), ("new.db", "")):
        with contextlib.closing(sqlite3.connect(tmp_path / name)) as connection:
            connection.executescript(script)
            store = await open_datastore(url(tmp_path / name))
            await store.close()
            made = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'index'")
            indexes.append({name: " ".join((sql or "").split()) for name, sql in made})

    assert indexes[0] == indexes[1]


async def test_a_file_of_the_version_before_is_brought_up_to_date(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.executescript(VERSION_1)
    for key, body in (
        (
            "with",
            '{"uuid": "with", "state": "queued", "queue": "q", "entryId": 7, '
            '"notBeforeTime": "2025-05"}',
        ),
        ("without", '{"uuid": "without", "state": "queued", "queue": "q"}'),
        ("bad", "{"),
    ):
        connection.execute(
            "INSERT INTO document VALUES ('jobs', ?, 1, ?, NULL, 'queued', NULL, 'q', '2025')",
            (key, body.encode()),
        )
    connection.commit()
    connection.close()

    for _ in range(2):
        store = await open_datastore(url(path))
        everything = await store.list_jobs(JobFilter(queues=["q"], states=["queued"]))
        open_jobs = await store.open_jobs(limit=10)
        missing = await store.open_jobs(limit=10, without_entry_since="2026")
        due = await store.due_times(["q"], after="2025", until="2026", limit=10)
        await store.close()

        assert due == {"q": ["2025-05"]}
        assert [job.key for job in everything.jobs] == ["without", "with", "bad"]
        bad, without = OpenJob("bad", "2025"), OpenJob("without", "2025")
        assert open_jobs == [bad, OpenJob("with", "2025", 7), without]
        assert missing == [bad, without]


async def test_what_is_no_sqlite_file_is_refused_with_what_to_do(path: Path) -> None:
    write_a_letter(path)

    with pytest.raises(DatastoreError, match="restore") as caught:
        await open_datastore(url(path))

    assert not caught.value.transient
    assert str(path) in str(caught.value)


async def test_a_path_that_cannot_be_a_file_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    for path in (tmp_path, tmp_path / "file" / "store.db"):
        with pytest.raises(DatastoreUnavailableError, match=str(path)):
            await open_datastore(url(path), deadline_seconds=0.2)


async def test_a_full_disk_refuses_writes_and_heals(path: Path) -> None:
    """The limit for files of this process stands for the disk: both end in a failed write."""
    store = await open_datastore(url(path))
    await store.insert("jobs", "before", {})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (256 * 1024, hard))
    try:
        with pytest.raises((DatastoreUnavailableError, AmbiguousWriteError)) as caught:
            await store.insert("blobs", "big", {"text": "x" * 1024 * 1024}, durable=True)
        still_there = await store.get("jobs", "before")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, handler)

    assert str(path) in str(caught.value)
    assert still_there is not None
    await store.insert("blobs", "big", {"text": "x" * 1024 * 1024}, durable=True)
    await store.close()


async def test_a_lease_is_not_kept_by_a_clock_that_was_set_back(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = await open_datastore(f"sqlite:///{path}")
    assert await store.try_lock("repair", "who is gone", seconds=10)
    here = time.time

    monkeypatch.setattr(time, "time", lambda: here() - 3600)

    assert await store.try_lock("repair", "me", seconds=10)
    assert not await store.try_lock("repair", "you", seconds=10)
    await store.close()
