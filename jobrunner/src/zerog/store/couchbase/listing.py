"""List jobs: by SQL++ over covering indexes. `zerog.store.couchbase.directory` does without.

The indexes say which keys; the documents are then read by key, so that what is returned
is what is stored now, with its revision. An index is some milliseconds late, on Community Edition
up to 200. A caller that must find what was written before its call asks for a `fresh` answer,
which waits for the indexes (`request_plus`). The others take what the index has.
"""

import heapq
import time
from collections.abc import Awaitable, Callable, Sequence
from itertools import chain, islice
from typing import Any, Protocol

from zerog.store.couchbase import statements
from zerog.store.couchbase.queries import Queries
from zerog.store.couchbase.statements import Query
from zerog.store.filtering import LAST, matches
from zerog.store.port import MAX_PAGE_BYTES, Collection, JobFilter, Stored

GetMany = Callable[[Collection, Sequence[str]], Awaitable[dict[str, Stored]]]
#: Control documents that are read at the same time: a few MiB at most.
READ_TOGETHER = 64


class Listing(Protocol):
    """How a store finds documents other than by their keys."""

    async def page(
        self, job_filter: JobFilter, limit: int, before: str | None, *, fresh: bool
    ) -> tuple[list[Stored], str | None]:
        """Return jobs with keys below `before`, descending, and the last key if there are more."""
        ...

    async def count(self, job_filter: JobFilter) -> int:
        """Count jobs."""
        ...

    async def keys(self, collection: Collection, *, fresh: bool) -> list[str]:
        """Return all keys of a small collection."""
        ...

    async def adding(self, collection: Collection, key: str) -> None:
        """Take note of a document that is about to be written."""
        ...


class QueryListing:
    """Lists by the query service."""

    def __init__(self, queries: Queries, get_many: GetMany) -> None:
        self._queries = queries
        self._keyspace = queries.keyspace
        self._get_many = get_many

    async def page(
        self, job_filter: JobFilter, limit: int, before: str | None, *, fresh: bool
    ) -> tuple[list[Stored], str | None]:
        """Return jobs with keys below `before`, descending, and the last key if there are more."""
        queries = statements.list_keys(
            self._keyspace, job_filter, before=LAST if before is None else before, limit=limit + 1
        )
        runs = await self._arrays(queries, fresh=fresh)
        merged = list(islice(heapq.merge(*runs, reverse=True), limit + 1))
        jobs: list[Stored] = []
        end = size = 0
        while end < min(limit, len(merged)) and size < MAX_PAGE_BYTES:
            keys = merged[end : min(limit, end + READ_TOGETHER)]
            documents = await self._get_many("jobs", keys)
            for key in keys:
                if size >= MAX_PAGE_BYTES:
                    break
                end += 1
                # A document may have changed, or gone, since the index was read.
                found = documents.get(key)
                if found is not None and matches(key, found.document, job_filter):
                    jobs.append(found)
                    size += found.size_bytes
        return jobs, merged[end - 1] if len(merged) > end else None

    async def count(self, job_filter: JobFilter) -> int:
        """Count jobs."""
        queries = statements.count(self._keyspace, job_filter, now=int(time.time()))
        return sum(sum(counted) for counted in await self._arrays(queries, fresh=True))

    async def keys(self, collection: Collection, *, fresh: bool) -> list[str]:
        """Return all keys of a small collection."""
        queries = statements.scan(self._keyspace, collection)
        return list(chain.from_iterable(await self._arrays(queries, fresh=fresh)))

    async def adding(self, collection: Collection, key: str) -> None:
        """The indexes take note by themselves."""

    async def _arrays(self, queries: Sequence[Query], *, fresh: bool) -> list[list[Any]]:
        return [array for (row,) in await self._queries.ask(*queries, fresh=fresh) for array in row]
