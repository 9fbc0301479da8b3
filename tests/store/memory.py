"""A datastore in this process's memory, with the semantics of the real ones.

Documents go through JSON on the way in and out, so that nothing is shared and nothing
is stored that a real store would refuse.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from zerog.model.errors import DocumentExistsError, DocumentNotFoundError, RevisionConflictError
from zerog.store.filtering import (
    count_up_to,
    due_time,
    first_due,
    is_of_workers,
    lacks_entry,
    matches,
    open_job,
    overdue_time,
    waiting_version,
)
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


@dataclass(slots=True)
class _Row:
    key: str
    body: bytes
    revision: int
    expires: float | None


class MemoryDatastore:
    """A `zerog.store.port.Datastore` that forgets everything at its end."""

    #: A count costs next to nothing here.
    count_pause_seconds = 0.0
    has_version = True
    writes_in_order = True

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._rows: dict[tuple[str, str], _Row] = {}
        self._leases: dict[str, tuple[str, float]] = {}
        self._revision = 0

    async def insert(
        self,
        collection: Collection,
        key: str,
        document: Document,
        *,
        durable: bool = False,
        expire_seconds: float | None = None,
    ) -> str:
        """Store a new document."""
        if self._live(collection, key) is not None:
            raise DocumentExistsError(f"there is a document {collection}/{key} already")
        return self._write(collection, key, document, self._expiry(expire_seconds))

    async def get(self, collection: Collection, key: str) -> Stored | None:
        """Read a document."""
        row = self._live(collection, key)
        return None if row is None else _stored(row)

    async def get_text(self, collection: Collection, key: str) -> bytes | None:
        """Read a document as its JSON text."""
        row = self._live(collection, key)
        return None if row is None else row.body

    async def size(self, collection: Collection, key: str) -> int:
        """Return how long a document's text is."""
        row = self._live(collection, key)
        return 0 if row is None else len(row.body)

    async def get_many(self, collection: Collection, keys: Sequence[str]) -> dict[str, Stored]:
        """Read several documents."""
        rows = {key: self._live(collection, key) for key in keys}
        return {key: _stored(row) for key, row in rows.items() if row is not None}

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
        self._check(collection, key, revision)
        return self._write(collection, key, document, self._expiry(expire_seconds))

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
        return self._write(collection, key, document, self._expiry(expire_seconds))

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
        row = self._live(collection, key)
        if row is None and (revision is not None or not create):
            raise DocumentNotFoundError(f"there is no document {collection}/{key}")
        if revision is not None:
            self._check(collection, key, revision)
        document = decode_document(row.body) if row is not None else {}
        apply_patch(document, ops)
        return self._write(collection, key, document, row.expires if row is not None else None)

    def damage(self, collection: Collection, key: str, body: bytes) -> None:
        """Put something into the place of a document, as no store writes it."""
        self._revision += 1
        self._rows[collection, key] = _Row(key, body, self._revision, None)

    async def remove(
        self,
        collection: Collection,
        key: str,
        *,
        revision: str | None = None,
        durable: bool = False,
    ) -> bool:
        """Remove a document."""
        row = self._live(collection, key)
        if row is None:
            return False
        if revision is not None:
            self._check(collection, key, revision)
        del self._rows[collection, key]
        self._revision += 1
        return True

    async def expire(self, collection: Collection, key: str, seconds: float) -> bool:
        """Let a document vanish after so many seconds."""
        row = self._live(collection, key)
        if row is None:
            return False
        self._revision += 1
        row.expires, row.revision = self._clock() + seconds, self._revision
        return True

    async def list_jobs(
        self,
        job_filter: JobFilter,
        *,
        limit: int = 100,
        cursor: str | None = None,
        fresh: bool = False,
    ) -> Page:
        """List control documents, newest first."""
        found = [
            (key, row)
            for key, row in self._matching(job_filter)
            if cursor is None or key < cursor
        ]  # fmt: skip
        page: list[Stored] = []
        size = 0
        for _, row in found[:limit]:
            if size >= MAX_PAGE_BYTES:
                break
            page.append(_stored(row))
            size += len(row.body)
        return Page(page, page[-1].key if len(found) > len(page) else None)

    async def count_jobs(self, job_filter: JobFilter) -> int:
        """Count control documents."""
        return len(self._matching(job_filter))

    async def open_jobs(
        self, *, after: str = "", limit: int, without_entry_since: str | None = None
    ) -> list[OpenJob]:
        """Return jobs that are not finished."""
        found = [
            job
            for job, document in self._open()
            if job.uuid > after
            and (without_entry_since is None or lacks_entry(document, without_entry_since))
        ]
        return found[:limit]

    async def count_open(self, changed_before: str) -> dict[str, int]:
        """Count jobs that are not finished, by queue."""
        return Counter(
            document["queue"]
            for job, document in self._open()
            if job.changed and job.changed < changed_before and "queue" in document
        )

    async def jobs_of_workers(self, workers: Sequence[str]) -> list[str]:
        """Return jobs that the workers may run."""
        rows = self._matching(JobFilter())
        return [key for key, row in rows if is_of_workers(_stored(row).document, workers)]

    async def count_waiting(
        self, versions: Sequence[QueuedVersion], *, limit: int
    ) -> dict[QueuedVersion, int]:
        """Count jobs of versions that wait for a worker."""
        rows = self._matching(JobFilter())
        found = [waiting_version(_stored(row).document) for _, row in rows]
        return count_up_to(found, versions, limit)

    async def due_times(
        self, queues: Sequence[str], *, after: str, until: str, limit: int
    ) -> dict[str, list[str]]:
        """Return when delayed jobs fall due."""
        rows = self._matching(JobFilter())
        found = [due_time(_stored(row).document) for _, row in rows]
        return first_due(found, queues, after=after, until=until, limit=limit)

    async def overdue_jobs(self, until: str, *, limit: int) -> list[str]:
        """Return queued jobs that have not started in time."""
        rows = self._matching(JobFilter())
        found = [(overdue_time(_stored(row).document), key) for key, row in rows]
        return [key for time, key in sorted((t, k) for t, k in found if t) if time <= until][:limit]

    async def scan(self, collection: Collection, *, fresh: bool = False) -> dict[str, Stored]:
        """Read all of a small collection."""
        keys = [key for place, key in self._rows if place == collection]
        return await self.get_many(collection, keys)

    async def version(self) -> str | None:
        """Return a token that changes with every write."""
        return str(self._revision)

    async def try_lock(self, name: str, owner: str, *, seconds: float) -> bool:
        """Take or prolong a lease."""
        holder, expires = self._leases.get(name, (owner, 0.0))
        if holder != owner and expires >= self._clock():
            return False
        self._leases[name] = (owner, self._clock() + seconds)
        return True

    async def ready(self) -> None:
        """It always is."""

    async def close(self) -> None:
        """Nothing to let go of."""

    def _live(self, collection: str, key: str) -> _Row | None:
        row = self._rows.get((collection, key))
        if row is None or (row.expires is not None and row.expires <= self._clock()):
            return None
        return row

    def _check(self, collection: str, key: str, revision: str) -> None:
        row = self._live(collection, key)
        if row is None:
            raise DocumentNotFoundError(f"there is no document {collection}/{key}")
        if str(row.revision) != revision:
            raise RevisionConflictError(f"{collection}/{key} was changed in the meantime")

    def _write(self, collection: str, key: str, document: Document, expires: float | None) -> str:
        body = encode_document(key, document)
        self._revision += 1
        self._rows[collection, key] = _Row(key, body, self._revision, expires)
        return str(self._revision)

    def _expiry(self, seconds: float | None) -> float | None:
        return None if seconds is None else self._clock() + seconds

    def _open(self) -> list[tuple[OpenJob, Document]]:
        documents = {key: _stored(row).document for key, row in self._matching(JobFilter())}
        jobs = [(open_job(key, document), document) for key, document in documents.items()]
        return [(job, document) for job, document in reversed(jobs) if job is not None]

    def _matching(self, job_filter: JobFilter) -> list[tuple[str, _Row]]:
        keys = sorted((key for place, key in self._rows if place == "jobs"), reverse=True)
        rows = [(key, self._live("jobs", key)) for key in keys]
        return [
            (key, row)
            for key, row in rows
            if row is not None and matches(key, _stored(row).document, job_filter)
        ]


def _stored(row: _Row) -> Stored:
    return as_stored(row.body, str(row.revision), row.key)
