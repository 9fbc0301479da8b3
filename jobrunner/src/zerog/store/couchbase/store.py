"""Couchbase as a `zerog.store.port.Datastore`.

Control documents change by CAS, progress and log lines without; each collection of the
interface is one in the scope that the URL names. `durable` asks for the durability level
of the settings. Expiries are whole seconds, rounded up; they are given with whole
documents or by touching one, never with a patch, which keeps what there is.
"""

import asyncio
from collections.abc import Sequence

from zerog.model import jsontext
from zerog.model.errors import (
    DocumentExistsError,
    DocumentNotFoundError,
    RevisionConflictError,
)
from zerog.settings import CouchbaseSettings
from zerog.store.couchbase.address import parse_address
from zerog.store.couchbase.connection import LEASES, Connection, Deadline
from zerog.store.couchbase.directory import Directory
from zerog.store.couchbase.listing import Listing, QueryListing
from zerog.store.couchbase.openjobs import OpenJobs, QueryOpenJobs
from zerog.store.couchbase.patches import Patch, Patches
from zerog.store.couchbase.probe import Probe
from zerog.store.couchbase.queries import Queries
from zerog.store.couchbase.writes import Writes
from zerog.store.filtering import decode_cursor, encode_cursor
from zerog.store.patching import as_stored, encode_document, is_key
from zerog.store.port import (
    Collection,
    Document,
    JobFilter,
    OpenJob,
    Page,
    PatchOp,
    QueuedVersion,
    Stored,
)

#: Documents read at the same time.
_MANY = 128
_MAX_CAS = 2**64


async def open_couchbase(
    url: str, settings: CouchbaseSettings, deadline_seconds: float, *, patient: bool = False
) -> "CouchbaseDatastore":
    """Connect to the store that the URL names. Raises as `zerog.store.open_datastore`."""
    address = parse_address(url)
    connection = await Connection.open(address, settings, deadline_seconds, patient=patient)
    return CouchbaseDatastore(connection, settings)


class CouchbaseDatastore:
    """A `zerog.store.port.Datastore` in a scope of a Couchbase bucket."""

    #: A count scans an index of all jobs that are not finished.
    count_pause_seconds = 300.0
    has_version = False
    writes_in_order = False

    def __init__(self, connection: Connection, settings: CouchbaseSettings) -> None:
        self.connection = connection
        self._writes = Writes(connection, settings.couchbase_durability)
        self._patches = Patches(connection, self._writes)
        self._probe = Probe(self._writes)
        queries = Queries(connection)
        self._listing: Listing = QueryListing(queries, self._get_many)
        self._open: OpenJobs = QueryOpenJobs(queries)
        if settings.couchbase_listing == "kv":
            directory = Directory(connection, self._writes, self._patches, self._get_many)
            self._listing = self._open = directory

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
        body = encode_document(key, document)

        async def work() -> str:
            await self._listing.adding(collection, key)
            return str(
                await self._writes.insert(
                    collection, key, body, durable=durable, expire_seconds=expire_seconds
                )
            )

        return await self.connection.run(work())

    async def get(self, collection: Collection, key: str) -> Stored | None:
        """Read a document."""
        return await self.connection.run(self._get(collection, key, self._deadline()))

    async def get_text(self, collection: Collection, key: str) -> bytes | None:
        """Read a document as its JSON text."""
        return await self.connection.run(self._get_text(collection, key))

    async def size(self, collection: Collection, key: str) -> int:
        """Return how long a document's text is."""
        return await self.connection.run(self._size(collection, key))

    async def get_many(self, collection: Collection, keys: Sequence[str]) -> dict[str, Stored]:
        """Read several documents."""
        return await self.connection.run(self._get_many(collection, keys))

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
        body = encode_document(key, document)

        async def work() -> str:
            cas = await self._cas(collection, key, revision)
            return str(
                await self._writes.replace(
                    collection, key, body, cas, durable=durable, expire_seconds=expire_seconds
                )
            )

        return await self.connection.run(work())

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
        body = encode_document(key, document)

        async def work() -> str:
            await self._listing.adding(collection, key)
            return str(
                await self._writes.upsert(collection, key, body, expire_seconds=expire_seconds)
            )

        return await self.connection.run(work())

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

        async def work() -> str:
            cas = None if revision is None else await self._cas(collection, key, revision)
            if create:
                await self._listing.adding(collection, key)
            return str(await self._patches.apply(Patch(collection, key, ops, cas, create, durable)))

        return await self.connection.run(work())

    async def remove(
        self,
        collection: Collection,
        key: str,
        *,
        revision: str | None = None,
        durable: bool = False,
    ) -> bool:
        """Remove a document."""

        async def work() -> bool:
            if not is_key(key):
                return False
            try:
                cas = None if revision is None else await self._cas(collection, key, revision)
            except DocumentNotFoundError:
                return False
            return await self._writes.remove(collection, key, cas, durable=durable)

        return await self.connection.run(work())

    async def expire(self, collection: Collection, key: str, seconds: float) -> bool:
        """Let a document vanish after so many seconds."""
        return await self.connection.run(self._writes.touch(collection, key, seconds))

    async def list_jobs(
        self,
        job_filter: JobFilter,
        *,
        limit: int = 100,
        cursor: str | None = None,
        fresh: bool = False,
    ) -> Page:
        """List control documents, newest first."""
        before = None if cursor is None else decode_cursor(cursor)
        page = self._listing.page(job_filter, limit, before, fresh=fresh)
        jobs, last = await self.connection.run(page)
        return Page(jobs, None if last is None else encode_cursor(last))

    async def count_jobs(self, job_filter: JobFilter) -> int:
        """Count control documents."""
        return await self.connection.run(self._listing.count(job_filter))

    async def open_jobs(
        self, *, after: str = "", limit: int, without_entry_since: str | None = None
    ) -> list[OpenJob]:
        """Return jobs that are not finished."""
        return await self.connection.run(self._open.open_jobs(after, limit, without_entry_since))

    async def count_open(self, changed_before: str) -> dict[str, int]:
        """Count jobs that are not finished, by queue."""
        return await self.connection.run(self._open.count_open(changed_before))

    async def jobs_of_workers(self, workers: Sequence[str]) -> list[str]:
        """Return jobs that the workers may run."""
        return await self.connection.run(self._open.jobs_of_workers(workers))

    async def count_waiting(
        self, versions: Sequence[QueuedVersion], *, limit: int
    ) -> dict[QueuedVersion, int]:
        """Count jobs of versions that wait for a worker."""
        if not versions:
            return {}
        return await self.connection.run(self._open.count_waiting(versions, limit))

    async def due_times(
        self, queues: Sequence[str], *, after: str, until: str, limit: int
    ) -> dict[str, list[str]]:
        """Return when delayed jobs fall due."""
        if not queues:
            return {}
        work = self._open.due_times(queues, after=after, until=until, limit=limit)
        return await self.connection.run(work)

    async def overdue_jobs(self, until: str, *, limit: int) -> list[str]:
        """Return queued jobs that have not started in time."""
        return await self.connection.run(self._open.overdue_jobs(until, limit))

    async def scan(self, collection: Collection, *, fresh: bool = False) -> dict[str, Stored]:
        """Read all of a small collection."""

        async def work() -> dict[str, Stored]:
            keys = await self._listing.keys(collection, fresh=fresh)
            return await self._get_many(collection, keys)

        return await self.connection.run(work())

    async def version(self) -> str | None:
        """Couchbase has no number that every write moves."""
        return None

    async def try_lock(self, name: str, owner: str, *, seconds: float) -> bool:
        """Take or prolong a lease: a document that expires by the server's clock."""
        return await self.connection.run(self._try_lock(name, owner, seconds))

    async def ready(self) -> None:
        """Return if documents can be read and written now, durably too."""
        await self.connection.run(self._probe.write())

    async def close(self) -> None:
        """Finish what is under way and disconnect."""
        await self.connection.close()

    async def _get(self, collection: Collection, key: str, deadline: Deadline) -> Stored | None:
        if not is_key(key):
            return None
        read = await self._writes.get(collection, key, deadline)
        return None if read is None else as_stored(read.body, str(read.cas), key)

    async def _get_text(self, collection: Collection, key: str) -> bytes | None:
        if not is_key(key):
            return None
        read = await self._writes.get(collection, key, self._deadline())
        return None if read is None else read.body

    async def _size(self, collection: Collection, key: str) -> int:
        if not is_key(key):
            return 0
        return await self._writes.size(collection, key, self._deadline())

    async def _get_many(self, collection: Collection, keys: Sequence[str]) -> dict[str, Stored]:
        wanted = list(dict.fromkeys(keys))
        found: dict[str, Stored | None] = {}
        for start in range(0, len(wanted), _MANY):
            part = wanted[start : start + _MANY]
            deadline = self._deadline()
            read = await asyncio.gather(*[self._get(collection, key, deadline) for key in part])
            found.update(zip(part, read, strict=True))
        return {key: stored for key, stored in found.items() if stored is not None}

    async def _cas(self, collection: Collection, key: str, revision: str) -> int:
        """Return the CAS that a revision stands for. One that no document ever had is refused as
        a stale one is; the SDK would take 0 for "any"."""
        if revision.isascii() and revision.isdecimal() and 0 < int(revision) < _MAX_CAS:
            return int(revision)
        if await self._get(collection, key, self._deadline()) is None:
            raise DocumentNotFoundError(f"there is no document {collection}/{key}")
        raise RevisionConflictError(f"{collection}/{key} has never had the revision {revision!r}")

    async def _try_lock(self, name: str, owner: str, seconds: float) -> bool:
        body = jsontext.dumps({"owner": owner})
        key = f"lease::{name}"
        try:
            await self._writes.insert(LEASES, key, body, expire_seconds=seconds)
            return True
        except DocumentExistsError:
            held = await self._writes.get(LEASES, key, self._deadline())
        if held is None or held.body != body:
            return False  # it ran out this moment, or is somebody else's
        try:
            await self._writes.replace(LEASES, key, body, held.cas, expire_seconds=seconds)
        except (RevisionConflictError, DocumentNotFoundError):
            return False
        return True

    def _deadline(self) -> Deadline:
        return Deadline.after(self.connection.deadline_seconds)
