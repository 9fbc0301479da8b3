"""Repair: compare datastore and queue, and put back what has no queue entry.

The record is the truth, an entry only says that somebody should look at it; so an entry too many is
harmless (the claim drops it) and an entry too few is what this module is for. A job that is not
finished should have a live entry: one that was accepted but never queued has none noted, one whose
server lost its disk has one noted that does not exist, or that belongs to another job (ids start
again), which the entry's body shows.

Each record, each tube and each entry stands for itself: one that cannot be read or put back is
reported, and the pass continues. Only a store or a queue that is unavailable ends a pass.

A pass reads what an index has of the jobs, in pages, and compares it with the queue. Only a job
that seems to lack its entry is read, and it is put back if it is still as the index has it.

`zerog.ledger.repairing` says when a pass is due, and sees to it that one process at a time repairs;
two would do no harm.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from zerog.ledger import types
from zerog.ledger.dispatch import put_back
from zerog.ledger.jobs import Jobs, Kept
from zerog.ledger.mailboxes import sweep
from zerog.ledger.tubes import find_queues
from zerog.model.errors import QueueRefusedError, UnreadableDocumentError, ZeroGError
from zerog.model.names import tube_name
from zerog.model.record import JobRecord, format_time
from zerog.queue.port import Entry, QueueConnection
from zerog.store.filtering import open_job
from zerog.store.port import Datastore, OpenJob

log = logging.getLogger(__name__)

#: A job without a noted entry that is younger than this may still be on its way to the queue, or
#: its entry is about to be noted (`zerog.ledger.dispatch`).
GRACE_SECONDS = 4.0
#: Jobs that are read from an index by one statement.
PAGE = 1000
#: Jobs that are put back at the same time.
PUT_AT_ONCE = 50
#: Buried entries looked at in one pass over a tube.
MAX_BURIED = 1000
#: A buried entry that names no job keeps no place before others.
LAST_PRIORITY = 9

#: Told the last UUID that a pass has looked at, after each page but the last.
Seen = Callable[[str], Awaitable[None]]


@dataclass(slots=True)
class RepairReport:
    """What one pass saw and did."""

    #: Records looked at.
    checked: int = 0
    #: UUIDs of jobs that were put back on their tube.
    requeued: list[str] = field(default_factory=list)
    #: Buried entries of unfinished jobs, which are ready again.
    kicked: list[str] = field(default_factory=list)
    #: Buried entries without a job, which stay buried.
    unknown: list[str] = field(default_factory=list)
    #: Buried entries of finished jobs, which were deleted.
    dropped: list[str] = field(default_factory=list)
    #: Records that cannot be read, and jobs that could not be put back.
    failed: list[str] = field(default_factory=list)


async def _forget(last: str) -> None:
    """Nobody wants to resume the pass."""


async def repair_once(
    jobs: Jobs,
    queue: QueueConnection,
    *,
    grace_seconds: float = GRACE_SECONDS,
    full: bool = True,
    after: str = "",
    seen: Seen = _forget,
) -> RepairReport:
    """Look at the unfinished jobs `after` a UUID, and put back those without a live queue entry.

    With `full` false only queued jobs without a noted entry are looked at and put back, however
    many wait. Without a noted entry a job is given `grace_seconds` to get one. Raises what store
    and queue raise when they are unavailable: a pass that sees only half must not decide.
    """
    report = RepairReport()
    before = format_time(datetime.now(UTC) - timedelta(seconds=grace_seconds))
    since = None if full else before
    while True:
        page = await jobs.store.open_jobs(after=after, limit=PAGE, without_entry_since=since)
        report.checked += len(page)
        missing = await _missing(queue, page, before)
        # What a server lost goes back together. The others, one by one, each looked at again: most
        # of them are being noted at this moment, unless there are very many.
        at_once = PUT_AT_ONCE if full or len(page) == PAGE else 1
        for start in range(0, len(missing), at_once):
            await _put_back(jobs, queue, missing[start : start + at_once], report, full=full)
        if len(page) < PAGE:
            break
        after = page[-1].uuid
        await seen(after)
    if full:
        await _unbury(jobs, queue, report)
        await sweep(queue)
    return report


async def _missing(queue: QueueConnection, page: Sequence[OpenJob], before: str) -> list[OpenJob]:
    """Return the jobs whose noted entry is not theirs, and the old ones that have none noted."""
    bodies = await queue.peek_many([job.entry_id for job in page if job.entry_id is not None])
    return [
        job
        for job in page
        if (job.changed <= before if job.entry_id is None else bodies.get(job.entry_id) != job.uuid)
    ]


async def _put_back(
    jobs: Jobs,
    queue: QueueConnection,
    missing: Sequence[OpenJob],
    report: RepairReport,
    *,
    full: bool,
) -> None:
    """Put jobs back whose entries were missing a moment ago, if they are still as they were seen.

    They are put in their order, and all of them at once.
    """
    found = await jobs.read_many([job.uuid for job in missing])
    unmoved: list[Kept] = []
    for job in missing:
        now = found.get(job.uuid)
        if isinstance(now, UnreadableDocumentError):
            # Full passes are rare: others would fill the log.
            log.log(logging.ERROR if full else logging.DEBUG, "%s", now)
            report.failed.append(job.uuid)
        elif now is not None and open_job(job.uuid, now.document) == job:
            unmoved.append(now)
        # One that has moved on has its entry with it; the next pass looks again.
    ended = await asyncio.gather(
        *[_put_one_back(jobs, queue, kept, report) for kept in unmoved], return_exceptions=True
    )
    for outcome in ended:
        if outcome is not None:
            raise outcome


async def _put_one_back(
    jobs: Jobs, queue: QueueConnection, kept: Kept, report: RepairReport
) -> None:
    uuid = kept.record.uuid
    with _reported(report, uuid, f"job {uuid} cannot be put back"):
        await put_back(jobs, queue, kept)
        report.requeued.append(uuid)


@contextlib.contextmanager
def _reported(report: RepairReport, name: str, what: str) -> Iterator[None]:
    """Report what is wrong with one thing; that store or queue are unavailable is everything's."""
    try:
        yield
    except Exception as error:
        # A queue that takes no entry now will take this one later.
        if isinstance(error, QueueRefusedError) or getattr(error, "transient", False):
            raise
        log.error("%s", what, exc_info=None if isinstance(error, ZeroGError) else error)
        report.failed.append(name)


async def _unbury(jobs: Jobs, queue: QueueConnection, report: RepairReport) -> None:
    """Look at the buried entries of our queues: of a live job, of a finished one, of none."""
    found = await find_queues(queue, await _queues_of_types(jobs.store))
    for tube in await queue.tube_stats_many([tube_name(name) for name in found.names]):
        with _reported(report, tube.name, f"buried entries of the tube {tube.name}"):
            for _ in range(min(tube.buried, MAX_BURIED)):
                entry = await queue.peek_buried(tube.name)
                if entry is None:
                    break
                await _look_at_buried(jobs, queue, entry, report)


async def _queues_of_types(store: Datastore) -> set[str]:
    return {job_type.queue for job_type, _ in (await types.read_all(store)).values()}


async def _look_at_buried(
    jobs: Jobs, queue: QueueConnection, entry: Entry, report: RepairReport
) -> None:
    record = await _record_of(jobs, entry)
    if record is None:
        report.unknown.append(entry.body)
        # Behind the others, so that it hides none of them.
        if (taken := await queue.reserve_entry(entry.id)) is not None:
            await queue.bury(taken.id, priority=LAST_PRIORITY)
    elif record.is_finished:
        await queue.delete(entry.id)
        report.dropped.append(entry.body)
    else:
        await queue.kick(entry.id)
        report.kicked.append(entry.body)


async def _record_of(jobs: Jobs, entry: Entry) -> JobRecord | None:
    """Return the job of an entry; None if there is none, or none that can be read."""
    found = (await jobs.read_many([entry.body])).get(entry.body)
    return found.record if isinstance(found, Kept) else None
