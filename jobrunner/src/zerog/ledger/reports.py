"""What one attempt reports, on its way from its process to the store.

Reports are taken in at any rate and written at most once per interval; the last completeness and
every log line are written before the attempt's end is. A store that is unavailable delays the
writing, never the job. What a process may report is bounded here again, and so is what waits to be
written (`Backlog`): nothing a process sends is trusted. What is not kept is counted, and the log
says so.

Every document is written by compare-and-swap, and a document whose revision is not known is only
written after a look at the record: an attempt that was taken over while its worker was frozen
raises `StaleAttemptError` instead of overwriting its successor's reports.
"""

import asyncio
import logging
from datetime import UTC, datetime
from itertools import takewhile

from msgspec import Struct

from zerog.model.documents import LogChunk, LogLine, Progress, chunk_of, log_key, write
from zerog.model.errors import (
    AmbiguousWriteError,
    DatastoreError,
    DatastoreUnavailableError,
    DocumentExistsError,
    DocumentNotFoundError,
    RevisionConflictError,
    StaleAttemptError,
)
from zerog.model.limits import (
    EXTRA_LINES,
    LINE_OVERHEAD_BYTES,
    MAX_LINE_CHARS,
    MAX_LOG_BYTES,
    MAX_LOG_LINES,
    UNFINISHED_SECONDS,
)
from zerog.model.record import JobId
from zerog.store.port import Collection, Datastore, Document

log = logging.getLogger(__name__)

#: Looks at a document that somebody else changes again and again.
MAX_RACES = 5
#: Log lines that may wait for the store, of all attempts of one slot: one whole log, and the lines
#: of the next attempts meanwhile.
MAX_BACKLOG_BYTES = 2 * MAX_LOG_BYTES


class Backlog(Struct):
    """How much of the logs of one slot waits to be written."""

    bytes: int = 0

    def has_room(self, size: int) -> bool:
        """Whether this much may be added."""
        return self.bytes + size <= MAX_BACKLOG_BYTES


class _Waiting(Struct, frozen=True):
    line: LogLine
    size: int


class Reports:
    """The reports of one attempt that are not written yet."""

    def __init__(self, store: Datastore, uuid: JobId, attempt: int, backlog: Backlog) -> None:
        self._uuid = uuid
        self._attempt = attempt
        self._store = store
        self._backlog = backlog
        self._completeness: tuple[float, datetime] | None = None
        self._lines: list[_Waiting] = []
        #: The chunk that is being filled: its lines so far.
        self._chunk: list[LogLine] = []
        self._taken = self._bytes = 0
        #: Lines that came when the log was full, and when too much waited for the store.
        self._dropped = self._skipped = 0
        #: Made when something is reported: most jobs report nothing.
        self._progress_document: _FencedDocument | None = None
        self._log_document: _FencedDocument | None = None
        #: The attempt's end and the worker's clock may want to write at the same time.
        self._flushing = asyncio.Lock()
        #: Whether this attempt wrote a document beside the record.
        self.wrote = False

    @property
    def pending(self) -> bool:
        """Whether something waits to be written."""
        return self._completeness is not None or bool(self._lines)

    def take_completeness(self, completeness: float, time: datetime) -> None:
        """Take in how much is done."""
        self._completeness = completeness, time

    def take_line(
        self,
        time: datetime,
        level: str,
        message: str,
        data: str | None = None,
        logger: str | None = None,
    ) -> bool:
        """Take in a log line; its data is JSON text. Whether it is kept: beyond the bounds it is
        only counted."""
        size = LINE_OVERHEAD_BYTES + len(message.encode()) + len((data or "").encode())
        # Why the job failed must find room.
        extra = 0 if level == "info" else EXTRA_LINES
        if (
            self._taken >= MAX_LOG_LINES + extra
            or self._bytes + size > MAX_LOG_BYTES + extra * MAX_LINE_CHARS
        ):
            self._dropped += 1
        elif not self._backlog.has_room(size):
            self._skipped += 1
        else:
            if self._skipped:
                self._say_skipped()
            line = LogLine(self._taken, time.astimezone(UTC), level, message, data, logger)
            self._append(line, size)
            return True
        return False

    def close(self) -> None:
        """Take in nothing more; the last lines say how many lines were not kept."""
        if self._skipped:
            self._say_skipped()
        if self._dropped:
            self._warn(f"the log is full: {self._dropped:,} more lines were not kept")
            self._dropped = 0

    def _say_skipped(self) -> None:
        self._warn(f"{self._skipped:,} lines were not kept: the datastore was unavailable")
        self._skipped = 0

    def _warn(self, message: str) -> None:
        line = LogLine(self._taken, datetime.now(UTC), "warning", message)
        self._append(line, LINE_OVERHEAD_BYTES)

    async def flush(self) -> None:
        """Write everything that waits.

        Raises what the store raises (nothing is lost by that), or `StaleAttemptError`.
        """
        async with self._flushing:
            await self._write_completeness()
            while self._lines:
                await self._write_lines()

    async def try_flush(self) -> None:
        """Write what waits if the store can be reached; otherwise keep it for the next time."""
        try:
            await self.flush()
        except DatastoreError as error:
            if error.transient:
                log.warning("reports of job %s are kept for later: %s", self._uuid, error)
                return
            # They would be refused for ever, and the job's end waits for them.
            log.error("reports of job %s cannot be kept: %s", self._uuid, error)
            self.forget()

    def forget(self) -> None:
        """Let go of what is not written: nobody will write it."""
        self._completeness = None
        if self._lines:
            self._drop(len(self._lines))

    def _append(self, line: LogLine, size: int) -> None:
        self._lines.append(_Waiting(line, size))
        self._taken += 1
        self._bytes += size
        self._backlog.bytes += size

    def _drop(self, count: int) -> None:
        self._backlog.bytes -= sum(waiting.size for waiting in self._lines[:count])
        del self._lines[:count]

    async def _write_completeness(self) -> None:
        if (reported := self._completeness) is None:
            return
        self.wrote = True
        document = write(Progress(self._attempt, *reported))
        if self._progress_document is None:
            self._progress_document = self._document("progress", self._uuid)
        await self._progress_document.write(document)
        if self._completeness is reported:
            self._completeness = None

    async def _write_lines(self) -> None:
        """Write the next chunk, or the next part of it."""
        number = chunk_of(self._lines[0].line.seq)
        waiting = (item.line for item in self._lines)
        fitting = list(takewhile(lambda line: chunk_of(line.seq) == number, waiting))
        if not self._chunk or chunk_of(self._chunk[0].seq) != number:
            self._chunk = []
            self._log_document = None
        if self._log_document is None:
            self._log_document = self._document(
                "events", log_key(self._uuid, self._attempt, number)
            )
        self.wrote = True
        lines = [*self._chunk, *fitting]
        await self._log_document.write(write(LogChunk(lines)))
        self._chunk = lines
        self._drop(len(fitting))

    def _document(self, collection: Collection, key: str) -> "_FencedDocument":
        return _FencedDocument(self._store, collection, key, self._uuid, self._attempt)


class _FencedDocument:
    """A document that nobody but the current attempt writes."""

    def __init__(
        self, store: Datastore, collection: Collection, key: str, uuid: JobId, attempt: int
    ) -> None:
        self._store = store
        self._collection = collection
        self._key = key
        self._uuid = uuid
        self._attempt = attempt
        self._revision: str | None = None

    async def write(self, document: Document) -> None:
        """Write it. `StaleAttemptError` if the attempt is not the current one any more."""
        failure: Exception | None = None
        for _ in range(MAX_RACES):
            try:
                self._revision = await self._try_write(document)
                return
            except (
                AmbiguousWriteError,
                DocumentExistsError,
                DocumentNotFoundError,
                RevisionConflictError,
            ) as error:
                self._revision, failure = None, error
        raise DatastoreUnavailableError(f"{self._collection}/{self._key}: {failure}")

    async def _try_write(self, document: Document) -> str:
        revision = self._revision
        if revision is None:
            await self._check_current()
            found = await self._store.get(self._collection, self._key)
            if found is None:
                return await self._store.insert(
                    self._collection, self._key, document, expire_seconds=UNFINISHED_SECONDS
                )
            revision = found.revision
        return await self._store.replace(
            self._collection, self._key, document, revision, expire_seconds=UNFINISHED_SECONDS
        )

    async def _check_current(self) -> None:
        stored = await self._store.get("jobs", self._uuid)
        record = {} if stored is None else stored.document
        if record.get("state") != "running" or record.get("attempt") != self._attempt:
            raise StaleAttemptError(f"attempt {self._attempt} of job {self._uuid} is over")
