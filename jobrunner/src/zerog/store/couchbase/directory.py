"""List jobs by keys alone, where there is no query service: for small clusters.

A tree of small documents says which jobs there are. Keys are UUIDv7, whose beginning is
the time, so the tree has one leaf for each four seconds in which a job came, below
nodes for four hours and seven weeks; a listing reads from the newest leaf downwards, or
from the oldest upwards, and filters the documents themselves. A key is noted *before* its
document is written: a note without a document costs a read, a document without a note
would be lost to listings and to repair.

Small collections have a roster each. Leaves of the past whose jobs have all gone, and
roster entries without a document, are removed by whoever reads them.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass

from zerog.model.errors import DatastoreError
from zerog.store.couchbase.connection import DIRECTORY, Connection, Deadline
from zerog.store.couchbase.listing import READ_TOGETHER, GetMany
from zerog.store.couchbase.patches import Patch, Patches
from zerog.store.couchbase.statements import SMALL
from zerog.store.couchbase.writes import Writes
from zerog.store.filtering import (
    count_up_to,
    due_time,
    first_due,
    is_of_workers,
    key_range,
    lacks_entry,
    matches,
    open_job,
    overdue_time,
    waiting_version,
)
from zerog.store.patching import decode_document
from zerog.store.port import (
    MAX_PAGE_BYTES,
    Collection,
    JobFilter,
    OpenJob,
    PatchOp,
    QueuedVersion,
    Stored,
)

#: Characters of the key that name a node on each level: 49 days, 4.7 hours, 4.1 seconds.
_LEVELS = (4, 6, 9)
#: A note is written again after so long: whoever pruned it meanwhile did so too early.
_RENEW_SECONDS = 5.0
_MAX_NOTED = 10_000
#: Leaves of jobs that are older than this get no new ones.
_SETTLED_SECONDS = 3600.0
#: Leaves read at a time.
_LEAVES = 16
_READ = 200


@dataclass(frozen=True, slots=True)
class _Way:
    """From where on keys are read, and whether upwards."""

    start: str | None = None
    upwards: bool = False

    def order(self, names: Iterable[str]) -> list[str]:
        """Return those keys, or beginnings of keys, that are on the way, in its order."""
        return [
            name
            for name in sorted(names, reverse=not self.upwards)
            if self.start is None
            or (
                name >= self.start[: len(name)] if self.upwards else name <= self.start[: len(name)]
            )
        ]


class Directory:
    """A `zerog.store.couchbase.listing.Listing` without queries, and its `OpenJobs`."""

    def __init__(
        self, connection: Connection, writes: Writes, patches: Patches, get_many: GetMany
    ) -> None:
        self._connection = connection
        self._writes = writes
        self._patches = patches
        self._get_many = get_many
        self._noted: dict[tuple[str, str], float] = {}
        self._noting: dict[tuple[str, str], asyncio.Task[None]] = {}

    async def adding(self, collection: Collection, key: str) -> None:
        """Note a key, unless this was done a moment ago."""
        if collection in SMALL:
            await self._note(_roster(collection), key)
        elif collection == "jobs":
            # From the leaf upwards would leave, after a crash, a leaf that nobody finds.
            # Durable as the job is: nobody finds a job whose note a failover has lost.
            node = _node("")
            for length in _LEVELS:
                await self._note(node, key[:length], durable=True)
                node = _node(key[:length])
            await self._note(node, key, durable=True)

    async def page(
        self, job_filter: JobFilter, limit: int, before: str | None, *, fresh: bool
    ) -> tuple[list[Stored], str | None]:
        """Return jobs with keys below `before`, descending, and the last key if there are more."""
        page: list[Stored] = []
        size = 0
        keys = key_range(job_filter, before)
        async for key, stored in self._jobs(_Way(keys.before)):
            if key < (keys.first or ""):
                break
            if matches(key, stored.document, job_filter):
                if len(page) >= limit or size >= MAX_PAGE_BYTES:
                    return page, page[-1].key
                page.append(stored)
                size += stored.size_bytes
        return page, None

    async def count(self, job_filter: JobFilter) -> int:
        """Count jobs, by reading them all."""
        jobs = self._jobs(_Way())
        return sum([1 async for key, stored in jobs if matches(key, stored.document, job_filter)])

    async def open_jobs(
        self, after: str, limit: int, without_entry_since: str | None
    ) -> list[OpenJob]:
        """Return jobs in ascending order, by reading all that come before the last of them."""
        found: list[OpenJob] = []
        async for key, stored in self._jobs(_Way(after, upwards=True)):
            job = open_job(key, stored.document)
            if job is None or (
                without_entry_since is not None
                and not lacks_entry(stored.document, without_entry_since)
            ):
                continue
            found.append(job)
            if len(found) == limit:
                break
        return found

    async def count_open(self, changed_before: str) -> dict[str, int]:
        """Count jobs by queue, by reading them all."""
        found = Counter[str]()
        async for key, stored in self._jobs(_Way()):
            job, queue = open_job(key, stored.document), stored.document.get("queue")
            if job is not None and isinstance(queue, str) and "" < job.changed < changed_before:
                found[queue] += 1
        return found

    async def keys(self, collection: Collection, *, fresh: bool) -> list[str]:
        """Return all keys of a small collection."""
        if collection == "jobs":
            return [key async for key, _ in self._jobs(_Way())]
        if collection not in SMALL:
            raise DatastoreError(
                f"the collection {collection} cannot be read whole without a query service"
            )
        keys = await self._children(_roster(collection))
        there = await self._get_many(collection, keys)
        for key in keys:
            if key not in there:
                await self._strike(_roster(collection), key)
        return list(there)

    async def jobs_of_workers(self, workers: Sequence[str]) -> list[str]:
        """Return jobs that the workers may run, by reading all jobs."""
        jobs = self._jobs(_Way())
        return [key async for key, stored in jobs if is_of_workers(stored.document, workers)]

    async def count_waiting(
        self, versions: Sequence[QueuedVersion], limit: int
    ) -> dict[QueuedVersion, int]:
        """Count jobs of versions that wait for a worker, by reading all jobs."""
        jobs = self._jobs(_Way())
        found = [waiting_version(stored.document) async for _, stored in jobs]
        return count_up_to(found, versions, limit)

    async def due_times(
        self, queues: Sequence[str], *, after: str, until: str, limit: int
    ) -> dict[str, list[str]]:
        """Return when delayed jobs fall due, by reading all jobs."""
        found = [due_time(stored.document) async for _, stored in self._jobs(_Way())]
        return first_due(found, queues, after=after, until=until, limit=limit)

    async def overdue_jobs(self, until: str, limit: int) -> list[str]:
        """Return queued jobs that have not started in time, by reading all jobs."""
        found = [(overdue_time(stored.document), key) async for key, stored in self._jobs(_Way())]
        return [key for time, key in sorted((t, k) for t, k in found if t) if time <= until][:limit]

    async def _jobs(self, way: _Way) -> AsyncIterator[tuple[str, Stored]]:
        """All jobs on the way, but for the one where it starts."""
        batch: list[str] = []
        async for leaves in self._leaves(way):
            for keys in leaves:
                batch += [key for key in way.order(keys) if key != way.start]
                if len(batch) >= _READ:
                    async for item in self._read(batch):
                        yield item
                    batch = []
        async for item in self._read(batch):
            yield item

    async def _read(self, keys: list[str]) -> AsyncIterator[tuple[str, Stored]]:
        for start in range(0, len(keys), READ_TOGETHER):
            part = keys[start : start + READ_TOGETHER]
            documents = await self._get_many("jobs", part)
            for key in part:
                if key in documents:
                    yield key, documents[key]
                elif _is_settled(key):
                    await self._strike(_node(key[: _LEVELS[-1]]), key)

    async def _leaves(self, way: _Way) -> AsyncIterator[list[list[str]]]:
        """The keys in leaves on the way, several leaves at a time."""
        for first in way.order(await self._children(_node(""))):
            for second in way.order(await self._children(_node(first))):
                names = way.order(await self._children(_node(second)))
                for start in range(0, len(names), _LEAVES):
                    part = names[start : start + _LEAVES]
                    leaves = await self._many([_node(name) for name in part])
                    for name, keys in zip(part, leaves, strict=True):
                        if not keys and _is_settled(name):
                            await self._strike(_node(second), name)
                    yield leaves

    async def _children(self, node: str) -> list[str]:
        return (await self._many([node]))[0]

    async def _many(self, nodes: Sequence[str]) -> list[list[str]]:
        deadline = Deadline.after(self._connection.deadline_seconds)
        read = await asyncio.gather(
            *[self._writes.get(DIRECTORY, node, deadline) for node in nodes]
        )
        return [list(decode_document(item.body).get("k", {})) if item else [] for item in read]

    async def _note(self, node: str, name: str, *, durable: bool = False) -> None:
        place = (node, name)
        if time.monotonic() - self._noted.get(place, float("-inf")) < _RENEW_SECONDS:
            return
        # Jobs of one moment have the same nodes: one of them writes, the others wait for it.
        if place not in self._noting:
            self._noting[place] = asyncio.create_task(self._write_note(node, name, durable))
        await asyncio.shield(self._noting[place])

    async def _write_note(self, node: str, name: str, durable: bool) -> None:
        now = time.monotonic()
        try:
            ops = [PatchOp("set", ("k", name), 0)]
            await self._patches.apply(Patch(DIRECTORY, node, ops, None, True, durable))
        finally:
            del self._noting[node, name]
        if len(self._noted) >= _MAX_NOTED:
            self._noted.clear()
        self._noted[node, name] = now

    async def _strike(self, node: str, name: str) -> None:
        with contextlib.suppress(DatastoreError):  # somebody else did
            ops = [PatchOp("unset", ("k", name))]
            await self._patches.apply(Patch(DIRECTORY, node, ops, None, False))


def _node(prefix: str) -> str:
    return f"jobs:{prefix}"


def _roster(collection: str) -> str:
    return f"all:{collection}"


def _is_settled(prefix: str) -> bool:
    """Whether a UUIDv7 that begins so is too old to be a new job's."""
    digits = prefix.replace("-", "")[:8]
    try:
        newest = int(digits.ljust(8, "f"), 16) << 16 | 0xFFFF
    except ValueError:
        return False
    return len(digits) == 8 and newest / 1000 < time.time() - _SETTLED_SECONDS
