"""What a look at very many jobs costs: operations, not time. Pages decide, not jobs."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.couchbase.process import CouchbaseServer
from tests.couchbase.scopes import configure, new_scope
from tests.queue.memory import MemoryQueue
from tests.store.opening import open_datastore

from zerog.ledger.codec import write_record
from zerog.ledger.jobs import Jobs
from zerog.ledger.repair import PAGE, RepairReport, repair_once
from zerog.ledger.stats import Stats
from zerog.model.names import tube_name
from zerog.model.record import JobRecord, format_time, new_job_id
from zerog.store.port import Datastore
from zerog.store.sqlite.store import SqliteDatastore

JOBS = 20_000
QUEUES = 50
#: Every so many jobs one's entry is lost.
LOSS = 6000
AT_ONCE = 500
NOW = datetime.now(UTC)
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


class CountedQueue(MemoryQueue):
    """Knows how many entries were looked at, in how many calls."""

    def __init__(self) -> None:
        super().__init__()
        self.peeks: list[int] = []

    async def peek_many(self, entry_ids: Iterable[int]) -> dict[int, str]:
        numbers = list(entry_ids)
        self.peeks.append(len(numbers))
        return await super().peek_many(numbers)


async def fill(store: Datastore, queue: MemoryQueue) -> set[str]:
    """Store jobs that have entries, but for a few; return those whose entry is lost."""
    lost = set[str]()
    for start in range(0, JOBS, AT_ONCE):
        documents = []
        for n in range(start, start + AT_ONCE):
            uuid, name = new_job_id(), f"q{n % QUEUES}"
            entry = queue.add(uuid, tube_name(name))
            if n % LOSS == 1:
                del queue.items[entry]
                lost.add(uuid)
            documents.append(write_record(JobRecord(uuid, "T", name, BEGIN, BEGIN, entry_id=entry)))
        await asyncio.gather(*[store.insert("jobs", each["uuid"], each) for each in documents])
    return lost


async def full_pass(store: Datastore, queue: MemoryQueue) -> RepairReport:
    return await repair_once(Jobs(store, Stats(store)), queue)


async def test_couchbase_is_asked_for_pages(
    couchbase_server: CouchbaseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    configure(monkeypatch, couchbase_server)
    url = couchbase_server.url(new_scope(couchbase_server))
    store, queue = await open_datastore(url, deadline_seconds=60.0), CountedQueue()
    lost = await fill(store, queue)

    async def asked(work: Callable[[], Awaitable[object]]) -> Counter[str]:
        couchbase_server.reset_counters()
        await work()
        found = couchbase_server.counters()
        return Counter(
            {name: n for name, n in found.items() if name in ("QUERY", "GET", "REPLACE")}
        )

    before = format_time(NOW)
    await store.count_open(before)  # the indexes are looked at once
    quick = await asked(lambda: repair_once(Jobs(store, Stats(store)), queue, full=False))
    count = await asked(lambda: store.count_open(before))
    deaths = await asked(lambda: store.jobs_of_workers(["dead", "gone"]))
    report = RepairReport()

    async def look_through() -> None:
        nonlocal report
        report = await full_pass(store, queue)

    full = await asked(look_through)
    counts = await store.count_open(before)
    await store.close()

    assert set(report.requeued) == lost
    assert report.checked == JOBS
    assert quick == {"QUERY": 1}
    assert count == {"QUERY": 1}
    assert deaths == {"QUERY": 1}
    assert counts == {f"q{n}": JOBS // QUEUES for n in range(QUEUES)}
    # The last page is empty; a query or two are for the types.
    assert 1 <= full.pop("QUERY") - (JOBS // PAGE + 1) <= 2
    assert full == {"GET": len(lost), "REPLACE": len(lost)}
    assert queue.peeks == [0] + [PAGE] * (JOBS // PAGE) + [0]


async def test_sqlite_is_asked_for_pages(path: Path) -> None:
    store, queue = await SqliteDatastore.open(path, 5.0), CountedQueue()
    lost = await fill(store, queue)
    statements: list[str] = []
    store._reader.set_trace_callback(statements.append)

    report = await full_pass(store, queue)

    store._reader.set_trace_callback(None)
    read = Counter(statement.split(" FROM ")[0] for statement in statements)
    await store.close()
    assert set(report.requeued) == lost
    assert report.checked == JOBS
    assert read["SELECT key, changed, entry"] == JOBS // PAGE + 1
    # One for each page in which something is lost, and one for the types.
    assert read["SELECT body, revision, key"] == len(lost) + 1
    assert queue.peeks == [PAGE] * (JOBS // PAGE) + [0]
