"""Copy everything from one datastore into another, whatever kinds they are.

A job's control document is copied last, after its progress, log lines and blobs: so a job
that the target has is there whole, and a copy that was broken off is resumed by running
it again. What the target has newer is left alone. A document that cannot be read, or that
the target refuses, is a problem of its own and stops no other. A queue that is paused is paused in
the target too, before its jobs are there. Workers with their controls, pools, statistics and leases
are not copied: they say what is now. Neither are queue entries: the reconciler puts back what has
none.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

from zerog.ledger import beside, controls
from zerog.ledger.codec import read_record
from zerog.model import due
from zerog.model.documents import UNREADABLE
from zerog.model.errors import (
    DatastoreError,
    DocumentExistsError,
    RevisionConflictError,
    UnreadableDocumentError,
)
from zerog.model.limits import UNFINISHED_SECONDS
from zerog.model.record import JobRecord, State
from zerog.store.port import Collection, Datastore, Document, JobFilter, Stored

PAGE = 200
#: Jobs that are copied at the same time.
CONCURRENCY = 32
#: A remembered Idempotency-Key does not say how long it had still to live.
IDEMPOTENCY_SECONDS = 86400.0


@dataclass(slots=True)
class CopyReport:
    """What was copied."""

    #: Jobs written to the target.
    jobs: int = 0
    #: Jobs that the target had already, the same or newer.
    present: int = 0
    #: Finished jobs whose retention has ended meanwhile.
    expired: int = 0
    #: Documents beside the jobs: progress, log lines, blobs, types, paused queues, remembered keys.
    beside: int = 0
    #: What could not be copied, and why.
    problems: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class StateCount:
    """How many jobs in a state each store has."""

    state: State
    source: int
    target: int


Seen = Callable[[int], None]


async def copy_all(source: Datastore, target: Datastore, seen: Seen) -> CopyReport:
    """Copy everything. `seen` is told how many jobs were looked at, again and again.

    Raises what the stores raise; then run it again.
    """
    report = CopyReport()
    for name, stored in (await source.scan("types", fresh=True)).items():
        with _reported(report, f"the type {name}"):
            await _write(target, "types", stored, None)
            report.beside += 1
    await _copy_pauses(source, target, report)
    await _copy_keys(source, target, report)
    async for page in _pages(source):
        there = await target.get_many("jobs", [job.key for job in page])
        await _copy_page(source, target, page, there, report)
        seen(len(page))
    return report


async def compare(source: Datastore, target: Datastore) -> list[StateCount]:
    """Count the jobs of both stores, state by state."""
    return [
        StateCount(
            state,
            await source.count_jobs(JobFilter(states=[state])),
            await target.count_jobs(JobFilter(states=[state])),
        )
        for state in State
    ]


async def _copy_pauses(source: Datastore, target: Datastore, report: CopyReport) -> None:
    for queue, control in (await controls.read_all(source)).queues.items():
        with _reported(report, f"the pause of the queue {queue}"):
            await controls.hold(target, control)
            report.beside += 1


async def _copy_keys(source: Datastore, target: Datastore, report: CopyReport) -> None:
    try:
        remembered = await source.scan("idempotency", fresh=True)
    except DatastoreError as error:
        report.problems.append(f"remembered Idempotency-Keys: {error}")
        return
    for key, stored in remembered.items():
        with _reported(report, f"the Idempotency-Key {key}"):
            if await _insert(target, "idempotency", key, stored.document, IDEMPOTENCY_SECONDS):
                report.beside += 1


async def _pages(source: Datastore) -> AsyncIterator[list[Stored]]:
    cursor: str | None = None
    while True:
        page = await source.list_jobs(JobFilter(), limit=PAGE, cursor=cursor, fresh=True)
        if page.jobs:
            yield page.jobs
        if page.cursor is None:
            return
        cursor = page.cursor


async def _copy_page(
    source: Datastore,
    target: Datastore,
    page: list[Stored],
    there: dict[str, Stored],
    report: CopyReport,
) -> None:
    free = asyncio.Semaphore(CONCURRENCY)

    async def one(stored: Stored) -> None:
        async with free:
            with _reported(report, f"job {stored.key}"):
                await _copy_job(source, target, stored.document, there.get(stored.key), report)

    await asyncio.gather(*[one(stored) for stored in page])


async def _copy_job(
    source: Datastore,
    target: Datastore,
    document: Document,
    there: Stored | None,
    report: CopyReport,
) -> None:
    record = read_record(document)
    if there is not None and read_record(there.document).changed_time >= record.changed_time:
        report.present += 1
        return
    seconds = _seconds_left(record, datetime.now(UTC))
    if seconds is not None and seconds <= 0:
        report.expired += 1
        return
    kept = UNFINISHED_SECONDS if seconds is None else seconds

    async def copy(collection: Collection, key: str) -> bool:
        stored = await source.get(collection, key)
        if stored is not None:
            with _reported(report, f"{collection} {key}"):
                await _write(target, collection, stored, kept)
                report.beside += 1
        return stored is not None

    await beside.each(record, copy)
    await _write_job(target, record, document, there, seconds)
    report.jobs += 1


async def _write_job(
    target: Datastore,
    record: JobRecord,
    document: Document,
    there: Stored | None,
    seconds: float | None,
) -> None:
    try:
        if there is None:
            await target.insert("jobs", record.uuid, document, durable=True, expire_seconds=seconds)
        else:
            await target.replace(
                "jobs", record.uuid, document, there.revision, durable=True, expire_seconds=seconds
            )
    except (DocumentExistsError, RevisionConflictError):
        pass  # the target is in use: what it has is newer


@contextlib.contextmanager
def _reported(report: CopyReport, what: str) -> Iterator[None]:
    """Report what is wrong with one thing; that a store is unavailable is everything's."""
    try:
        yield
    except DatastoreError as error:
        if error.transient:
            raise
        report.problems.append(f"{what}: {error}")


async def _write(
    target: Datastore, collection: Collection, stored: Stored, seconds: float | None
) -> None:
    if UNREADABLE in stored.document:
        raise UnreadableDocumentError(stored.document[UNREADABLE])
    await target.upsert(collection, stored.key, stored.document, expire_seconds=seconds)


async def _insert(
    target: Datastore, collection: Collection, key: str, document: Document, seconds: float
) -> bool:
    try:
        await target.insert(collection, key, document, expire_seconds=seconds)
    except DocumentExistsError:
        return False
    return True


def _seconds_left(record: JobRecord, now: datetime) -> float | None:
    """How long a job is still kept; None while it is not finished."""
    if not record.is_finished or record.finished_time is None:
        return None
    # Not the time of its end: that may be after the calendar's.
    return due.retention_seconds(record) - (now - record.finished_time).total_seconds()
