"""The only writer of job documents in all of ZeroG.

Everything that happens to a job goes through `Jobs.apply`: read the record, let `zerog.model.life`
make the next one, write it by compare-and-swap, and only then act on the queue entry (the caller
does, by the returned action, with `settle`). `apply` owns what every such step needs: races, writes
whose outcome is unknown, retention, the documents beside the record, and the counts.

A write whose outcome is unknown is looked up, not repeated: the attempt in the record, with the
times and the worker that this call wrote, is the mark of its own write. Another's end of the same
attempt does not have it.
"""

import asyncio
import contextlib
import itertools
import logging
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from zerog.ledger import beside, keys
from zerog.ledger.codec import read_record, write_record
from zerog.ledger.leftovers import Leftovers, Task
from zerog.ledger.stats import Stats
from zerog.ledger.waiters import Wakes
from zerog.model import due, events, jsontext, life
from zerog.model.backoff import Backoff, any_chance
from zerog.model.documents import Input, input_key, read
from zerog.model.errors import (
    AmbiguousWriteError,
    DatastoreError,
    DatastoreUnavailableError,
    DocumentExistsError,
    DocumentNotFoundError,
    JobBusyError,
    JobNotFoundError,
    JobStateError,
    QueueUnavailableError,
    RevisionConflictError,
    StaleAttemptError,
    UnreadableDocumentError,
    ZeroGError,
)
from zerog.model.limits import MAX_KEY_SECONDS
from zerog.model.record import JobRecord, State, is_job_id
from zerog.queue.port import Entry, QueueConnection
from zerog.store.port import Datastore, Document, Stored

log = logging.getLogger(__name__)

#: A change that loses more races than this gives up, unless it is patient.
MAX_RACES = 20
#: Jobs that `read_some` reads together: a few MiB at most.
READ_TOGETHER = 50
#: Pauses of a patient change while the store is unavailable.
STORE_BACKOFF = Backoff(0.1, 2.0)


class Kept(Struct, frozen=True):
    """A job's record as it was read or written, with the revision to name when replacing it."""

    record: JobRecord
    revision: str
    #: As the store has it, for showing.
    document: Document


class Applied(Struct, frozen=True):
    """What an event has made of a job."""

    before: JobRecord
    kept: Kept
    #: What to do with the queue entry now.
    action: events.Action

    @property
    def record(self) -> JobRecord:
        return self.kept.record


class Jobs:
    """The jobs of a datastore."""

    def __init__(
        self,
        store: Datastore,
        stats: Stats,
        wakes: Wakes | None = None,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.store = store
        self.stats = stats
        self.leftovers = Leftovers()
        self.wakes = wakes or Wakes(store)
        self._clock = clock

    async def read(self, uuid: str) -> Kept:
        """Return a job. `JobNotFoundError`, or `UnreadableDocumentError`."""
        stored = await self.store.get("jobs", uuid) if is_job_id(uuid) else None
        if stored is None:
            raise JobNotFoundError(f"there is no job {uuid[:50]!r}; finished jobs expire")
        return _kept(stored)

    async def read_many(self, uuids: Sequence[str]) -> dict[str, Kept | UnreadableDocumentError]:
        """Return jobs by UUID; the missing are left out, one that cannot be read is its error."""
        found = await self.store.get_many("jobs", [uuid for uuid in uuids if is_job_id(uuid)])
        return read_all(found.values())

    async def read_some(
        self, uuids: Sequence[str]
    ) -> AsyncGenerator[Kept | UnreadableDocumentError, None]:
        """Give many jobs, a few at a time: for those who keep little of each."""
        for start in range(0, len(uuids), READ_TOGETHER):
            found = await self.read_many(uuids[start : start + READ_TOGETHER])
            for kept in found.values():
                yield kept

    async def insert(self, record: JobRecord) -> Kept:
        """Store a new job with everything that it needs, durably.

        Raises:
            DocumentExistsError: There is a job with this UUID already.
            DatastoreError: It is not stored; what may be left of it is removed soon.
        """
        parameters = record.parameters or {}
        if not beside.fits_record(jsontext.dumps(parameters)):
            record = replace(record, parameters=None, has_input_blob=True)
        document = write_record(record)
        was_there = False
        try:
            if record.has_input_blob:
                was_there = not await beside.write_input(self.store, record, parameters)
            revision = await self.store.insert("jobs", record.uuid, document, durable=True)
            if was_there:
                # The request that wrote them failed, and may have removed them meanwhile.
                await beside.write_input(self.store, record, parameters)
        except DocumentExistsError:
            raise
        except DatastoreError:
            self.leftovers.later(lambda: self._undo_insert(record))
            raise
        return Kept(record, revision, document)

    async def _undo_insert(self, record: JobRecord) -> None:
        """Remove what a failed insert has left, unless somebody has gone on with it."""
        stored = await self.store.get("jobs", record.uuid)
        if stored is not None:
            kept = _kept(stored)
            if kept.record == record:
                await self._forget(kept)
        else:
            await self._remove_input(record)

    async def forget(self, kept: Kept) -> None:
        """Forget a job that was just stored, unless somebody has gone on with it."""
        await self._now_or_later(lambda: self._forget(kept))

    async def take_back(self, uuid: str) -> None:
        """Forget an accepted job that has not begun, and all that belongs to it."""
        await self._now_or_later(lambda: self._take_back(uuid))

    async def _now_or_later(self, task: Task) -> None:
        try:
            await task()
        except DatastoreError:
            self.leftovers.later(task)

    async def _forget(self, kept: Kept) -> None:
        with contextlib.suppress(RevisionConflictError):
            await self._remove(kept)

    async def _take_back(self, uuid: str) -> None:
        with contextlib.suppress(JobNotFoundError):
            kept = await self.read(uuid)
            if kept.record.attempt == 0 and not kept.record.is_finished:
                await self._remove(kept)

    async def delete(self, uuid: str) -> None:
        """Forget a finished job and all that belongs to it."""
        kept = await self.read(uuid)
        if not kept.record.is_finished:
            raise JobStateError(f"job {uuid} is {kept.record.state}: cancel it first")
        await keys.note_ended(self.store, kept.record)
        try:
            await self._remove(kept)
        except RevisionConflictError:
            raise JobStateError(f"job {uuid} has just been changed: read it again") from None

    async def _remove(self, kept: Kept) -> None:
        uuid, revision = kept.record.uuid, kept.revision
        try:
            await self.store.remove("jobs", uuid, revision=revision, durable=True)
        finally:
            self.wakes.changed(uuid, at_once=True)
        self.leftovers.later(lambda: beside.remove(self.store, kept.record))
        self.leftovers.later(lambda: self._remove_input(kept.record))

    async def _remove_input(self, record: JobRecord) -> None:
        """Remove the parameters of a job that is gone. A repeat with the same Idempotency-Key may
        be about to store the job again, and count on what it found."""
        key = input_key(record.uuid)
        blob = await self.store.get("blobs", key) if record.has_input_blob else None
        if blob is None or await self.store.get("jobs", record.uuid) is not None:
            return
        await self.store.remove("blobs", key)
        if await self.store.get("jobs", record.uuid) is not None:
            parameters = read(blob.document, Input, record.uuid).parameters
            self.leftovers.later(lambda: beside.write_input(self.store, record, parameters))

    async def apply(
        self,
        uuid: str,
        event: events.Event,
        known: Kept | None = None,
        *,
        patient: bool = False,
        bare: bool = False,
    ) -> Applied:
        """Let an event happen to a job, and return what it made of it.

        `known` is the job as last read; it is read again when it has changed since. A `patient`
        call returns only when the change is known to be written, however long the store is
        unavailable; cancel it to give up. So does a claim that may have been written. `bare` says
        that nothing is beside the record.

        Raises:
            JobNotFoundError: There is no such job.
            JobStateError: The job's state does not allow the event (`StaleAttemptError`).
            JobBusyError: Others changed the job faster, again and again.
            DatastoreError: What the store raises; a transient one not if `patient`.
        """
        change = _Change(self, uuid, event, known, bare)
        try:
            return await change.run(patient=patient)
        except ZeroGError:
            if not change.in_doubt:
                self.stats.forget_change(uuid, change.time)
            raise

    def written(self, before: JobRecord, record: JobRecord, *, bare: bool) -> None:
        """Count what a written change was, and look after the documents beside the record."""
        self.stats.count(before, record)
        dropped = before.attempts[0].number if before.attempts else 0
        if record.attempts and record.attempts[0].number > dropped > 0:
            self.leftovers.later(lambda: beside.remove_log(self.store, before, dropped))
        has_more = not bare or record.attempt > 1 or record.has_input_blob
        if has_more and record.is_finished and not before.is_finished:
            self.leftovers.later(lambda: beside.expire(self.store, record))

    def now(self) -> datetime:
        """Return the time, as records have it."""
        return self._clock()


class _Change:
    """One call of `Jobs.apply`."""

    def __init__(
        self, jobs: Jobs, uuid: str, event: events.Event, known: Kept | None, bare: bool
    ) -> None:
        self._jobs = jobs
        self._uuid = uuid
        self._event = event
        self._kept = known
        self._bare = bare
        # The same at each try: the mark by which this call knows its own write.
        self.time = jobs.now()
        self._jitter = any_chance()
        #: What was written last without an answer, and what it was before.
        self._unsure: tuple[JobRecord, life.Step] | None = None

    @property
    def in_doubt(self) -> bool:
        """Whether nobody knows what was written last."""
        return self._unsure is not None

    async def run(self, *, patient: bool) -> Applied:
        failures = 0
        for race in itertools.count():
            try:
                return await self._try()
            except (RevisionConflictError, AmbiguousWriteError):
                self._kept = None
                if race >= MAX_RACES:
                    if not patient:
                        raise JobBusyError(
                            f"job {self._uuid} changes too fast; try again"
                        ) from None
                    await asyncio.sleep(STORE_BACKOFF.pause(race - MAX_RACES))
            except DocumentNotFoundError:
                raise JobNotFoundError(f"job {self._uuid} was removed") from None
            except DatastoreError as error:
                # A claim in doubt must not be left alone: it would count as a crash.
                in_doubt = self._unsure is not None and isinstance(self._event, events.Claimed)
                if not ((patient or in_doubt) and error.transient):
                    raise
                failures += 1
                log.warning("job %s waits for the datastore: %s", self._uuid, error)
                await asyncio.sleep(STORE_BACKOFF.pause(failures))
        raise AssertionError("not reached")

    async def _try(self) -> Applied:
        kept = self._kept = self._kept or await self._jobs.read(self._uuid)
        if self._unsure is not None:
            before, unsure = self._unsure
            if _shows(kept.record, before, unsure.record):
                return self._done(before, unsure, kept)
        step = life.step(kept.record, self._event, self.time, jitter=self._jitter)
        if step.record is kept.record:
            if self._unsure is None:  # an earlier try may have noted the change
                self._jobs.stats.forget_change(self._uuid, self.time)
            return Applied(kept.record, kept, step.action)
        return await self._write(kept, step)

    async def _write(self, kept: Kept, step: life.Step) -> Applied:
        record, before = step.record, kept.record
        if record.data is not None and isinstance(self._event, events.Returned):
            record = await self._outsourced(record)
        finished = record.is_finished
        if record.has_input_blob and beside.needs_keeping(before, record):
            # First: from the write on, the job counts on it.
            await beside.keep_input(self._jobs.store, record)
        if finished and due.retention_seconds(record) < MAX_KEY_SECONDS:
            await keys.note_ended(self._jobs.store, record)
        try:
            await self._jobs.stats.note_change(before, record)
        except DatastoreError as error:  # of the counts: nothing has happened to the job
            raise DatastoreUnavailableError(f"the counts: {error}") from error
        document = write_record(record)
        try:
            revision = await self._jobs.store.replace(
                "jobs",
                record.uuid,
                document,
                kept.revision,
                durable=finished or isinstance(self._event, _INTENTS),
                expire_seconds=due.retention_seconds(record) if finished else None,
            )
        except AmbiguousWriteError:
            self._unsure = before, life.Step(record, step.action)
            raise
        finally:  # it may have been written, whatever the store raised
            # What those who wait for the job learn at once.
            at_once = record.state != before.state or record.attempt != before.attempt
            self._jobs.wakes.changed(record.uuid, at_once=at_once)
        step = life.Step(record, step.action)
        return self._done(before, step, Kept(record, revision, document))

    async def _outsourced(self, record: JobRecord) -> JobRecord:
        """Store output that is too large for the record, and return the record without it."""
        try:
            text = jsontext.dumps(record.data)
        except ValueError as error:
            raise UnreadableDocumentError(f"the output {error}") from error
        if beside.fits_record(text):
            return record
        await beside.write_output(self._jobs.store, record, record.data)
        return replace(record, data=None, output_blob_attempt=record.attempt)

    def _done(self, before: JobRecord, step: life.Step, now: Kept) -> Applied:
        """Account for what was written, and return the job as it stands now."""
        self._jobs.written(before, step.record, bare=self._bare)
        if isinstance(step.action, events.Keep) and not _is_same_attempt(now.record, step.record):
            raise StaleAttemptError(
                f"attempt {step.record.attempt} of job {self._uuid} is over before it began"
            )
        return Applied(before, now, step.action)


#: What a person asked for is as safe as a job that was accepted.
_INTENTS = (events.CancelRequested, events.Replayed)


def _shows(found: JobRecord, before: JobRecord, written: JobRecord) -> bool:
    """Whether a record is the one that was written, or came from it later. Pure."""
    if _last_mark(written) == _last_mark(before):
        return found == written
    ours = written.attempts[-1]
    return any(
        item.number == ours.number
        and item.worker.name == ours.worker.name
        and item.started_time == ours.started_time
        and ours.ended_time in (None, item.ended_time)
        for item in found.attempts
    )


def _last_mark(record: JobRecord) -> object:
    """Return what a begin or an end of an attempt changes. Pure."""
    last = record.attempts[-1] if record.attempts else None
    return last and (last.number, last.ended_time)


def _is_same_attempt(found: JobRecord, written: JobRecord) -> bool:
    """Whether the attempt that was written still runs. Pure."""
    return found.state is State.RUNNING and found.attempt == written.attempt


def read_all(stored: Iterable[Stored]) -> dict[str, Kept | UnreadableDocumentError]:
    """Read control documents by UUID, in their order; one that cannot be read is its error.

    Whoever reads more than one job reads them with this: one bad document hides no other. Pure.
    """
    found: dict[str, Kept | UnreadableDocumentError] = {}
    for item in stored:
        try:
            found[item.key] = _kept(item)
        except UnreadableDocumentError as error:
            found[item.key] = error
    return found


def readable(stored: Iterable[Stored]) -> list[Kept]:
    """Read control documents, and leave out those that cannot be read. Pure."""
    return [found for found in read_all(stored).values() if isinstance(found, Kept)]


def _kept(stored: Stored) -> Kept:
    record = read_record(stored.document, stored.key)
    if record.uuid != stored.key:
        raise UnreadableDocumentError(
            f"the document of job {stored.key} is of job {record.uuid!r:.50}"
        )
    return Kept(record, stored.revision, stored.document)


async def settle(queue: QueueConnection, entry: Entry, action: events.Action) -> None:
    """Do with a reserved entry what life says.

    An entry that is lost meanwhile needs nothing: the server gives it to somebody else, who finds
    the record as it is.
    """
    try:
        match action:
            case events.Delete():
                await queue.delete(entry.id)
            case events.Release(delay_seconds, priority):
                await queue.release(entry.id, priority=priority, delay_seconds=delay_seconds)
            case _:
                pass
    except QueueUnavailableError as error:
        log.warning("entry %d of job %.50s: %s", entry.id, entry.body, error)
