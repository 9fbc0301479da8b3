"""Repair: compare datastore and queue, and put back what has no queue entry.

The record is the truth, an entry only says that somebody should look at it; so an entry too many is
harmless (the claim drops it) and an entry too few is what this module is for. A job that is not
finished should have a live entry: one that was accepted but never queued has none noted, one whose
server lost its disk has one noted that does not exist, or that belongs to another job (ids start
again), which the entry's body shows.

Each record, each tube and each entry stands for itself: one that cannot be read or put back is
reported, and the pass continues. Only a store or a queue that is unavailable ends a pass. One
process at a time repairs (a lease in the datastore), but two would do no harm.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from zerog.ledger import types
from zerog.ledger.dispatch import put_back
from zerog.ledger.jobs import Jobs, Kept, read_all
from zerog.ledger.tubes import find_queues
from zerog.model.errors import QueueError, QueueRefusedError, ZeroGError
from zerog.model.names import tube_name, worker_name
from zerog.model.record import JobRecord, State, format_time
from zerog.queue.port import Entry, QueueConnection
from zerog.store.port import Datastore, JobFilter

log = logging.getLogger(__name__)

LEASE = "repair"
#: How often the background loop looks. A lost job waits about this long.
PERIOD_SECONDS = 2.0
LEASE_SECONDS = 10.0
#: A job without a noted entry that is younger than this may still be on its way to the queue, or
#: its entry is about to be noted (`zerog.ledger.dispatch`).
GRACE_SECONDS = 4.0
#: A new server is looked through again for this long: ids that the old one gave may still be noted.
SETTLE_SECONDS = 10.0
#: Every entry is looked up this often, even when nothing suggests a loss.
FULL_CHECK_SECONDS = 300.0
PAGE = 200
#: States of jobs that should have an entry.
OPEN_STATES = (State.QUEUED, State.RUNNING, State.WAITING)
#: Buried entries looked at in one pass over a tube.
MAX_BURIED = 1000
#: A buried entry that names no job keeps no place before others.
LAST_PRIORITY = 9

#: How a pass that found a queue connection closed gets another one.
Connect = Callable[[], Awaitable[QueueConnection]]


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


async def repair_once(
    jobs: Jobs, queue: QueueConnection, *, grace_seconds: float = GRACE_SECONDS, full: bool = True
) -> RepairReport:
    """Look at every unfinished job and put back those without a live queue entry.

    With `full` false only queued jobs without a noted entry are looked at and put back, however
    many wait. Without a noted entry a job is given `grace_seconds` to get one. Raises what store
    and queue raise when they are unavailable: a pass that sees only half must not decide.
    """
    report = RepairReport()
    before = datetime.now(UTC) - timedelta(seconds=grace_seconds)
    chosen = (
        JobFilter(states=OPEN_STATES)
        if full
        else JobFilter(
            states=(State.QUEUED,), changed_before=format_time(before), without_entry=True
        )
    )
    async for page in _pages(jobs.store, chosen, report, logging.ERROR if full else logging.DEBUG):
        bodies = await queue.peek_many(
            [kept.record.entry_id for kept in page if kept.record.entry_id is not None]
        )
        missing = [
            kept
            for kept in page
            if bodies.get(kept.record.entry_id or 0) != kept.record.uuid
            and (kept.record.entry_id is not None or kept.record.changed_time <= before)
        ]
        # What a server lost goes back together. The others, one by one, each looked at again: most
        # of them are being noted at this moment.
        for some in [missing] if full else [[kept] for kept in missing]:
            await _put_back(jobs, queue, some, report)
    if full:
        await _unbury(jobs, queue, report)
    return report


async def _pages(
    store: Datastore, chosen: JobFilter, report: RepairReport, level: int
) -> AsyncIterator[list[Kept]]:
    """Read jobs page by page. What cannot be read is logged at this level: full passes are rare."""
    cursor: str | None = None
    while True:
        page = await store.list_jobs(chosen, limit=PAGE, cursor=cursor)
        kept: list[Kept] = []
        for uuid, found in read_all(page.jobs).items():
            report.checked += 1
            if isinstance(found, Kept):
                kept.append(found)
            else:
                log.log(level, "%s", found)
                report.failed.append(uuid)
        yield kept
        if page.cursor is None:
            return
        cursor = page.cursor


async def _put_back(
    jobs: Jobs, queue: QueueConnection, missing: Sequence[Kept], report: RepairReport
) -> None:
    """Put jobs back whose entries were missing a moment ago, if they are still as they were seen.

    They are put in their order, and all of them at once.
    """
    found = await jobs.read_many([kept.record.uuid for kept in missing])
    # One that has moved on has its entry with it; the next pass looks again.
    unmoved = [
        now
        for seen in missing
        if isinstance(now := found.get(seen.record.uuid), Kept) and now.revision == seen.revision
    ]
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


@dataclass(slots=True)
class Background:
    """The loop that repairs while an API process runs."""

    jobs: Jobs
    connect: Connect
    owner: str = field(default_factory=worker_name)
    _queue: QueueConnection | None = None
    _server_id: str | None = None
    #: When the server was first seen, and when the last full pass began.
    _new_since: float = float("-inf")
    _last_full: float = float("-inf")
    #: By queue: entries that the last full pass could not put back, because of bad records.
    _hopeless: Mapping[str, int] = field(default_factory=dict)

    async def run(self) -> None:
        """Repair every few seconds until cancelled. It survives the absence of store and queue."""
        try:
            while True:
                try:
                    if await self.jobs.store.try_lock(LEASE, self.owner, seconds=LEASE_SECONDS):
                        await self._look(await self._connected())
                except ZeroGError as error:
                    log.warning("repair waits: %s", error)
                except Exception:  # repair must not end for a single thing that it stumbles over
                    log.exception("repair")
                await asyncio.sleep(PERIOD_SECONDS)
        finally:
            if self._queue is not None:
                with contextlib.suppress(QueueError):
                    await self._queue.close()

    async def _connected(self) -> QueueConnection:
        if self._queue is None or self._queue.closed:
            self._queue = None
            self._queue = await self.connect()
        return self._queue

    async def _look(self, queue: QueueConnection) -> None:
        now = asyncio.get_running_loop().time()
        server = await queue.server_id()
        if server != self._server_id:
            self._server_id, self._new_since = server, now
        full = (
            self._last_full < self._new_since + SETTLE_SECONDS
            or now - self._last_full >= FULL_CHECK_SECONDS
            or await self._misses_entries(queue)
        )
        report = await repair_once(self.jobs, queue, full=full)
        if full:
            # Only after a pass that came to its end is the server known to be looked through.
            self._last_full = now
            left = await self._missing(queue) if report.failed else {}
            self._hopeless = {name: min(n, len(report.failed)) for name, n in left.items()}

    async def _misses_entries(self, queue: QueueConnection) -> bool:
        """Whether a queue lacks more entries than it did after the last full pass."""
        missing = await self._missing(queue)
        self._hopeless = {name: min(n, missing.get(name, 0)) for name, n in self._hopeless.items()}
        return any(n > self._hopeless.get(name, 0) for name, n in missing.items())

    async def _missing(self, queue: QueueConnection) -> dict[str, int]:
        """Return how many entries less than old unfinished jobs each queue has.

        The entries are counted first: a job that is unfinished afterwards, and was before, had one.
        """
        before = format_time(datetime.now(UTC) - timedelta(seconds=GRACE_SECONDS))
        names = sorted(await _queues_of_types(self.jobs.store))
        tubes = await queue.tube_stats_many([tube_name(name) for name in names])
        missing = {}
        for name, tube in zip(names, tubes, strict=True):
            waiting = JobFilter(states=OPEN_STATES, queues=(name,), changed_before=before)
            jobs = await self.jobs.store.count_jobs(waiting)
            missing[name] = max(0, jobs - (tube.entries - tube.buried))
        return missing
