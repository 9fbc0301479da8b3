"""From a reserved queue entry to a claimed job, or to where the entry belongs.

Nothing in an entry is trusted, and an entry may be one too many: the record decides. The worker
that runs a job has written `running`, its name and the next attempt number by compare-and-swap.
Each entry stands for itself: whatever is wrong with one, the others are claimed.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Any

from msgspec import Struct

from zerog.ledger import beside
from zerog.ledger.foreign import Foreign, Misfit
from zerog.ledger.jobs import Jobs, Kept, settle
from zerog.ledger.mailboxes import nudge, take_back
from zerog.ledger.workers import Beat, vouches
from zerog.model import events
from zerog.model.backoff import Backoff
from zerog.model.documents import version_name
from zerog.model.errors import DatastoreError, JobError, JobNotFoundError, UnreadableDocumentError
from zerog.model.record import JobId, JobRecord, State, WorkerIdentity, is_job_id
from zerog.queue.port import DEFAULT_PRIORITY, Entry, QueueConnection

log = logging.getLogger(__name__)

#: An entry without a record is buried when it was reserved this often.
MAX_UNKNOWN_RESERVES = 3
#: Pause of an entry that somebody else holds the job of.
HELD_SECONDS = 2
#: Pause of an entry that is left to workers of its version. Short, because they may be idle.
LEFT_SECONDS = 2
#: Pauses of an entry that nobody here can run; another worker may, or a later release.
UNSERVED_BACKOFF = Backoff(2.0, 60.0)
#: A type that is unknown here is logged this often, however many jobs it has.
LOG_SECONDS = 60.0
#: Types whose last line in the log is remembered.
MAX_LOGGED = 1000


#: Called with an entry and the job's record before the claim is written.
Vouch = Callable[[Entry, JobRecord], None]


class Claim(Struct):
    """A job that this worker runs."""

    uuid: JobId
    entry: Entry
    #: The record as this worker last wrote it.
    kept: Kept
    parameters: dict[str, Any]

    @property
    def record(self) -> JobRecord:
        return self.kept.record


class Suspect(Struct, frozen=True):
    """An entry whose job runs elsewhere, as far as its record says. See `Claimer.inspect`."""

    entry: Entry
    kept: Kept


class Left(Struct, frozen=True):
    """An entry that was given back, because a worker of another version may run its job."""


class Claimer:
    """Claims jobs for one worker, which has one version of each of its types."""

    def __init__(
        self,
        jobs: Jobs,
        identity: WorkerIdentity,
        versions: Mapping[str, str],
        queues: Container[str],
        beat: Beat,
        misfit: Misfit,
    ) -> None:
        self._jobs = jobs
        self._identity = identity
        self._versions = versions
        self._queues = queues
        self._beat = beat
        self._foreign = Foreign(jobs.store, versions, misfit)
        self._logged: dict[str, float] = {}
        #: The versions whose jobs the worker takes. Fewer than it has once it is to go: then it
        #: takes no others.
        self.takes: Mapping[str, str] = versions

    async def claim_all(
        self, queue: QueueConnection, entries: Sequence[Entry], vouch: Vouch
    ) -> list[Claim | Suspect | Left | BaseException | None]:
        """Claim several entries' jobs. None: the entry was put where it belongs.

        `vouch` is called before a claim is written. An entry whose result is an error is still
        reserved; the others are claimed all the same.
        """
        stats, bodies = self._jobs.stats, [entry.body for entry in entries]
        noted = [JobId(body) for body in bodies if is_job_id(body)]
        try:
            found, _ = await asyncio.gather(
                self._jobs.read_many(bodies), stats.note_claims(noted, self._jobs.now())
            )
            return await asyncio.gather(
                *[self._look(queue, entry, found.get(entry.body), vouch) for entry in entries],
                return_exceptions=True,
            )
        except DatastoreError as error:
            return [error] * len(entries)
        finally:
            for uuid in noted:
                stats.forget_claim(uuid)

    async def _look(
        self,
        queue: QueueConnection,
        entry: Entry,
        found: Kept | UnreadableDocumentError | None,
        vouch: Vouch,
    ) -> Claim | Suspect | Left | None:
        if isinstance(found, UnreadableDocumentError):
            await self._bury(queue, entry, found)
        elif found is None and is_job_id(entry.body):
            await self._put_unknown_aside(queue, entry)
        elif found is None:
            log.error("entry %d holds no job's UUID and is buried: %.80r", entry.id, entry.body)
            await queue.bury(entry.id, priority=DEFAULT_PRIORITY)
        elif self._has_moved(entry, found.record):
            await queue.delete(entry.id)
        elif not found.record.is_finished and found.record.type not in self._versions:
            await self._put_unserved_aside(queue, entry, found)
        elif found.record.state is State.RUNNING:
            return Suspect(entry, found)
        elif found.record.is_finished or self._is_taken(found.record):
            return await self._claim(queue, entry, found, vouch)
        else:
            return await self._look_at_foreign(queue, entry, found, vouch)
        return None

    def _is_taken(self, record: JobRecord) -> bool:
        return self.takes.get(record.type) == record.schema_hash

    async def _look_at_foreign(
        self, queue: QueueConnection, entry: Entry, kept: Kept, vouch: Vouch
    ) -> Claim | Left | None:
        """An entry of a version that this worker does not have, or takes no more."""
        record = kept.record
        if self.takes is not self._versions or await self._foreign.may_be_taken(
            record, lambda: _age_seconds(queue, entry)
        ):
            await queue.release(entry.id, priority=record.priority, delay_seconds=LEFT_SECONDS)
            return Left()
        parameters, _ = await self._read_input(record)
        why_not = "" if parameters is None else await self._foreign.why_not(record, parameters)
        if not why_not:
            return await self._claim(queue, entry, kept, vouch)
        self._log(
            version_name(record.type, record.schema_hash),
            "jobs of %s are put aside: no worker runs it, and their parameters do not fit here",
        )
        await self._put_aside(queue, entry, kept, why_not)
        return None

    def _has_moved(self, entry: Entry, record: JobRecord) -> bool:
        """Whether a job goes through another queue now, where its entry is, or soon will be."""
        return record.queue not in self._queues and record.entry_id != entry.id

    async def _bury(self, queue: QueueConnection, entry: Entry, reason: DatastoreError) -> None:
        log.error("entry %d is buried: %s", entry.id, reason)
        await queue.bury(entry.id, priority=DEFAULT_PRIORITY)

    async def _claim(
        self, queue: QueueConnection, entry: Entry, kept: Kept, vouch: Vouch
    ) -> Claim | None:
        # Read first: a store that fails in between must not leave a claim that nobody runs.
        parameters, fault = await self._read_input(kept.record)
        vouch(entry, kept.record)
        event = events.Claimed(self._identity, entry.id, kept.record.queue)
        try:
            applied = await self._jobs.apply(kept.record.uuid, event, kept)
        except JobNotFoundError:
            await queue.delete(entry.id)
            return None
        except JobError:  # another worker has it, or it changes too fast: look again soon
            await queue.release(entry.id, priority=kept.record.priority, delay_seconds=HELD_SECONDS)
            return None
        except DatastoreError as error:
            if error.transient:
                raise
            await self._bury(queue, entry, error)  # no worker can ever write it
            return None
        if not isinstance(applied.action, events.Keep):
            await settle(queue, entry, applied.action)
            return None
        if parameters is None:
            await self._fail_without_input(queue, entry, applied.kept, fault)
            return None
        return Claim(kept.record.uuid, entry, applied.kept, parameters)

    async def _read_input(self, record: JobRecord) -> tuple[dict[str, Any] | None, str]:
        """Return a job's parameters; None and why if it has none that can be read."""
        try:
            return await beside.read_input(self._jobs.store, record), "are missing in the datastore"
        except UnreadableDocumentError as error:
            return None, f"cannot be read ({error})"

    async def _fail_without_input(
        self, queue: QueueConnection, entry: Entry, kept: Kept, fault: str
    ) -> None:
        """The wrong parameters would be worse than none. A retry may find them (a replica)."""
        message = f"its parameters {fault}: replay cannot help, submit it again"
        log.error("job %s: %s", kept.record.uuid, message)
        raised = events.Raised(kept.record.attempt, message)
        applied = await self._jobs.apply(kept.record.uuid, raised, kept, patient=True)
        await settle(queue, entry, applied.action)

    async def inspect(self, queue: QueueConnection, suspect: Suspect) -> None:
        """Give back an entry whose job runs elsewhere; if its worker is dead the attempt ends.

        Takes some beats of a silent worker. Raises what the store and the queue raise.
        """
        entry, kept = suspect.entry, suspect.kept
        record, attempt = kept.record, kept.record.current_attempt
        assert attempt is not None  # the ledger reads no other
        other = record.entry_id if record.entry_id != entry.id else None
        if other is not None and await queue.peek(other) == record.uuid:
            await queue.delete(entry.id)  # a second entry for a job that has one
            return
        nudged = await nudge(queue, attempt.worker.name)
        try:
            lives = await vouches(
                self._jobs.store, attempt.worker.name, record.uuid, self._beat, nudged
            )
        finally:
            await take_back(queue, nudged)
        if lives:
            # It lost its connection, not its life. When it is done the entry will be dropped.
            await queue.release(entry.id, priority=record.priority, delay_seconds=HELD_SECONDS)
            return
        message = "its worker died, or let go of it"
        crashed = events.Crashed(record.attempt, message, by=self._identity.name)
        try:
            applied = await self._jobs.apply(record.uuid, crashed, kept)
        except JobError:  # it has ended meanwhile
            await queue.release(entry.id, priority=record.priority)
        else:
            log.warning("job %s is taken over from %s", record.uuid, attempt.worker.name)
            await settle(queue, entry, applied.action)
            await nudge(queue, attempt.worker.name)  # if it lives, it is to stop what it runs

    async def _put_unserved_aside(self, queue: QueueConnection, entry: Entry, kept: Kept) -> None:
        """An entry whose type this worker does not know; its job says so."""
        record = kept.record
        self._log(record.type, "jobs of type %s are put aside: it is unknown here")
        message = f"no worker of queue {record.queue} that has seen it knows the type {record.type}"
        await self._put_aside(queue, entry, kept, message)

    def _log(self, what: str, template: str) -> None:
        if time.monotonic() - self._logged.get(what, -LOG_SECONDS) >= LOG_SECONDS:
            if len(self._logged) >= MAX_LOGGED:
                self._logged.clear()
            self._logged[what] = time.monotonic()
            log.warning(template, what)

    async def _put_aside(
        self, queue: QueueConnection, entry: Entry, kept: Kept, message: str
    ) -> None:
        """Give back an entry that nobody here can run; its job says why."""
        record = kept.record
        stats = await queue.entry_stats(entry.id)
        pause = UNSERVED_BACKOFF.pause(1 + (stats.releases if stats is not None else 0))
        try:
            await self._jobs.apply(record.uuid, events.PutAside(message), kept)
        except JobError:
            pass  # somebody else has just looked at it
        await queue.release(entry.id, priority=record.priority, delay_seconds=round(pause))

    async def _put_unknown_aside(self, queue: QueueConnection, entry: Entry) -> None:
        """An entry whose job is missing: deleted meanwhile, expired, or written a moment ago."""
        stats = await queue.entry_stats(entry.id)
        if stats is None:
            return
        if stats.reserves >= MAX_UNKNOWN_RESERVES:
            log.warning("entry %d is of no known job and is buried: %s", entry.id, entry.body)
            await queue.bury(entry.id, priority=stats.priority)
        else:
            await queue.release(entry.id, priority=stats.priority, delay_seconds=1)


async def _age_seconds(queue: QueueConnection, entry: Entry) -> int:
    stats = await queue.entry_stats(entry.id)
    return 0 if stats is None else stats.age_seconds
