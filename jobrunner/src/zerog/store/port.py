"""The datastore as the rest of ZeroG sees it: JSON documents in collections, with revisions.

The interface is what both SQLite and Couchbase do well, and nothing else: no
transactions over several documents, no locks, no array append. A write either names the
revision it replaces, or is harmless when repeated. `zerog.model.documents` knows what
the documents mean; an adapter does not, but for the few fields of a control document
that jobs are found by (see `JobFilter` and `OpenJob`).

All methods are coroutines of the one event loop that opened the store. Every method raises
`DatastoreUnavailableError` when the store cannot be reached within the deadline it was opened
with, and a write may raise `AmbiguousWriteError`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol, get_args

Document = dict[str, Any]
#: A type's name and the hash of its schema: what a job was accepted by.
Version = tuple[str, str]
#: A queue, a type's name and the hash of its schema: what jobs that wait are counted by. None: the
#: jobs of all queues.
QueuedVersion = tuple[str | None, str, str]

Collection = Literal[
    "jobs",
    "progress",
    "events",
    "blobs",
    "idempotency",
    "types",
    "workers",
    "stats",
    "tallies",
    "pools",
    "controls",
    "summaries",
    "waiters",
]
COLLECTIONS: tuple[Collection, ...] = get_args(Collection)

#: States of jobs that are not finished: each has a queue entry, or should have one.
OPEN_STATES = ("queued", "running", "waiting")
#: Those of jobs that a worker may have been running when it died.
BEGUN_STATES = ("running", "waiting")
#: Those of jobs that a worker will be needed for.
WAITING_STATES = ("queued", "waiting")
#: Limits that every adapter enforces alike, so that code tried on one works on the other.
MAX_KEY_BYTES = 200
MAX_PATCH_OPS = 16
MAX_PATH_DEPTH = 32
#: A page of a listing ends after the document with which it has this many bytes.
MAX_PAGE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Stored:
    """A document as read, with the revision to name when replacing it."""

    #: What is not a JSON object reads as one that holds only `zerog.model.documents.UNREADABLE`,
    #: so that whoever reads many documents gets the others.
    document: Document
    #: Opaque; changes with each write. A string, because a CAS exceeds what JavaScript can count.
    revision: str
    #: Where it is stored, whatever the document says of itself.
    key: str
    #: How long its JSON text is.
    size_bytes: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class PatchOp:
    """One change inside a document. `path` is the keys from the root, e.g. `("e", "17")`."""

    #: `set`: write, replacing. `add`: write, `PathExistsError` if there. `incr`: add a number to
    #: a number (missing counts as 0). `unset`: remove, `PathMissingError` if not there.
    #: Parents that are missing are created as objects by `set`, `add` and `incr`.
    kind: Literal["set", "add", "incr", "unset"]
    path: tuple[str, ...]
    value: Any = None


@dataclass(frozen=True, slots=True)
class JobFilter:
    """Which control documents to list. Empty means no restriction; all given must hold."""

    types: Sequence[str] = ()
    states: Sequence[str] = ()
    queues: Sequence[str] = ()
    #: Texts `key=value`: a job must have all of them.
    labels: Sequence[str] = ()
    #: Why the last attempt ended. This and the times of the end are of finished jobs only.
    causes: Sequence[str] = ()
    #: What the key begins with.
    key_prefix: str = ""
    #: Times: from the first of a pair, and before the second. That of submission is in the key.
    submitted_after: datetime | None = None
    submitted_before: datetime | None = None
    ended_after: datetime | None = None
    ended_before: datetime | None = None

    @property
    def is_of_ends(self) -> bool:
        """Whether only finished jobs can match."""
        return bool(self.causes or self.ended_after or self.ended_before)


@dataclass(frozen=True, slots=True)
class OpenJob:
    """What an index says of a job that is not finished. It may be a moment behind the document."""

    uuid: str
    #: `changedTime` (RFC 3339, UTC, fixed width); empty if the document has none.
    changed: str
    #: The number of the queue entry; None if none is noted, or none that a queue could have.
    entry_id: int | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a listing, newest first (descending UUIDv7)."""

    jobs: list[Stored] = field(default_factory=list)
    #: Pass to the next call; None when there is nothing more.
    cursor: str | None = None


class Datastore(Protocol):
    """What a store must do. See the module's docstring for what holds for every method."""

    @property
    def count_pause_seconds(self) -> float:
        """Between two calls of `count_open` there should be at least this time."""
        ...

    @property
    def has_version(self) -> bool:
        """Whether `version` shows changes. If not, whoever writes a job wakes those who wait for it
        (`zerog.ledger.waiters`)."""
        ...

    @property
    def writes_in_order(self) -> bool:
        """Whether the writes of this process are made in the order in which they were asked for,
        so that one is never there without those before it."""
        ...

    async def insert(
        self,
        collection: Collection,
        key: str,
        document: Document,
        *,
        durable: bool = False,
        expire_seconds: float | None = None,
    ) -> str:
        """Store a new document, return its revision. `DocumentExistsError` if the key is taken.

        With `durable` it has reached the disk (SQLite) or the replicas (Couchbase) on return.
        An expiry may be rounded up to the next whole second, here and below.
        """
        ...

    async def get(self, collection: Collection, key: str) -> Stored | None:
        """Read a document; None if there is none or it has expired."""
        ...

    async def get_text(self, collection: Collection, key: str) -> bytes | None:
        """Read a document as its JSON text: for those that are only passed on, and may be large."""
        ...

    async def size(self, collection: Collection, key: str) -> int:
        """Return how many bytes `get_text` returns, without reading them; 0 if there is none.

        A document that has just expired may still be counted.
        """
        ...

    async def get_many(self, collection: Collection, keys: Sequence[str]) -> dict[str, Stored]:
        """Read several documents; the missing are left out."""
        ...

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
        """Replace a document that still has this revision, return the new one.

        `RevisionConflictError` if it was changed since, `DocumentNotFoundError` if it is gone.
        Replacing clears an expiry, unless a new one is given.
        """
        ...

    async def upsert(
        self,
        collection: Collection,
        key: str,
        document: Document,
        *,
        expire_seconds: float | None = None,
        may_wait: bool = False,
    ) -> str:
        """Write a document whatever was there. Only for documents with one writer. Not durable.

        One that `may_wait` is written some milliseconds later if that saves a transaction, but
        never after what is asked for later.
        """
        ...

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
        """Change parts of a document, all of them or none, and return the new revision.

        Without `revision` the last writer wins. With `create` a missing document is made first;
        otherwise `DocumentNotFoundError`. An expiry is kept.
        """
        ...

    async def remove(
        self,
        collection: Collection,
        key: str,
        *,
        revision: str | None = None,
        durable: bool = False,
    ) -> bool:
        """Remove a document; whether it was there. `RevisionConflictError` as in `replace`."""
        ...

    async def expire(self, collection: Collection, key: str, seconds: float) -> bool:
        """Let a document vanish after so many seconds; whether it was there."""
        ...

    async def list_jobs(
        self,
        job_filter: JobFilter,
        *,
        limit: int = 100,
        cursor: str | None = None,
        fresh: bool = False,
    ) -> Page:
        """List control documents, newest first, by keyset pages. `ValueError`: a foreign cursor.

        What was written a moment before may be missing, unless the list must be `fresh`: that
        costs time, so only who is asked for its own writes needs it. Here and in `scan`.

        A page ends after `limit` documents, or after the one with which it has `MAX_PAGE_BYTES`. It
        may be shorter, even empty, and still have a cursor.
        """
        ...

    async def count_jobs(self, job_filter: JobFilter) -> int:
        """Count control documents."""
        ...

    async def open_jobs(
        self, *, after: str = "", limit: int, without_entry_since: str | None = None
    ) -> list[OpenJob]:
        """Return jobs that are not finished, in ascending order of their UUIDs, `after` one.

        Fewer than `limit` mean that there are no more. Given a time, only queued jobs that have no
        entry and have not changed since. It reads nothing but what it returns; what was written a
        moment ago may be missing.
        """
        ...

    async def count_open(self, changed_before: str) -> dict[str, int]:
        """Count jobs that are not finished and have not changed since, by queue.

        As of a moment ago. The cost grows with the number of such jobs: see `count_pause_seconds`.
        """
        ...

    async def jobs_of_workers(self, workers: Sequence[str]) -> list[str]:
        """Return the UUIDs of jobs that are running or waiting and of which one of these workers
        has made an attempt. It reads such jobs only, by one statement."""
        ...

    async def count_waiting(
        self, versions: Sequence[QueuedVersion], *, limit: int
    ) -> dict[QueuedVersion, int]:
        """Count the jobs of versions of types that are queued or waiting, by queue, of each up to a
        limit.

        It reads no more of an index than it counts.
        """
        ...

    async def due_times(
        self, queues: Sequence[str], *, after: str, until: str, limit: int
    ) -> dict[str, list[str]]:
        """Return the `notBeforeTime` of jobs that are queued or waiting, by queue, in ascending
        order: those later than `after` and up to `until`, the first `limit` of each queue.

        It reads no more of an index than it returns. What was written a moment ago may be missing.
        """
        ...

    async def overdue_jobs(self, until: str, *, limit: int) -> list[str]:
        """Return the UUIDs of queued jobs whose `expiresTime` is not after this one.

        It reads no more of an index than it returns. What was written a moment ago may be missing,
        and what has just changed may be among them.
        """
        ...

    async def scan(self, collection: Collection, *, fresh: bool = False) -> dict[str, Stored]:
        """Read all of a small collection (`types`, `workers`)."""
        ...

    async def version(self) -> str | None:
        """Return a token that changes when anything was written by anyone; None if the store does
        not have one (`has_version`).

        It costs next to nothing, so waiting for a change polls it instead of documents.
        """
        ...

    async def try_lock(self, name: str, owner: str, *, seconds: float) -> bool:
        """Take or prolong a lease by name across processes; False when somebody else has it."""
        ...

    async def ready(self) -> None:
        """Return if the store can be read and written now, else `DatastoreUnavailableError`."""
        ...

    async def close(self) -> None:
        """Finish the writes under way and let go of everything. Idempotent."""
        ...
