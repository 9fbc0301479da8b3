"""From a reserved queue entry to a claimed job, or to the reason why this worker does not run it.

Nothing in an entry is trusted, and an entry may be one too many: the document decides.
Whoever gets to run a job has written `running`, its name and the next attempt number by
compare-and-swap.
"""

import asyncio
import logging
from collections.abc import Container, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from zerog.ledger.beside import expire_side_documents
from zerog.ledger.stats import Stats, waited_seconds
from zerog.ledger.workers import is_alive
from zerog.model import life
from zerog.model.documents import input_key
from zerog.model.errors import AmbiguousWriteError, DatastoreError, RevisionConflictError
from zerog.model.record import (
    JobRecord,
    State,
    WorkerIdentity,
    from_document,
    is_job_id,
    to_document,
)
from zerog.queue.port import DEFAULT_PRIORITY, Entry, QueueConnection
from zerog.store.port import Datastore, Stored

log = logging.getLogger(__name__)

#: An entry without a document is buried when it was reserved so often.
MAX_UNKNOWN_RESERVES = 3
#: Delay of an entry that this worker cannot use now but another, or a later look, may.
PUT_ASIDE_SECONDS = 2


@dataclass(slots=True)
class Claim:
    """A job that this worker runs."""

    entry: Entry
    record: JobRecord
    revision: str
    parameters: dict[str, Any]


class Claimer:
    """Claims jobs for one worker."""

    def __init__(
        self,
        store: Datastore,
        identity: WorkerIdentity,
        job_types: Container[str],
        stats: Stats,
    ) -> None:
        self._store = store
        self._identity = identity
        self._job_types = job_types
        self._stats = stats

    async def claim(
        self, queue: QueueConnection, entries: Sequence[Entry]
    ) -> list[Claim | BaseException | None]:
        """Claim the entries' jobs. An entry without a claim is put where it belongs.

        Returns:
            For each entry its claim, None, or the error that left it reserved and unclaimed.
        """
        try:
            bodies = [entry.body for entry in entries if is_job_id(entry.body)]
            documents = await self._store.get_many("jobs", bodies)
        except DatastoreError as error:
            return [error] * len(entries)
        return await asyncio.gather(
            *[self._claim(queue, entry, documents.get(entry.body)) for entry in entries],
            return_exceptions=True,
        )

    async def _claim(
        self, queue: QueueConnection, entry: Entry, stored: Stored | None
    ) -> Claim | None:
        if not is_job_id(entry.body):
            log.error("entry %d holds no job's UUID and is buried: %.80r", entry.id, entry.body)
            await queue.bury(entry.id, priority=DEFAULT_PRIORITY)
            return None
        while True:
            if stored is None:
                await self._put_unknown_aside(queue, entry)
                return None
            try:
                record = from_document(stored.document)
            except (KeyError, TypeError, ValueError) as error:
                log.error("the document of job %s is not readable: %r", entry.body, error)
                await queue.bury(entry.id, priority=DEFAULT_PRIORITY)
                return None
            try:
                return await self._claim_stored(queue, entry, record, stored.revision)
            except RevisionConflictError:
                stored = await self._store.get("jobs", entry.body)  # a cancel, or another worker

    async def _claim_stored(
        self, queue: QueueConnection, entry: Entry, record: JobRecord, revision: str
    ) -> Claim | None:
        if not record.is_finished and record.type not in self._job_types:
            log.warning("job %s is of type %s, unknown here", record.uuid, record.type)
            await self._put_aside(queue, entry, record)
            return None
        now = datetime.now(UTC)
        taken_over = record
        if record.state is State.RUNNING:
            if not await self._may_take_over(queue, entry, record):
                return None
            crash = life.Crashed(record.attempt, "its worker died")
            taken_over = life.step(record, crash, now).record
        step = life.step(taken_over, life.Claimed(self._identity, entry.id), now)
        # Read first: a store that goes away in between must not leave a claim that nobody runs.
        runs = isinstance(step.action, life.Run)
        parameters = await self._parameters(record) if runs else {}
        if step.record is not record:
            revision = await self._write(step.record, revision)
            if step.record.is_finished:
                await expire_side_documents(self._store, step.record)
        if taken_over is not record:
            self._stats.ended(taken_over)
        if step.record.is_finished and not taken_over.is_finished:
            self._stats.finished(step.record)
        match step.action:
            case life.Run():
                self._stats.started(record.queue, waited_seconds(taken_over, now))
                return Claim(entry, step.record, revision, parameters)
            case life.Release(delay_seconds, priority):
                await queue.release(entry.id, priority=priority, delay_seconds=delay_seconds)
            case life.Delete():
                await queue.delete(entry.id)
        return None

    async def _write(self, record: JobRecord, revision: str) -> str:
        """Write what the claim makes of a job; return the new revision."""
        document = to_document(record)
        seconds = life.retention_seconds(record) if record.is_finished else None
        try:
            return await self._store.replace(
                "jobs",
                record.uuid,
                document,
                revision,
                durable=record.is_finished,
                expire_seconds=seconds,
            )
        except AmbiguousWriteError:
            stored = await self._store.get("jobs", record.uuid)
            if stored is not None and stored.document == document:
                return stored.revision
            raise

    async def _may_take_over(self, queue: QueueConnection, entry: Entry, record: JobRecord) -> bool:
        """Whether the worker that runs the job is gone; otherwise the entry is dealt with."""
        other_entry = record.entry_id if record.entry_id != entry.id else None
        if other_entry is not None and await queue.peek(other_entry) == record.uuid:
            await queue.delete(entry.id)  # a second entry for a job that has one
            return False
        attempt = record.current_attempt
        if attempt is not None and await is_alive(self._store, attempt.worker.name, record.uuid):
            # It lost its connection, not its life. When it is done the entry will be dropped.
            await self._put_aside(queue, entry, record)
            return False
        return True

    async def _parameters(self, record: JobRecord) -> dict[str, Any]:
        if not record.has_input_blob:
            return record.parameters or {}
        blob = await self._store.get("blobs", input_key(record.uuid))
        # The job then fails its validation, which says what is missing.
        return blob.document["parameters"] if blob is not None else {}

    async def _put_aside(self, queue: QueueConnection, entry: Entry, record: JobRecord) -> None:
        await queue.release(entry.id, priority=record.priority, delay_seconds=PUT_ASIDE_SECONDS)

    async def _put_unknown_aside(self, queue: QueueConnection, entry: Entry) -> None:
        """An entry whose job is not there: deleted meanwhile, expired, or written a moment ago."""
        stats = await queue.entry_stats(entry.id)
        if stats is None:
            return
        if stats.reserves >= MAX_UNKNOWN_RESERVES:
            log.warning("entry %d is of no known job and is buried: %s", entry.id, entry.body)
            await queue.bury(entry.id, priority=stats.priority)
        else:
            await queue.release(entry.id, priority=stats.priority, delay_seconds=1)
