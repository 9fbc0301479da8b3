"""`zerog datastore copy` as people use it: killed in its midst and run again, and what it says."""

import asyncio
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.couchbase.process import CouchbaseServer
from tests.couchbase.scopes import configure, new_scope
from tests.integration.store.test_copying import everything, fill
from tests.store.opening import open_datastore

from zerog.cli.main import main
from zerog.model.record import JobRecord
from zerog.store.port import JobFilter

#: For what has to happen some time; these machines are sometimes very slow.
PATIENCE_SECONDS = 100.0
#: So many that a copy can be killed in its midst: it reads 200 of them at a time.
MANY = 250


@pytest.fixture
def server(couchbase_server: CouchbaseServer, monkeypatch: pytest.MonkeyPatch) -> CouchbaseServer:
    configure(monkeypatch, couchbase_server)
    return couchbase_server


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/store.db"


def filled(url: str, jobs: int) -> list[JobRecord]:
    """Fill a store, and return what is in it."""

    async def prepare() -> list[JobRecord]:
        store = await open_datastore(url, deadline_seconds=PATIENCE_SECONDS)
        records = await fill(store, jobs)
        await store.close()
        return records

    return asyncio.run(prepare())


def count(url: str) -> int:
    """Return how many jobs a store has."""

    async def look() -> int:
        store = await open_datastore(url, deadline_seconds=PATIENCE_SECONDS)
        found = await store.count_jobs(JobFilter())
        await store.close()
        return found

    return asyncio.run(look())


def assert_same(one: str, other: str, records: list[JobRecord]) -> None:
    """Both stores have the same documents, all of them."""

    async def look() -> None:
        stores = [
            await open_datastore(url, deadline_seconds=PATIENCE_SECONDS) for url in (one, other)
        ]
        found = [await everything(store, records) for store in stores]
        for store in stores:
            await store.close()
        assert found[0] == found[1]

    asyncio.run(look())


@pytest.mark.parametrize("direction", ["to couchbase", "to sqlite"])
def test_a_copy_that_is_killed_goes_on_when_it_is_run_again(
    server: CouchbaseServer,
    sqlite: str,
    direction: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    couchbase = server.url(new_scope(server))
    source, target = (sqlite, couchbase) if direction == "to couchbase" else (couchbase, sqlite)
    records = filled(source, MANY)
    # What is beside finished jobs takes 20 s, in either direction; the others go at once.
    for opcode, collection in (("UPSERT", None), ("GET", "blobs"), ("GET", "events")):
        server.add_fault("delay", seconds=1.0, count=None, opcode=opcode, collection=collection)
    copy = subprocess.Popen([sys.executable, "-m", "zerog", "datastore", "copy", source, target])
    deadline = time.monotonic() + PATIENCE_SECONDS
    while count(target) == 0:
        assert copy.poll() is None
        assert time.monotonic() < deadline

    copy.send_signal(signal.SIGKILL)
    copy.wait(PATIENCE_SECONDS)
    server.clear_faults()
    there = count(target)
    assert 0 < there < MANY

    assert main(["datastore", "copy", source, target]) == 0
    said = capsys.readouterr().out
    assert f"{MANY - there} jobs copied, {there} already there" in said
    assert_same(source, target, records)


def test_a_progress_bar_is_shown_in_a_terminal(server: CouchbaseServer, sqlite: str) -> None:
    filled(sqlite, 30)
    ours, theirs = pty.openpty()
    command = ["datastore", "copy", sqlite, server.url(new_scope(server))]

    with subprocess.Popen(
        [sys.executable, "-m", "zerog", *command], stdout=subprocess.DEVNULL, stderr=theirs
    ) as process:
        os.close(theirs)
        shown = b"".join(everything_written(ours)).decode()
        assert process.wait(PATIENCE_SECONDS) == 0

    assert "30/30" in shown
    assert "\u2501" in shown  # the bar
    os.close(ours)


def everything_written(terminal: int) -> Iterator[bytes]:
    with suppress(OSError):  # what a terminal says at its end
        while part := os.read(terminal, 4096):
            yield part


def test_without_a_terminal_lines_tell_how_far_it_is(
    server: CouchbaseServer,
    sqlite: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    filled(sqlite, 30)
    monkeypatch.setattr("zerog.cli.datastore._PLAIN_STEP", 10)

    assert main(["datastore", "copy", sqlite, server.url(new_scope(server))]) == 0

    said = capsys.readouterr()
    assert "30 of 30 jobs" in said.err
    assert "of 30 jobs" not in said.out


def test_a_file_that_is_not_there_is_not_made_and_copied(
    server: CouchbaseServer, sqlite: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["datastore", "copy", sqlite, server.url(new_scope(server))]) == 2

    assert f"there is no file {tmp_path}/store.db to copy from" in capsys.readouterr().err
    assert list(tmp_path.glob("*.db")) == []


def test_a_target_that_goes_away_says_that_the_copy_goes_on(
    server: CouchbaseServer,
    sqlite: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("zerog.cli.datastore.DEADLINE_SECONDS", 2.0)
    filled(sqlite, 30)
    server.add_fault("silence", count=None, opcode="INSERT")

    assert main(["datastore", "copy", sqlite, server.url(new_scope(server))]) == 1

    said = capsys.readouterr().err
    assert "the copy has stopped: " in said
    assert "run the same command again: it resumes where it was" in said
    assert "Traceback" not in said


def test_a_target_without_collections_says_how_they_are_made(
    server: CouchbaseServer,
    sqlite: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("zerog.cli.datastore.DEADLINE_SECONDS", 2.0)
    filled(sqlite, 2)

    assert main(["datastore", "copy", sqlite, server.url("nothing-there")]) == 1

    assert "run `zerog datastore init`" in capsys.readouterr().err
