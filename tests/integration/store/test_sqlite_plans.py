"""Which index the SQLite store's listings use: what is cheap with ten jobs must be with a million.

The plans are asked of SQLite for the very statements that the store sends.
"""

import sqlite3
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path

import pytest

from zerog.store.port import JobFilter
from zerog.store.sqlite.store import SqliteDatastore

PRIMARY_KEY = "USING PRIMARY KEY (collection=?"
BY_STATE = "USING INDEX jobs_by_state (state=?"
BY_TYPE = "INDEX jobs_by_type (type=? AND state=?"
BY_QUEUE = "INDEX jobs_by_queue (queue=? AND state=?"
UNFINISHED = ["queued", "running", "waiting"]


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteDatastore]:
    opened = await SqliteDatastore.open(path, 5.0)
    await opened.insert("jobs", "key", {"state": "queued", "type": "T", "queue": "q"})
    yield opened
    await opened.close()


async def plans(store: SqliteDatastore, job_filter: JobFilter) -> dict[str, list[str]]:
    """The plans of a first page, a later page and a count."""
    cursor = await a_cursor(store)
    return {
        "first": await planned(store, store.list_jobs(job_filter)),
        "later": await planned(store, store.list_jobs(job_filter, cursor=cursor)),
        "count": await planned(store, store.count_jobs(job_filter)),
    }


async def planned(store: SqliteDatastore, call: Awaitable[object]) -> list[str]:
    statements: list[str] = []
    store._reader.set_trace_callback(statements.append)
    await call
    store._reader.set_trace_callback(None)
    assert statements
    connection = sqlite3.connect(store.path)
    found = [
        "; ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}"))
        for statement in statements
    ]
    connection.close()
    return found


async def a_cursor(store: SqliteDatastore) -> str:
    await store.upsert("jobs", "another key", {})
    cursor = (await store.list_jobs(JobFilter(), limit=1)).cursor
    assert cursor is not None
    return cursor


@pytest.mark.parametrize(
    ("job_filter", "index"),
    [
        (JobFilter(), PRIMARY_KEY),
        (JobFilter(states=["queued"]), BY_STATE),
        (JobFilter(states=UNFINISHED), BY_STATE),
        (JobFilter(types=["T"]), BY_TYPE),
        (JobFilter(types=["T", "U"]), BY_TYPE),
        (JobFilter(types=["T"], states=UNFINISHED), BY_TYPE),
        (JobFilter(queues=["q"]), BY_QUEUE),
        (JobFilter(queues=["q"], types=["T"]), BY_TYPE),
        (JobFilter(queues=["q"], states=["queued"]), BY_QUEUE),
        (JobFilter(queues=["q"], states=UNFINISHED), BY_QUEUE),
    ],
    ids=repr,
)
async def test_a_listing_uses_its_index(
    store: SqliteDatastore, job_filter: JobFilter, index: str
) -> None:
    found = await plans(store, job_filter)

    assert all(index in plan for plans in found.values() for plan in plans), found


@pytest.mark.parametrize(
    "job_filter",
    [
        JobFilter(),
        JobFilter(queues=["q"]),
        JobFilter(states=["queued"]),
        JobFilter(types=["T"]),
        JobFilter(types=["T"], states=["queued"]),
        JobFilter(queues=["q", "r"], states=UNFINISHED),
        JobFilter(types=["T", "U"], states=UNFINISHED, queues=["q", "r"]),
    ],
    ids=repr,
)
async def test_a_page_comes_sorted_from_the_index(
    store: SqliteDatastore, job_filter: JobFilter
) -> None:
    found = await plans(store, job_filter)

    assert not any("TEMP B-TREE" in plan for plans in found.values() for plan in plans), found


async def test_a_later_page_starts_at_its_cursor(store: SqliteDatastore) -> None:
    for job_filter in (JobFilter(), JobFilter(states=["queued"]), JobFilter(types=["T"])):
        found = await plans(store, job_filter)

        assert all("key<?" in plan for plan in found["later"]), found


async def test_repair_reads_indexes_and_no_document(store: SqliteDatastore) -> None:
    found = [
        await planned(store, store.open_jobs(after="a", limit=10)),
        await planned(store, store.open_jobs(after="a", limit=10, without_entry_since="2025")),
        await planned(store, store.count_open("2025")),
    ]

    assert found == [
        ["SEARCH document USING COVERING INDEX jobs_open (key>?)"],
        ["SEARCH document USING COVERING INDEX jobs_without_entry (key>?)"],
        ["SCAN document USING COVERING INDEX jobs_open; USE TEMP B-TREE FOR GROUP BY"],
    ]


async def test_jobs_of_a_version_are_counted_in_an_index(store: SqliteDatastore) -> None:
    of_queue = await planned(store, store.count_waiting([("q", "T", "aa")], limit=10))
    of_all = await planned(store, store.count_waiting([(None, "T", "aa")], limit=10))

    search = "SEARCH document USING COVERING INDEX jobs_by_version (type=? AND version=?"
    assert f"{search} AND queue=?" in of_queue[0]
    assert search in of_all[0]


async def test_due_times_are_read_in_order_from_an_index(store: SqliteDatastore) -> None:
    asked = store.due_times(["q"], after="2025", until="2026", limit=10)

    found = await planned(store, asked)

    assert found == [
        "SEARCH document USING COVERING INDEX jobs_due (queue=? AND due>? AND due<?)",
    ]


async def test_the_sweep_finds_what_has_expired_by_index(store: SqliteDatastore) -> None:
    connection = sqlite3.connect(store.path)
    found = connection.execute(
        "EXPLAIN QUERY PLAN SELECT collection, key FROM document "
        "WHERE expires IS NOT NULL AND expires < 1.0 LIMIT 10"
    ).fetchall()
    connection.close()

    assert "by_expiry" in found[0][3]
