"""Long answers are made in steps: between them the loop does what others have asked for."""

import asyncio
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any

from tests.store.memory import MemoryDatastore

from zerog.ledger.codec import write_record
from zerog.ledger.jobs import Kept
from zerog.ledger.reports import Backlog, Reports
from zerog.model import events, life
from zerog.model.limits import LINES_PER_CHUNK
from zerog.model.record import JobRecord, WorkerIdentity, new_job_id
from zerog.store.port import JobFilter
from zerog_api.core import views

CHUNKS = 8


async def rounds_of(work: Coroutine[Any, Any, object]) -> int:
    """Return how often others had the loop while something was made."""
    task, rounds = asyncio.create_task(work), 0
    while not task.done():
        rounds += 1
        await asyncio.sleep(0)
    await task
    return rounds


async def store_job(store: MemoryDatastore) -> Kept:
    now = datetime.now(UTC)
    record = JobRecord(new_job_id(), "Mail", "mail", now, now, parameters={})
    record = life.step(record, events.Claimed(WorkerIdentity("me"), 1), now).record
    document = write_record(record)
    return Kept(record, await store.insert("jobs", record.uuid, document), document)


async def test_a_page_of_a_log_is_made_chunk_by_chunk() -> None:
    store = MemoryDatastore()
    kept = await store_job(store)
    reports = Reports(store, kept.record.uuid, 1, Backlog())
    for number in range(CHUNKS * LINES_PER_CHUNK):
        reports.take_line(datetime.now(UTC), "info", f"line {number}")
    await reports.flush()

    page = views.info(store, kept, views.BEGINNING, CHUNKS * LINES_PER_CHUNK)

    assert await rounds_of(page) > CHUNKS


async def test_a_listing_is_made_in_parts() -> None:
    store = MemoryDatastore()
    for _ in range(3 * views.JOBS_AT_ONCE):
        await store_job(store)
    page = await store.list_jobs(JobFilter(), limit=3 * views.JOBS_AT_ONCE)

    assert await rounds_of(views.summaries(page.jobs)) > 3
