"""What can be done with jobs: accept, read, cancel, replay, forget. No HTTP in here.

Accepted means kept: the document is durable before the UUID is put on the tube, and
both before the answer. If the put fails the document is taken back; if even that fails,
the reconciler finds a job that was never queued and queues it, which only means that a
job runs whose client was told to try again.
"""

import asyncio
import contextlib
import logging
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from zerog.ledger.beside import expire_side_documents, keep_input
from zerog.ledger.stats import Stats
from zerog.model import jsontext, life
from zerog.model.documents import EVENTS_PER_CHUNK, INLINE_BYTES, events_key, input_key, output_key
from zerog.model.errors import (
    DatastoreError,
    DocumentExistsError,
    DocumentNotFoundError,
    JobStateError,
    QueueError,
    RevisionConflictError,
)
from zerog.model.names import tube_name
from zerog.model.record import Cause, JobId, JobRecord, State, from_document, is_job_id, to_document
from zerog.queue.port import Producer
from zerog.store.port import Datastore, Stored
from zerog_api.problems import Problem

log = logging.getLogger(__name__)

#: Entry ids are written back this often, so many at a time.
NOTE_SECONDS, NOTE_BATCH = 1.0, 200
#: Most jobs are claimed sooner, and need no note.
NOTE_AGE_SECONDS = 3.0
#: Changes that lose a race are tried again this often.
MAX_RACES = 20


@dataclass(frozen=True, slots=True)
class Asked:
    """The options of a POST."""

    priority: int | None = None
    timeout_seconds: float | None = None
    not_before_time: datetime | None = None


@dataclass(frozen=True, slots=True)
class _Note:
    """An accepted job's queue entry, to be noted in its document."""

    taken: float
    record: JobRecord
    revision: str
    entry_id: int


class Jobs:
    """The jobs of a datastore and a queue."""

    def __init__(self, store: Datastore, producer: Producer, stats: Stats) -> None:
        self.store = store
        self.stats = stats
        self._producer = producer
        self._notes: deque[_Note] = deque()

    async def accept(
        self,
        uuid: JobId,
        type_document: Mapping[str, Any],
        parameters: dict[str, Any],
        asked: Asked,
    ) -> None:
        """Store a new job and queue it."""
        now = datetime.now(UTC)
        record = life.accept(
            uuid=uuid,
            type_document=type_document,
            parameters=parameters,
            now=now,
            priority=asked.priority,
            timeout_seconds=asked.timeout_seconds,
            not_before_time=asked.not_before_time,
        )
        try:
            size = len(jsontext.dumps(parameters))
        except ValueError as error:
            raise Problem(400, "not-json", f"the parameters are no JSON: {error}") from None
        if size > INLINE_BYTES:
            with contextlib.suppress(DocumentExistsError):  # a repeat with the same key
                await self.store.insert("blobs", input_key(uuid), {"parameters": parameters})
            record = replace(record, parameters=None, has_input_blob=True)
        revision = await self.store.insert("jobs", uuid, to_document(record), durable=True)
        await self._queue(record, revision, life.delay_until(record.not_before_time, now))
        self.stats.accepted(record.queue)

    async def _queue(self, record: JobRecord, revision: str, delay_seconds: int) -> None:
        try:
            entry_id = await self._producer.put(
                tube_name(record.queue),
                record.uuid,
                priority=record.priority,
                delay_seconds=delay_seconds,
            )
        except QueueError:
            with contextlib.suppress(DatastoreError):
                await self.store.remove("jobs", record.uuid, revision=revision)
            raise
        self._notes.append(_Note(time.monotonic(), record, revision, entry_id))

    async def keep(self, uuid: JobId) -> bool:
        """Make sure that a job which another request has stored is queued; False if it is gone.

        That request may be about to take it back, because its put failed: once the entry is
        noted it cannot any more. An entry too many is harmless.
        """
        for _ in range(MAX_RACES):
            stored = await self.store.get("jobs", uuid)
            if stored is None:
                return False
            record = from_document(stored.document)
            if record.attempt or record.is_finished or record.entry_id is not None:
                return True
            entry_id = await self._producer.put(
                tube_name(record.queue),
                uuid,
                priority=record.priority,
                delay_seconds=life.delay_until(record.not_before_time, datetime.now(UTC)),
            )
            document = to_document(replace(record, entry_id=entry_id))
            with contextlib.suppress(RevisionConflictError, DocumentNotFoundError):
                await self.store.replace("jobs", uuid, document, stored.revision, durable=True)
                return True
        raise Problem(409, "busy", "the job changes too fast; try again")

    async def take_back(self, uuid: JobId) -> None:
        """Forget an accepted job that has not begun: the batch it came with is refused."""
        with contextlib.suppress(DatastoreError):
            stored = await self.store.get("jobs", uuid)
            if stored is not None and stored.document["attempt"] == 0:
                await self.store.remove("jobs", uuid, revision=stored.revision)

    async def note_entries(self, stop: asyncio.Event) -> None:
        """Write the ids of queue entries into their documents, lazily, until told to stop.

        A job that was claimed meanwhile has another revision and its entry noted: that
        is most of them, so the ids wait a little before they are written.
        """
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), NOTE_SECONDS)
            await self.flush_notes(NOTE_AGE_SECONDS)

    async def flush_notes(self, age_seconds: float = 0.0) -> None:
        """Write the ids that wait so long. What cannot be written is left to the reconciler."""
        due = time.monotonic() - age_seconds
        while self._notes and self._notes[0].taken <= due:
            notes: list[_Note] = []
            while self._notes and self._notes[0].taken <= due and len(notes) < NOTE_BATCH:
                notes.append(self._notes.popleft())
            await self._write_notes(notes)

    async def _write_notes(self, notes: list[_Note]) -> None:
        with contextlib.suppress(DatastoreError):
            stored = await self.store.get_many("jobs", [note.record.uuid for note in notes])
            same = [
                note
                for note in notes
                if (found := stored.get(note.record.uuid)) and found.revision == note.revision
            ]
            results = await asyncio.gather(
                *[
                    self.store.replace(
                        "jobs",
                        note.record.uuid,
                        to_document(replace(note.record, entry_id=note.entry_id)),
                        note.revision,
                    )
                    for note in same
                ],
                return_exceptions=True,
            )
            for result in results:
                if isinstance(result, BaseException) and not isinstance(result, DatastoreError):
                    raise result

    async def read(self, uuid: str) -> Stored:
        """Return a control document. A 404 `Problem` if there is none."""
        stored = await self.store.get("jobs", uuid) if is_job_id(uuid) else None
        if stored is None:
            raise unknown_job(uuid)
        return stored

    async def cancel(self, uuid: str) -> JobRecord:
        """Ask for a job's end: at once if it does not run, else as soon as it can."""
        return await self._change(uuid, life.CancelRequested())

    async def retry(self, uuid: str) -> JobRecord:
        """Let a finished job run again."""
        return await self._change(uuid, life.Replayed())

    async def _change(self, uuid: str, event: life.Event) -> JobRecord:
        for _ in range(MAX_RACES):
            stored = await self.read(uuid)
            record = from_document(stored.document)
            step = life.step(record, event, datetime.now(UTC))
            if step.record is record:
                return record
            try:
                revision = await self.store.replace(
                    "jobs",
                    uuid,
                    to_document(step.record),
                    stored.revision,
                    durable=True,
                    expire_seconds=(
                        life.retention_seconds(step.record) if step.record.is_finished else None
                    ),
                )
            except RevisionConflictError:
                continue
            if step.record.is_finished:
                self.stats.finished(step.record)
            if isinstance(step.action, life.Put):
                self.stats.accepted(record.queue)
                await self._requeue(step.record, revision)
            elif step.record.is_finished and (record.attempt > 0 or record.has_input_blob):
                await expire_side_documents(self.store, step.record)
            return step.record
        raise Problem(409, "busy", "the job changes too fast; try again")

    async def _requeue(self, record: JobRecord, revision: str) -> None:
        await keep_input(self.store, record)
        with contextlib.suppress(QueueError):
            # It is accepted; without an entry the reconciler queues it when the queue is back.
            entry = await self._producer.put(
                tube_name(record.queue), record.uuid, priority=record.priority
            )
            self._notes.append(_Note(time.monotonic(), record, revision, entry))

    async def delete(self, uuid: str) -> None:
        """Forget a finished job and all that belongs to it."""
        stored = await self.read(uuid)
        record = from_document(stored.document)
        if not record.is_finished:
            raise JobStateError(f"job {uuid} is {record.state}: cancel it first")
        try:
            await self.store.remove("jobs", uuid, revision=stored.revision)
        except RevisionConflictError:
            raise JobStateError(f"job {uuid} has just been changed: look again") from None
        await self.store.remove("progress", uuid)
        await self.store.remove("blobs", input_key(record.uuid))
        for attempt in range(1, record.attempt + 1):
            await self.store.remove("blobs", output_key(record.uuid, attempt))
            chunk = 0
            while await self.store.remove("events", events_key(record.uuid, attempt, chunk)):
                chunk += 1

    async def completeness(self, document: Mapping[str, Any]) -> float:
        """Return how much of a job is done, as it last said."""
        if document["state"] == State.SUCCEEDED:
            return 1.0
        if document["state"] == State.QUEUED or document["attempt"] == 0:
            return 0.0  # it begins: for the first time, anew, or where its own state says
        stored = await self.store.get("progress", document["uuid"])
        if stored is None or not still_holds(stored.document["attempt"], document):
            return 0.0
        return float(stored.document["completeness"])

    async def parameters(self, document: Mapping[str, Any]) -> Any:
        """Return a job's parameters, wherever they are."""
        if not document["hasInputBlob"]:
            return document.get("parameters", {})
        blob = await self.store.get("blobs", input_key(document["uuid"]))
        return blob.document["parameters"] if blob else None

    async def data(self, document: Mapping[str, Any]) -> Any:
        """Return a job's output data, wherever it is."""
        attempt = document.get("outputBlobAttempt")
        if attempt is None:
            return document.get("data")
        blob = await self.store.get("blobs", output_key(document["uuid"], attempt))
        return blob.document["data"] if blob else None

    async def lines(
        self, document: Mapping[str, Any], after: tuple[int, int] = (0, -1)
    ) -> list[dict[str, Any]]:
        """Return a job's log: attempt by attempt, in the order of writing.

        With `after`, an attempt and a line's number in it, chunks before it are not read.
        """
        uuid, lines = document["uuid"], []
        for attempt in [item["number"] for item in document["attempts"]]:
            if attempt < after[0]:
                continue
            chunk = max(after[1], 0) // EVENTS_PER_CHUNK if attempt == after[0] else 0
            while stored := await self.store.get("events", events_key(uuid, attempt, chunk)):
                events = stored.document["e"]
                lines += [
                    {"attempt": attempt, "seq": int(seq), **events[seq]}
                    for seq in sorted(events, key=int)
                ]
                chunk += 1
        return lines


def unknown_job(uuid: str) -> Problem:
    """Return the problem of a UUID that no job has."""
    return Problem(404, "unknown-job", f"there is no job {uuid[:50]!r}; finished ones expire")


def still_holds(attempt: int, document: Mapping[str, Any]) -> bool:
    """Whether what an attempt said of a job's completeness holds now: it is the last one, or
    each since then has continued what was there."""
    since = [item for item in document["attempts"] if item["number"] >= attempt]
    return all(item.get("cause") == Cause.CONTINUED for item in since[:-1])
