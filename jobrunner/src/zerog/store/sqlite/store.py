"""The embedded datastore: one SQLite file, shared by the processes of one machine.

Writes go through the process's writer thread (`zerog.store.sqlite.writer`). Reads
happen on the event loop's own thread: in write-ahead-log mode they wait for nobody and
take microseconds. The file must be on a local file system.
"""

import asyncio
import heapq
import sqlite3
import time
from collections.abc import Sequence
from operator import itemgetter
from pathlib import Path
from typing import Any, Self

from zerog.model.errors import (
    DatastoreError,
    DocumentExistsError,
    DocumentNotFoundError,
    RevisionConflictError,
)
from zerog.store.filtering import decode_cursor, encode_cursor, is_of_workers
from zerog.store.patching import apply_patch, as_stored, decode_document, encode_document
from zerog.store.port import (
    MAX_PAGE_BYTES,
    Collection,
    Document,
    JobFilter,
    OpenJob,
    Page,
    PatchOp,
    QueuedVersion,
    Stored,
)
from zerog.store.sqlite import openjobs, schema
from zerog.store.sqlite.columns import COLUMNS, column_values
from zerog.store.sqlite.ranges import LIVE, ranges
from zerog.store.sqlite.writer import Writer

#: Keys in one `get_many` statement.
_MANY = 500
#: Between this many documents of a listing, the loop does other things: each takes some 10 µs.
_PARSED_AT_ONCE = 100
#: How long a read waits for a lock that only recovery and checkpoints of a closing process take.
_READ_TIMEOUT_SECONDS = 0.05
_FIELDS = ("body", "expires", *COLUMNS, "revision")
_ROW = (
    f"document (collection, key, {', '.join(_FIELDS)}) "
    f"VALUES ({','.join('?' * (len(_FIELDS) + 2))})"
)
_REPLACED = ", ".join(f"{name}=excluded.{name}" for name in _FIELDS)
_SET = ", ".join(f"{name}=?" for name in _FIELDS)
#: A row that has expired but is not swept yet makes room.
_INSERT = (
    f"INSERT INTO {_ROW} ON CONFLICT DO UPDATE SET {_REPLACED} "
    "WHERE expires IS NOT NULL AND expires <= ?"
)
_REPLACE = f"UPDATE document SET {_SET} WHERE collection=? AND key=? AND revision=? AND {LIVE}"
_UPSERT = f"INSERT OR REPLACE INTO {_ROW}"
#: A trigger would take a third of the time of an insert, also of a job without labels.
_LABEL = "INSERT OR IGNORE INTO label SELECT value, ? FROM json_each(?)"
_GET = f"SELECT body, revision, key FROM document WHERE collection=? AND key=? AND {LIVE}"


class SqliteDatastore:
    """A `zerog.store.port.Datastore` in a file."""

    #: A count takes some 20 ms for 100,000 jobs.
    count_pause_seconds = 0.0
    has_version = True
    writes_in_order = True

    def __init__(self, path: Path, reader: sqlite3.Connection, writer: Writer) -> None:
        self.path = path
        self._reader = reader
        self.writer = writer

    @classmethod
    async def open(cls, path: Path, deadline_seconds: float) -> Self:
        """Open the file, making it if needed. Raises `DatastoreUnavailableError`."""
        connection = schema.connect(path, readonly=False, timeout_seconds=deadline_seconds)
        schema.prepare(connection, path)
        # From here on the writer waits for the lock in its own, finer way.
        connection.execute("PRAGMA busy_timeout = 0")
        reader = schema.connect(path, readonly=True, timeout_seconds=_READ_TIMEOUT_SECONDS)
        return cls(path, reader, Writer(connection, path, deadline_seconds))

    async def insert(
        self,
        collection: Collection,
        key: str,
        document: Document,
        *,
        durable: bool = False,
        expire_seconds: float | None = None,
    ) -> str:
        """Store a new document; see the interface."""
        row = _row(collection, key, document, expire_seconds)

        def apply(connection: sqlite3.Connection, revision: int) -> str:
            cursor = connection.execute(_INSERT, (*row, revision, time.time()))
            if cursor.rowcount != 1:
                raise DocumentExistsError(f"there is a document {collection}/{key} already")
            _label(connection, row)
            return str(revision)

        return str(await self.writer.submit(apply, durable=durable))

    async def get(self, collection: Collection, key: str) -> Stored | None:
        """Read a document."""
        rows = self._read(_GET, (collection, key, time.time()))
        return _stored(rows[0]) if rows else None

    async def get_text(self, collection: Collection, key: str) -> bytes | None:
        """Read a document as its JSON text."""
        rows = self._read(
            f"SELECT body FROM document WHERE collection=? AND key=? AND {LIVE}",
            (collection, key, time.time()),
        )
        return rows[0][0] if rows else None

    async def size(self, collection: Collection, key: str) -> int:
        """Return how long a document's text is."""
        # SQLite does not read a BLOB for its length, but it does for the expiry that follows it.
        rows = self._read(
            "SELECT length(body) FROM document WHERE collection=? AND key=?", (collection, key)
        )
        return rows[0][0] if rows else 0

    async def get_many(self, collection: Collection, keys: Sequence[str]) -> dict[str, Stored]:
        """Read several documents."""
        found: dict[str, Stored] = {}
        for start in range(0, len(keys), _MANY):
            part = keys[start : start + _MANY]
            marks = ",".join("?" * len(part))
            rows = self._read(
                f"SELECT body, revision, key FROM document WHERE collection=? AND {LIVE} "
                f"AND key IN ({marks})",
                (collection, time.time(), *part),
            )
            found.update((row[2], _stored(row)) for row in rows)
        return found

    async def replace(
        self,
        collection: Collection,
        key: str,
        document: Document,
        revision: str,
        *,
        durable: bool = False,
        expire_seconds: float | None = None,
    ) -> str:
        """Replace a document that still has the revision."""
        row = _row(collection, key, document, expire_seconds)

        def apply(connection: sqlite3.Connection, new: int) -> str:
            now = time.time()
            values = (*row[2:], new, collection, key, revision, now)
            cursor = connection.execute(_REPLACE, values)
            if cursor.rowcount != 1:
                raise _conflict(connection, collection, key, now)
            return str(new)

        return str(await self.writer.submit(apply, durable=durable))

    async def upsert(
        self,
        collection: Collection,
        key: str,
        document: Document,
        *,
        expire_seconds: float | None = None,
        may_wait: bool = False,
    ) -> str:
        """Write a document whatever was there."""
        row = _row(collection, key, document, expire_seconds)

        def apply(connection: sqlite3.Connection, revision: int) -> str:
            connection.execute(_UPSERT, (*row, revision))
            _label(connection, row)
            return str(revision)

        return str(await self.writer.submit(apply, durable=False, may_wait=may_wait))

    async def patch(
        self,
        collection: Collection,
        key: str,
        ops: Sequence[PatchOp],
        *,
        revision: str | None = None,
        create: bool = False,
        durable: bool = False,
    ) -> str:
        """Change parts of a document."""

        def apply(connection: sqlite3.Connection, new: int) -> str:
            found = connection.execute(
                "SELECT body, revision, expires FROM document WHERE collection=? AND key=? "
                f"AND {LIVE}",
                (collection, key, time.time()),
            ).fetchone()
            if found is None and (revision is not None or not create):
                raise DocumentNotFoundError(f"there is no document {collection}/{key}")
            body, old, expires = found or (b"{}", None, None)
            if revision is not None and revision != str(old):
                raise RevisionConflictError(f"{collection}/{key} was changed in the meantime")
            document = decode_document(body)
            apply_patch(document, ops)
            row = _row(collection, key, document, None)
            connection.execute(_UPSERT, (*row[:3], expires, *row[4:], new))
            _label(connection, row)
            return str(new)

        return str(await self.writer.submit(apply, durable=durable))

    async def remove(
        self,
        collection: Collection,
        key: str,
        *,
        revision: str | None = None,
        durable: bool = False,
    ) -> bool:
        """Remove a document."""

        def apply(connection: sqlite3.Connection, _: int) -> bool:
            now = time.time()
            condition, values = ("", ()) if revision is None else ("AND revision=?", (revision,))
            cursor = connection.execute(
                f"DELETE FROM document WHERE collection=? AND key=? AND {LIVE} {condition}",
                (collection, key, now, *values),
            )
            if cursor.rowcount == 0 and revision is not None:
                error = _conflict(connection, collection, key, now)
                if isinstance(error, RevisionConflictError):
                    raise error
            return cursor.rowcount == 1

        return bool(await self.writer.submit(apply, durable=durable))

    async def expire(self, collection: Collection, key: str, seconds: float) -> bool:
        """Let a document vanish after so many seconds."""

        def apply(connection: sqlite3.Connection, revision: int) -> bool:
            now = time.time()
            cursor = connection.execute(
                "UPDATE document SET expires=?, revision=? WHERE collection=? AND key=? "
                f"AND {LIVE}",
                (now + seconds, revision, collection, key, now),
            )
            return cursor.rowcount == 1

        return bool(await self.writer.submit(apply, durable=False))

    async def list_jobs(
        self,
        job_filter: JobFilter,
        *,
        limit: int = 100,
        cursor: str | None = None,
        fresh: bool = False,
    ) -> Page:
        """List control documents, newest first."""
        before = decode_cursor(cursor) if cursor is not None else None
        parts = ranges(job_filter, now=time.time(), before=before)
        rows, more = self._merge(
            [f"SELECT body, revision, key FROM {part.source} WHERE {part.where}" for part in parts],
            [part.values for part in parts],
            limit,
        )
        page = Page([], encode_cursor(rows[-1][2]) if more else None)
        for start in range(0, len(rows), _PARSED_AT_ONCE):
            page.jobs.extend(_stored(row) for row in rows[start : start + _PARSED_AT_ONCE])
            await asyncio.sleep(0)
        return page

    async def count_jobs(self, job_filter: JobFilter) -> int:
        """Count control documents."""
        return sum(
            int(
                self._read(f"SELECT count(*) FROM {part.source} WHERE {part.where}", part.values)[
                    0
                ][0]
            )
            for part in ranges(job_filter, now=time.time())
        )

    async def open_jobs(
        self, *, after: str = "", limit: int, without_entry_since: str | None = None
    ) -> list[OpenJob]:
        """Return jobs that are not finished."""
        statement = openjobs.rows(after, limit, without_entry_since, time.time())
        return openjobs.as_jobs(self._read(statement.text, statement.values))

    async def count_open(self, changed_before: str) -> dict[str, int]:
        """Count jobs that are not finished, by queue."""
        statement = openjobs.counts(changed_before, time.time())
        return dict(self._read(statement.text, statement.values))

    async def jobs_of_workers(self, workers: Sequence[str]) -> list[str]:
        """Return jobs that the workers may run."""
        statement = openjobs.begun(workers, time.time())
        rows = self._read(statement.text, statement.values) if workers else []
        found = map(_stored, rows)
        return [stored.key for stored in found if is_of_workers(stored.document, workers)]

    async def count_waiting(
        self, versions: Sequence[QueuedVersion], *, limit: int
    ) -> dict[QueuedVersion, int]:
        """Count jobs of versions that wait for a worker."""
        now = time.time()
        asked = {version: openjobs.waiting(version, limit, now) for version in versions}
        return {v: self._read(each.text, each.values)[0][0] for v, each in asked.items()}

    async def due_times(
        self, queues: Sequence[str], *, after: str, until: str, limit: int
    ) -> dict[str, list[str]]:
        """Return when delayed jobs fall due."""
        now = time.time()
        asked = {queue: openjobs.due(queue, after, until, limit, now) for queue in queues}
        return {
            queue: [due for (due,) in self._read(each.text, each.values)]
            for queue, each in asked.items()
        }

    async def overdue_jobs(self, until: str, *, limit: int) -> list[str]:
        """Return queued jobs that have not started in time."""
        statement = openjobs.overdue(until, limit, time.time())
        return [key for (key,) in self._read(statement.text, statement.values)]

    async def scan(self, collection: Collection, *, fresh: bool = False) -> dict[str, Stored]:
        """Read all of a small collection."""
        rows = self._read(
            f"SELECT body, revision, key FROM document WHERE collection=? AND {LIVE}",
            (collection, time.time()),
        )
        return {row[2]: _stored(row) for row in rows}

    async def version(self) -> str | None:
        """Return a token that changes with every commit of any process."""
        return str(self._read("PRAGMA data_version", ())[0][0])

    async def try_lock(self, name: str, owner: str, *, seconds: float) -> bool:
        """Take or prolong a lease."""

        def apply(connection: sqlite3.Connection, _: int) -> bool:
            now = time.time()
            # Nobody holds a lease for longer than this: the clock was set back since.
            cursor = connection.execute(
                "INSERT INTO lease VALUES (?,?,?) ON CONFLICT DO UPDATE SET owner=excluded.owner, "
                "expires=excluded.expires WHERE owner=excluded.owner OR expires<? OR expires>?",
                (name, owner, now + seconds, now, now + seconds),
            )
            return cursor.rowcount == 1

        return bool(await self.writer.submit(apply, durable=False))

    async def ready(self) -> None:
        """Return if the file can be read and written."""
        self._read("SELECT key FROM document LIMIT 1", ())
        await self.writer.submit(_write_nothing, durable=False)

    async def close(self) -> None:
        """Finish the writes under way and close the file."""
        await self.writer.close()
        self._reader.close()

    def _merge(
        self, statements: Sequence[str], values: Sequence[tuple[Any, ...]], limit: int
    ) -> tuple[list[tuple[Any, ...]], bool]:
        """Return the first rows of several statements, by their keys, and whether there are more.
        Each is read as far as needed, and all see the same moment."""
        rows: list[tuple[Any, ...]] = []
        size, more = 0, False
        try:
            cursors = [
                self._reader.execute(f"{statement} ORDER BY key DESC LIMIT ?", (*given, limit + 1))
                for statement, given in zip(statements, values, strict=True)
            ]
            merged = heapq.merge(*cursors, key=itemgetter(2), reverse=True)
            for row in merged:
                if more := len(rows) >= limit or size >= MAX_PAGE_BYTES:
                    break
                rows.append(row)
                size += len(row[0])
            for cursor in cursors:
                cursor.close()
            return rows, more
        except sqlite3.Error as error:
            raise schema.translate(error, self.path) from error

    def _read(self, statement: str, values: tuple[Any, ...]) -> list[tuple[Any, ...]]:
        try:
            return self._reader.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise schema.translate(error, self.path) from error


def _row(
    collection: Collection, key: str, document: Document, expire_seconds: float | None
) -> tuple[Any, ...]:
    body = encode_document(key, document)
    expires = None if expire_seconds is None else time.time() + expire_seconds
    return (collection, key, body, expires, *column_values(collection, document))


def _write_nothing(connection: sqlite3.Connection, _: int) -> None:
    """Write a page that nobody reads: a disk may be full."""
    connection.execute("INSERT OR REPLACE INTO lease VALUES ('ready', '', 0)")


def _label(connection: sqlite3.Connection, row: tuple[Any, ...]) -> None:
    """Make a new job found by its labels, which never change."""
    _, key, *_, labels = row
    if labels is not None:
        connection.execute(_LABEL, (key, labels))


def _stored(row: tuple[Any, ...]) -> Stored:
    return as_stored(row[0], str(row[1]), row[2])


def _conflict(
    connection: sqlite3.Connection, collection: str, key: str, now: float
) -> DatastoreError:
    found = connection.execute(
        f"SELECT 1 FROM document WHERE collection=? AND key=? AND {LIVE}", (collection, key, now)
    ).fetchone()
    if found:
        return RevisionConflictError(f"{collection}/{key} was changed in the meantime")
    return DocumentNotFoundError(f"there is no document {collection}/{key}")
