"""Repair: compare datastore and queue, and put back what has no queue entry.

The document is the truth, an entry only says that somebody should look at it; so an
entry too many is harmless (the claim drops it) and an entry too few is what this module
is for. A document that is not finished should have a live entry: one that was accepted
but never queued has none recorded, one whose server lost its disk has one recorded that
is not there any more, or that belongs to another job (ids start anew), which the
entry's body tells.

One process at a time repairs (a lease in the datastore), but two would do no harm.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from zerog.model import life
from zerog.model.errors import (
    DatastoreError,
    DocumentNotFoundError,
    InvalidTubeNameError,
    QueueError,
    RevisionConflictError,
)
from zerog.model.names import tube_name, worker_name
from zerog.model.record import (
    JobRecord,
    State,
    format_time,
    from_document,
    is_job_id,
    to_document,
)
from zerog.queue.port import Entry, Producer
from zerog.store.port import Datastore, JobFilter, Stored

log = logging.getLogger(__name__)

LEASE = "repair"
#: How often the background loop looks. A lost job waits about this long.
PERIOD_SECONDS = 2.0
LEASE_SECONDS = 10.0
#: A document younger than this may still be on its way to the queue.
GRACE_SECONDS = 5.0
#: Every entry is looked up this often, even when nothing suggests a loss.
FULL_CHECK_SECONDS = 300.0
PAGE = 200
UNFINISHED = (State.QUEUED, State.RUNNING, State.WAITING)
#: Buried entries looked at in one pass over a tube.
MAX_BURIED = 1000


@dataclass(slots=True)
class RepairReport:
    """What one pass saw and did."""

    #: Documents looked at.
    checked: int = 0
    #: UUIDs of jobs that were put back on their tube.
    requeued: list[str] = field(default_factory=list)
    #: Entries of known, unfinished jobs that were buried and are ready again.
    kicked: list[str] = field(default_factory=list)
    #: Bodies of buried entries without a document, which stay buried.
    unknown: list[str] = field(default_factory=list)
    #: Bodies of buried entries whose job is finished; the entries were deleted.
    dropped: list[str] = field(default_factory=list)
    #: Documents that cannot be read.
    unreadable: list[str] = field(default_factory=list)


async def repair_once(
    store: Datastore, producer: Producer, *, grace_seconds: float = GRACE_SECONDS, full: bool = True
) -> RepairReport:
    """Look at every unfinished job and put back those without a live queue entry.

    With `full` false only queued jobs without a recorded entry are looked at and put back,
    however many wait. Raises what store and queue raise: a pass that sees only half must
    not decide.
    """
    report = RepairReport()
    before = format_time(datetime.now(UTC) - timedelta(seconds=grace_seconds))
    chosen = (
        JobFilter(states=UNFINISHED, changed_before=before)
        if full
        else JobFilter(states=(State.QUEUED,), changed_before=before, without_entry=True)
    )
    async for stored in _jobs(store, chosen):
        report.checked += 1
        try:
            record = from_document(stored.document)
            tube_name(record.queue)
        except (KeyError, TypeError, ValueError) as error:
            log.error("a control document is not readable: %r", error)
            report.unreadable.append(str(stored.document.get("uuid")))
            continue
        if await _is_lost(producer, record):
            await _put_back(store, producer, record, stored.revision, report)
    if full:
        await _unbury(store, producer, report)
    return report


async def _jobs(store: Datastore, job_filter: JobFilter) -> AsyncIterator[Stored]:
    cursor: str | None = None
    while True:
        page = await store.list_jobs(job_filter, limit=PAGE, cursor=cursor)
        for stored in page.jobs:
            yield stored
        if page.cursor is None:
            return
        cursor = page.cursor


async def _is_lost(producer: Producer, record: JobRecord) -> bool:
    if record.entry_id is None:
        return True
    return await producer.peek(record.entry_id) != record.uuid


async def _put_back(
    store: Datastore, producer: Producer, record: JobRecord, revision: str, report: RepairReport
) -> None:
    delay = life.delay_until(record.not_before_time, datetime.now(UTC))
    entry_id = await producer.put(
        tube_name(record.queue), record.uuid, priority=record.priority, delay_seconds=delay
    )
    report.requeued.append(record.uuid)
    log.warning("job %s had no queue entry and was put back", record.uuid)
    with contextlib.suppress(RevisionConflictError, DocumentNotFoundError):
        # A conflict means that somebody moved the job on; what moved it has an entry.
        document = to_document(replace(record, entry_id=entry_id))
        await store.replace("jobs", record.uuid, document, revision)


async def _unbury(store: Datastore, producer: Producer, report: RepairReport) -> None:
    """Look at buried entries: of a live job, of a finished one, of none."""
    for tube in await producer.tubes():
        for _ in range(MAX_BURIED):
            entry = await producer.peek_buried(tube)
            if entry is None:
                break
            record = await _record_of(store, entry)
            if record is None:
                report.unknown.append(entry.body)
                break  # it stays where it is, and hides those behind it
            if record.is_finished:
                await producer.delete(entry.id)
                report.dropped.append(entry.body)
            else:
                await producer.kick(entry.id)
                report.kicked.append(entry.body)


async def _record_of(store: Datastore, entry: Entry) -> JobRecord | None:
    """Return the job of an entry; None if there is none, or none that can be read."""
    stored = await store.get("jobs", entry.body) if is_job_id(entry.body) else None
    try:
        return from_document(stored.document) if stored is not None else None
    except (KeyError, TypeError, ValueError):
        return None


@dataclass(slots=True)
class Background:
    """The loop that repairs while an API process runs."""

    store: Datastore
    producer: Producer
    owner: str
    _server_id: str | None = None
    _last_full: float = float("-inf")

    async def run(self, stop: asyncio.Event) -> None:
        """Repair every few seconds until told to stop. It survives the absence of store
        and queue."""
        while not stop.is_set():
            try:
                if await self.store.try_lock(LEASE, self.owner, seconds=LEASE_SECONDS):
                    await self._look()
            except (DatastoreError, QueueError, InvalidTubeNameError) as error:
                log.warning("repair waits: %s", error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), PERIOD_SECONDS)

    async def _look(self) -> None:
        now = asyncio.get_running_loop().time()
        server = await self.producer.server_stats()
        full = (
            server.id != self._server_id
            or now - self._last_full >= FULL_CHECK_SECONDS
            or await self._misses_entries()
        )
        await repair_once(self.store, self.producer, full=full)
        if full:
            # Only after a pass that came to its end is a new server known to be looked through.
            self._server_id, self._last_full = server.id, now

    async def _misses_entries(self) -> bool:
        """Whether a queue holds fewer entries than there are old unfinished jobs.

        The entries are counted first: a job that is unfinished afterwards, and was before, had one.
        """
        types = await self.store.scan("types")
        before = format_time(datetime.now(UTC) - timedelta(seconds=GRACE_SECONDS))
        for queue in {str(stored.document["queue"]) for stored in types.values()}:
            tube = await self.producer.tube_stats(tube_name(queue))
            waiting = JobFilter(states=UNFINISHED, queues=(queue,), changed_before=before)
            if await self.store.count_jobs(waiting) > tube.entries:
                return True
        return False


async def background(store: Datastore, producer: Producer, stop: asyncio.Event) -> None:
    """Run the repair loop of this process until `stop` is set."""
    await Background(store, producer, worker_name()).run(stop)
