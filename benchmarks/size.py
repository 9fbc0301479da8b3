"""What the SQLite store's work costs with few jobs in the file, and with very many.

`python -m benchmarks.size` fills a file for each size and prints a table: steps of SQLite's virtual
machine, which repeat exactly, pages that go into the write-ahead log, and processor time. What is
flat costs the same in each column.
"""

import argparse
import asyncio
import sqlite3
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import uvloop
from msgspec import Struct

from zerog.ledger.codec import write_record
from zerog.ledger.jobs import Jobs, Kept
from zerog.ledger.stats import Stats
from zerog.model import events, life
from zerog.model.documents import TypeDocument
from zerog.model.record import JobRecord, WorkerIdentity, format_time, new_job_id
from zerog.store.port import JobFilter
from zerog.store.sqlite.store import SqliteDatastore
from zerog.store.sqlite.writer import SWEEP_ROWS

#: Queued and finished jobs in the file.
SIZES = ((1_000, 10_000), (100_000, 1_000_000))
TOGETHER = 1000
#: Measured writes, one after another: few enough that no checkpoint comes between.
WRITES = 40
#: One of so many finished jobs has failed, and one of so many has the label.
FAILED, LABELLED = 200, 1000
KEPT_SECONDS = 7 * 86_400.0
#: Steps that SQLite makes between two calls of what counts them.
STEPS = 10
#: A page and what the write-ahead log puts before it.
PAGE_BYTES = 4096 + 24
WORKER = WorkerIdentity("worker")
PAGES = {
    "a page of all jobs": JobFilter(),
    "a page of failed jobs": JobFilter(states=["failed"]),
    "a page of failed jobs of a queue": JobFilter(states=["failed"], queues=["q1"]),
    "a page of a type": JobFilter(types=["T1"]),
    "a page of a label": JobFilter(labels=["run=1"]),
    "a filter that nothing fits": JobFilter(states=["cancelled"], types=["T1"], queues=["q1"]),
}


class Cost(Struct):
    """What something cost; None: not counted."""

    microseconds: float
    steps: int | None = None
    pages: float | None = None

    def __str__(self) -> str:
        counted = [f"{self.steps:,} steps"] if self.steps is not None else []
        counted += [f"{self.pages:.1f} pages"] if self.pages is not None else []
        return ", ".join([*counted, f"{self.microseconds:,.0f} µs"])


class Full:
    """A file with jobs in it."""

    def __init__(self, path: Path, store: SqliteDatastore) -> None:
        self.store = store
        self.jobs = Jobs(store, Stats(store, worker=WORKER.name))
        self._path = path
        self._wal = path.with_name(f"{path.name}-wal")
        self._steps = 0

    async def fill(self, queued: int, finished: int) -> None:
        """Write jobs as they are stored."""
        for start in range(0, finished, TOGETHER):
            await asyncio.gather(*[self._finished(start + n) for n in range(TOGETHER)])
        for start in range(0, queued, TOGETHER):
            documents = [write_record(new_record(start + n)) for n in range(TOGETHER)]
            for number, each in enumerate(documents):
                each["entryId"] = start + number + 1  # known some seconds after a POST
            inserts = [self.store.insert("jobs", each["uuid"], each) for each in documents]
            await asyncio.gather(*inserts)

    async def _finished(self, number: int) -> None:
        end = events.Raised(1, "no") if number % FAILED == 0 else events.Returned(1, 200, {"n": 7})
        record = new_record(number, max_errors=1)
        for event in (events.Claimed(WORKER, number), end):
            record = life.step(record, event, datetime.now(UTC)).record
        document = write_record(record)
        await self.store.insert("jobs", record.uuid, document, expire_seconds=KEPT_SECONDS)

    async def read(self, work: Callable[[], Awaitable[object]]) -> Cost:
        """Measure something that only reads."""
        await work()
        self._steps = 0
        self.store._reader.set_progress_handler(self._count, STEPS)
        await work()
        self.store._reader.set_progress_handler(None, 0)
        before = time.process_time()
        for _ in range(5):
            await work()
        return Cost((time.process_time() - before) / 5 * 1e6, self._steps)

    def _count(self) -> int:
        self._steps += STEPS
        return 0

    async def writes(self, work: Callable[[int], Awaitable[object]]) -> Cost:
        """Measure something that writes, one after another."""
        other = sqlite3.connect(self._path)
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        other.close()
        before = time.process_time()
        for number in range(WRITES):
            await work(number)
        used = time.process_time() - before
        pages = self._wal.stat().st_size / PAGE_BYTES / WRITES
        return Cost(used / WRITES * 1e6, pages=pages)


def new_record(number: int, max_errors: int = 3) -> JobRecord:
    """Return a job as it is accepted."""
    kind = TypeDocument(f"T{number % 5}", f"q{number % 3}", {}, max_errors=max_errors)
    labels = {"run": "1"} if number % LABELLED == 0 else None
    now = datetime.now(UTC)
    return life.accept(
        uuid=new_job_id(), job_type=kind, parameters={"n": 7}, now=now, labels=labels
    )


async def measure(folder: Path, queued: int, finished: int) -> dict[str, object]:
    """Fill a file and measure everything."""
    path = folder / f"{finished}.db"
    store = await SqliteDatastore.open(path, 60)
    full = Full(path, store)
    await full.fill(queued, finished)
    found: dict[str, object] = await measure_job(full)
    for name, chosen in PAGES.items():
        found[name] = await full.read(partial(store.list_jobs, chosen, limit=100))
    found |= await measure_repair(full)
    found["clean up: 200 expired jobs"] = await measure_sweep(full)
    await store.close()
    before = time.process_time()
    store = await SqliteDatastore.open(path, 60)
    await store.ready()
    found["open the file"] = Cost((time.process_time() - before) * 1e6)
    await store.close()
    found["file, bytes a job"] = f"{path.stat().st_size / (queued + finished):,.0f}"
    path.unlink()
    return found


async def measure_job(full: Full) -> dict[str, object]:
    """Measure a job's way, one job at a time."""
    kept: dict[int, Kept] = {}

    async def insert(number: int) -> None:
        kept[number] = await full.jobs.insert(new_record(number))

    async def claim(number: int) -> None:
        uuid = kept[number].record.uuid
        await full.jobs.stats.note_claims([uuid], full.jobs.now())
        kept[number] = (await full.jobs.apply(uuid, events.Claimed(WORKER, 7), kept[number])).kept

    async def end(number: int) -> None:
        event = events.Returned(1, 200, {"n": 7})
        await full.jobs.apply(kept[number].record.uuid, event, kept[number], bare=True)

    # An end after each claim: the notes of many claims would be long.
    inserted = await full.writes(insert)
    claimed = await full.writes(claim)
    return {
        "insert, durable": inserted,
        "claim, with its note": claimed,
        "end, durable": await full.writes(end),
        "read a job": await full.read(lambda: full.jobs.read(kept[0].record.uuid)),
    }


async def measure_repair(full: Full) -> dict[str, object]:
    """Measure what API and operator look for every few seconds or minutes."""
    store, now = full.store, datetime.now(UTC)
    soon, later = format_time(now), format_time(now + timedelta(hours=1))
    record = new_record(1)
    version = (str(record.queue), record.type, record.schema_hash)
    return {
        "repair: jobs without an entry": await full.read(
            lambda: store.open_jobs(limit=1000, without_entry_since=soon)
        ),
        "repair: 1,000 unfinished jobs": await full.read(lambda: store.open_jobs(limit=1000)),
        "repair: count unfinished jobs": await full.read(lambda: store.count_open(soon)),
        "jobs of a version that wait, up to 100": await full.read(
            lambda: store.count_waiting([version], limit=100)
        ),
        "jobs that are overdue": await full.read(lambda: store.overdue_jobs(soon, limit=100)),
        "jobs that fall due": await full.read(
            lambda: store.due_times(["q1"], after=soon, until=later, limit=100)
        ),
        "count failed jobs": await full.read(
            lambda: store.count_jobs(JobFilter(states=["failed"]))
        ),
    }


async def measure_sweep(full: Full) -> Cost:
    """Measure one look for what has expired, which finds as much as it removes at once."""
    page = await full.store.list_jobs(JobFilter(states=["succeeded"]), limit=SWEEP_ROWS)
    for stored in page.jobs:
        await full.store.expire("jobs", stored.key, -1)
    removing = full.store.writer.submit(
        lambda connection, _: full.store.writer._sweep(), durable=False
    )
    before = time.process_time()
    removed = await removing
    assert removed == SWEEP_ROWS
    return Cost((time.process_time() - before) * 1e6)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", nargs="+", default=[f"{q}:{f}" for q, f in SIZES])
    sizes = [tuple(map(int, text.split(":"))) for text in parser.parse_args().sizes]
    columns = []
    with tempfile.TemporaryDirectory() as folder:
        for queued, finished in sizes:
            columns.append(uvloop.run(measure(Path(folder), queued, finished)))
    print(" | ".join(["", *(f"{q:,} queued, {f:,} finished" for q, f in sizes)]))
    for name in columns[0]:
        print(" | ".join([name, *(str(column[name]) for column in columns)]), flush=True)


if __name__ == "__main__":
    main()
