"""Several processes on one SQLite file: what was acknowledged stays, locks are survived."""

import asyncio
import sqlite3
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from zerog.model.errors import DatastoreUnavailableError
from zerog.store import open_datastore
from zerog.store.port import Datastore, JobFilter

SCRIPT = Path(__file__).with_name("store_process.py")
DEADLINE_SECONDS = 60.0
#: What the stores under test may wait for the write lock.
SHORT_SECONDS = 0.3
#: A collision at the start is a matter of microseconds: so many tries make one all but sure.
NEW_FILES = 30

Start = Callable[..., Awaitable[Process]]


@pytest.fixture
async def start(path: Path) -> AsyncIterator[Start]:
    """Start processes on the test's file; they end with the test."""
    started: list[Process] = []

    async def run(mode: str, *arguments: str) -> Process:
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(SCRIPT), mode, str(path), *arguments, stdin=PIPE, stdout=PIPE
        )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.returncode is None:
            process.kill()
        await process.communicate()


@pytest.fixture
async def store(path: Path) -> AsyncIterator[Datastore]:
    opened = await open_datastore(f"sqlite:///{path}", deadline_seconds=SHORT_SECONDS)
    yield opened
    await opened.close()


async def line(process: Process) -> str:
    assert process.stdout is not None
    text = await asyncio.wait_for(process.stdout.readline(), DEADLINE_SECONDS)
    return text.decode().strip()


async def say(process: Process, word: str = "") -> None:
    assert process.stdin is not None
    process.stdin.write(f"{word}\n".encode())
    await process.stdin.drain()


def stored_keys(path: Path) -> set[str]:
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    keys = {row[0] for row in connection.execute("SELECT key FROM document WHERE body != ''")}
    connection.close()
    return keys


async def test_processes_that_write_at_once_lose_nothing(start: Start, path: Path) -> None:
    count = 400

    processes = [await start("write", name, str(count)) for name in ("left", "right")]
    assert [await line(process) for process in processes] == ["done", "done"]

    store = await open_datastore(f"sqlite:///{path}")
    counted = await store.get("blobs", "counter")
    found = [await store.count_jobs(JobFilter(states=[name])) for name in ("left", "right")]
    await store.close()
    assert found == [count, count]
    assert counted is not None
    assert counted.document == {"n": 2 * count}


async def test_processes_that_start_at_once_on_a_new_file_all_succeed(
    start: Start, path: Path
) -> None:
    names = {f"process {n}" for n in range(4)}
    processes = [await start("start", name) for name in sorted(names)]
    assert {await line(process) for process in processes} == {"waiting"}

    for file in [f"-{n}" for n in range(NEW_FILES)]:
        await asyncio.gather(*(say(process, file) for process in processes))

        assert [await line(process) for process in processes] == ["done"] * len(names)
        assert stored_keys(Path(f"{path}{file}")) == names


async def test_what_a_killed_process_had_acknowledged_is_there(start: Start, path: Path) -> None:
    process = await start("acknowledge")
    acknowledged = {await line(process) for _ in range(500)}

    process.kill()
    assert process.stdout is not None
    rest = await asyncio.wait_for(process.stdout.read(), DEADLINE_SECONDS)
    acknowledged |= {text.decode() for text in rest.split(b"\n")[:-1]}

    store = await open_datastore(f"sqlite:///{path}")
    found = await store.get_many("jobs", sorted(acknowledged))
    await store.insert("jobs", "afterwards", {})
    await store.close()
    assert set(found) == acknowledged
    assert acknowledged | {"afterwards"} <= stored_keys(path)


async def test_a_killed_writer_does_not_stop_the_others(
    start: Start, store: Datastore, path: Path
) -> None:
    process = await start("acknowledge")
    await line(process)

    process.kill()
    await process.wait()

    for number in range(20):
        await store.insert("jobs", f"mine {number}", {})
    assert len([key for key in stored_keys(path) if key.startswith("mine")]) == 20


async def test_a_lock_held_beyond_the_deadline_makes_writes_unavailable_until_it_ends(
    start: Start, store: Datastore
) -> None:
    holder = await start("hold")
    assert await line(holder) == "held"

    begun = time.monotonic()
    with pytest.raises(DatastoreUnavailableError, match=rf"locked by process {holder.pid} \("):
        await store.insert("jobs", "meanwhile", {})
    waited_seconds = time.monotonic() - begun

    assert waited_seconds >= SHORT_SECONDS * 0.9
    await say(holder)
    assert await line(holder) == "released"
    await store.ready()
    await store.insert("jobs", "afterwards", {})
    assert set(await store.scan("jobs")) == {"afterwards"}


async def test_all_writes_of_a_locked_batch_are_told(start: Start, store: Datastore) -> None:
    holder = await start("hold")
    assert await line(holder) == "held"

    outcomes = await asyncio.gather(
        *(store.insert("jobs", f"key {n}", {}) for n in range(50)),
        store.ready(),
        return_exceptions=True,
    )

    assert {type(outcome) for outcome in outcomes} == {DatastoreUnavailableError}


async def test_reads_go_on_while_a_write_waits_for_the_lock(start: Start, path: Path) -> None:
    store = await open_datastore(f"sqlite:///{path}", deadline_seconds=DEADLINE_SECONDS)
    await store.insert("jobs", "key", {"n": 1})
    holder = await start("hold")
    assert await line(holder) == "held"

    writing = asyncio.ensure_future(store.insert("jobs", "other", {}))
    for _ in range(50):
        assert await store.get("jobs", "key") is not None
        await asyncio.sleep(0.001)

    assert not writing.done()
    await say(holder)
    assert await writing
    await store.close()


async def test_a_lock_that_ends_within_the_deadline_is_waited_for(start: Start, path: Path) -> None:
    store = await open_datastore(f"sqlite:///{path}", deadline_seconds=DEADLINE_SECONDS)
    holder = await start("hold")
    assert await line(holder) == "held"

    writing = asyncio.ensure_future(store.insert("jobs", "key", {}))
    await say(holder)

    assert await asyncio.wait_for(writing, DEADLINE_SECONDS)
    await store.close()


async def test_what_another_process_writes_is_read_and_changes_the_version(
    start: Start, store: Datastore
) -> None:
    before = await store.version()

    process = await start("start", "theirs")
    await line(process)
    await say(process)
    assert await line(process) == "done"

    assert await store.version() != before
    assert set(await store.scan("jobs")) == {"theirs"}


async def test_a_lease_is_had_by_one_process(store: Datastore, path: Path) -> None:
    other = await open_datastore(f"sqlite:///{path}")

    got = [await store.try_lock("repair", "me", seconds=60)]
    got.append(await other.try_lock("repair", "you", seconds=60))

    await other.close()
    assert got == [True, False]
