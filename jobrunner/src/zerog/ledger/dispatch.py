"""Between record and queue: every change by which a job gets an entry or loses it.

Accepted means kept: the record is durable before the UUID is put on the tube, and both before the
caller learns of it. If the put fails the record is taken back; if even that fails, repair finds a
job that was never queued and queues it, which only means that a job runs whose client was told to
try again.

The id of an entry is noted in the record a little later: most jobs are claimed sooner, and a claim
notes its own. A job that is finished or gone by then has its entry withdrawn, and one whose entry
is lost by then gets another.
"""

import asyncio
import itertools
import logging
import time
from collections import deque
from datetime import datetime

from msgspec import Struct

from zerog.ledger.jobs import Jobs, Kept
from zerog.ledger.nudges import Nudges
from zerog.model import due, events
from zerog.model.errors import (
    DatastoreError,
    JobError,
    JobNotFoundError,
    QueueError,
    UnreadableDocumentError,
)
from zerog.model.names import tube_name
from zerog.model.record import JobId, JobRecord
from zerog.queue.port import EntryRef, Producer

log = logging.getLogger(__name__)

#: Entry ids are written back this often, in batches of this size.
NOTE_SECONDS, NOTE_BATCH = 0.5, 200
#: Most jobs are claimed sooner, and need no note. Repair gives a job more time than this.
NOTE_AGE_SECONDS = 2.0


class _Note(Struct, frozen=True):
    """A job's queue entry, to be noted in its record."""

    taken: float
    uuid: JobId
    #: Attempts before the one that the entry is for.
    attempt: int
    ref: EntryRef


async def put_entry(producer: Producer, record: JobRecord, now: datetime) -> EntryRef:
    """Put a job on its tube, with its priority, to be ready when the job may begin."""
    delay = due.delay_until(record.not_before_time, now)
    return await producer.put(
        tube_name(record.queue), record.uuid, priority=record.priority, delay_seconds=delay
    )


async def put_back(jobs: Jobs, producer: Producer, kept: Kept) -> None:
    """Give a job whose noted entry is lost another one."""
    uuid = kept.record.uuid
    ref = await put_entry(producer, kept.record, jobs.now())
    log.warning("job %s had no queue entry and was put back", uuid)
    try:
        applied = await jobs.apply(uuid, events.Queued(ref.id, kept.record.entry_id), kept)
    except (JobError, UnreadableDocumentError) as error:
        log.debug("job %s has moved on: %s", uuid, error)
    else:
        if isinstance(applied.action, events.Delete):  # it ended meanwhile
            await producer.delete(ref.id)


class Dispatch:
    """Puts jobs on their tubes, and takes them off."""

    def __init__(self, jobs: Jobs, producer: Producer) -> None:
        self.jobs = jobs
        self.nudges = Nudges(producer)
        self._producer = producer
        self._notes: deque[_Note] = deque()

    async def accept(self, record: JobRecord) -> None:
        """Store a new job and queue it.

        Raises:
            DocumentExistsError: There is a job with this UUID already.
            DatastoreError, QueueError: It is not accepted, and nothing of it is left.
        """
        kept = await self.jobs.insert(record)
        try:
            self._notes.append(await self._put(kept))
        except QueueError:
            # At once, so that a caller who tries again does not run it twice; or else soon.
            await self.jobs.forget(kept)
            raise
        self.jobs.stats.accepted(record)

    async def ensure_queued(self, uuid: JobId) -> bool:
        """Make sure that a job which another request has stored is queued; False if it is gone.

        That request may be about to take it back, because its put failed: once the entry is noted
        it cannot any more. An entry too many is harmless.
        """
        try:
            kept = await self.jobs.read(uuid)
            if kept.record.attempt or kept.record.is_finished or kept.record.entry_id is not None:
                return True
        except JobNotFoundError:
            return False
        return await self._note((await self._put(kept)).ref.id, kept)

    async def cancel(self, uuid: str) -> JobRecord:
        """Ask for a job's end: at once if it does not run, else as soon as it can."""
        applied = await self.jobs.apply(uuid, events.CancelRequested())
        if applied.record.is_finished and not applied.before.is_finished:
            self._withdraw(uuid, applied.record.entry_id)
        elif (attempt := applied.record.current_attempt) is not None:
            again = applied.before.cancel_requested_time is not None
            self.nudges.add(attempt.worker.name, again=again)
        return applied.record

    async def replay(self, uuid: str) -> JobRecord:
        """Let a finished job run again."""
        applied = await self.jobs.apply(uuid, events.Replayed())
        try:
            self._notes.append(await self._put(applied.kept))
        except QueueError as error:
            # It is accepted: without an entry, repair queues it when the queue is back.
            log.warning("job %s waits for the queue: %s", uuid, error)
        return applied.record

    async def run(self) -> None:
        """Note the ids of entries, until cancelled; then `flush` notes the rest."""
        while True:
            await asyncio.sleep(NOTE_SECONDS)
            try:
                await self.flush(NOTE_AGE_SECONDS)
            except Exception:  # no single job must end this for all others
                log.exception("entries are noted later, by repair")

    async def flush(self, age_seconds: float = 0.0) -> None:
        """Note the ids that wait for this long, if store and queue can be reached.

        What is not noted when the process ends is left to repair.
        """
        due = time.monotonic() - age_seconds
        while self._notes and self._notes[0].taken <= due:
            notes: list[_Note] = []
            while self._notes and self._notes[0].taken <= due and len(notes) < NOTE_BATCH:
                notes.append(self._notes.popleft())
            try:
                await self._write_notes(notes)
            except (DatastoreError, QueueError) as error:
                log.warning("%d entries are noted later: %s", len(notes), error)
                self._notes.extendleft(reversed(notes))
                return

    async def _write_notes(self, notes: list[_Note]) -> None:
        found = await self.jobs.read_many([note.uuid for note in notes])
        noted = await asyncio.gather(
            *[self._write_note(note, found.get(note.uuid)) for note in notes]
        )
        if any(noted):
            await self._put_lost_back(list(itertools.compress(notes, noted)))

    async def _write_note(self, note: _Note, found: Kept | UnreadableDocumentError | None) -> bool:
        uuid = note.uuid
        try:
            if found is None:
                self._withdraw(uuid, note.ref.id)
                return False
            if not isinstance(found, Kept) or found.record.attempt > note.attempt:
                return False  # a worker has claimed the job by this entry, and looks after it
            return await self._note(note.ref.id, found)
        except (JobError, DatastoreError) as error:
            log.debug("entry %d of job %s is not noted: %s", note.ref.id, uuid, error)
            return False

    async def _put_lost_back(self, notes: list[_Note]) -> None:
        """Give jobs other entries whose noted ones were lost with their server.

        A server that came back with its binlog has another id and the same entries, so each is
        looked at. The server is asked after the notes are written: what it loses from now on is
        noted, and repair finds it; a process that was frozen since the puts asks the new one.
        """
        server = (await self._producer.server_stats()).id
        doubtful = [note for note in notes if note.ref.server != server]
        bodies = await self._producer.peek_many([note.ref.id for note in doubtful])
        lost = {note.uuid: note.ref.id for note in doubtful if bodies.get(note.ref.id) != note.uuid}
        for kept in (await self.jobs.read_many(list(lost))).values():
            if not isinstance(kept, Kept) or kept.record.is_finished:
                continue
            if kept.record.entry_id == lost[kept.record.uuid]:
                await put_back(self.jobs, self._producer, kept)

    async def _note(self, entry_id: int, known: Kept) -> bool:
        """Note an entry in its job's record; False if the job is gone.

        The job may end or get another entry at any moment before: then this one is withdrawn.
        """
        uuid = known.record.uuid
        try:
            applied = await self.jobs.apply(uuid, events.Queued(entry_id), known)
        except JobNotFoundError:
            self._withdraw(uuid, entry_id)
            return False
        if isinstance(applied.action, events.Delete) or applied.record.entry_id != entry_id:
            self._withdraw(uuid, entry_id)
        return True

    async def _put(self, kept: Kept) -> _Note:
        ref = await put_entry(self._producer, kept.record, self.jobs.now())
        return _Note(time.monotonic(), kept.record.uuid, kept.record.attempt, ref)

    def _withdraw(self, uuid: str, entry_id: int | None) -> None:
        """Delete the entry of a job that ended before it ran, so that it is no load any more."""
        if entry_id is not None:
            self.jobs.leftovers.later(lambda: self._delete_entry(uuid, entry_id))

    async def _delete_entry(self, uuid: str, entry_id: int) -> None:
        # Ids start again with a server that lost its disk: the entry must be this job's.
        if await self._producer.peek(entry_id) == uuid:
            await self._producer.delete(entry_id)
