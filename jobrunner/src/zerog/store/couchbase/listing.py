"""List jobs: by SQL++ over covering indexes. `zerog.store.couchbase.directory` does without.

The indexes say which keys; the documents are then read by key, so that what is returned
is what is stored now, with its revision. Every query waits until the indexes have seen
all that was written before it (`request_plus`): a job is listed by whatever process as
soon as its POST was answered.
"""

import heapq
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from itertools import islice
from typing import Any, Protocol

from couchbase import exceptions as sdk
from couchbase.n1ql import QueryScanConsistency
from couchbase.options import QueryOptions

from zerog.model.errors import DatastoreError, DatastoreUnavailableError
from zerog.store.couchbase import failures, statements
from zerog.store.couchbase.connection import Connection
from zerog.store.couchbase.statements import LAST, Keyspace, Query
from zerog.store.filtering import matches
from zerog.store.port import Collection, JobFilter, Stored

GetMany = Callable[[Collection, Sequence[str]], Awaitable[dict[str, Stored]]]
#: The query service's codes: no index that it could use, an unknown collection.
_NO_INDEX, _NO_KEYSPACE = 4000, 12003


class Listing(Protocol):
    """How a store finds documents other than by their keys."""

    async def page(
        self, job_filter: JobFilter, limit: int, before: str | None
    ) -> tuple[list[Stored], str | None]:
        """Return jobs with keys below `before`, descending, and the last key if there are more."""
        ...

    async def count(self, job_filter: JobFilter) -> int:
        """Count jobs."""
        ...

    async def keys(self, collection: Collection) -> list[str]:
        """Return all keys of a small collection."""
        ...

    async def adding(self, collection: Collection, key: str) -> None:
        """Take note of a document that is about to be written."""
        ...


class QueryListing:
    """Lists by the query service."""

    def __init__(self, connection: Connection, get_many: GetMany) -> None:
        self._connection = connection
        self._get_many = get_many
        address = connection.address
        self._keyspace = Keyspace(address.bucket, address.scope)

    async def page(
        self, job_filter: JobFilter, limit: int, before: str | None
    ) -> tuple[list[Stored], str | None]:
        """Return jobs with keys below `before`, descending, and the last key if there are more."""
        queries = statements.list_keys(
            self._keyspace, job_filter, before=LAST if before is None else before, limit=limit + 1
        )
        rows = [await ask(self._connection, query) for query in queries]
        merged = list(islice(heapq.merge(*rows, reverse=True), limit + 1))
        keys = merged[:limit]
        documents = await self._get_many("jobs", keys)
        # A document may have changed, or gone, since the index was read.
        jobs = [
            documents[key]
            for key in keys
            if key in documents and matches(documents[key].document, job_filter)
        ]
        return jobs, keys[-1] if len(merged) > limit else None

    async def count(self, job_filter: JobFilter) -> int:
        """Count jobs."""
        queries = statements.count(self._keyspace, job_filter, now=int(time.time()))
        return sum([int((await ask(self._connection, query))[0]) for query in queries])

    async def keys(self, collection: Collection) -> list[str]:
        """Return all keys of a small collection."""
        return await ask(self._connection, statements.scan(self._keyspace, collection))

    async def adding(self, collection: Collection, key: str) -> None:
        """The indexes take note by themselves."""


async def ask(connection: Connection, query: Query, *, consistent: bool = True) -> list[Any]:
    """Return a query's rows. Raises our errors."""
    # Never prepared: when the query service has forgotten a prepared statement, as after a
    # restart, SDK 4.6.3 asks again but hears no answer and no timeout either.
    options = QueryOptions(
        named_parameters=dict(query.parameters),
        adhoc=True,
        read_only=True,
        timeout=timedelta(seconds=connection.deadline_seconds),
        scan_consistency=(
            QueryScanConsistency.REQUEST_PLUS if consistent else QueryScanConsistency.NOT_BOUNDED
        ),
    )
    try:
        result = connection.cluster.query(query.text, options)
        return [row async for row in result.rows()]
    except (sdk.CouchbaseException, RuntimeError) as error:
        raise translate_query(error) from error


def translate_query(error: Exception) -> DatastoreError:
    """Return our error for a query's. Reading changes nothing, so most may be tried again."""
    codes = set(query_codes(error))
    text = str(getattr(error, "message", None) or error)[:300]
    if _NO_INDEX in codes or isinstance(error, sdk.QueryIndexNotFoundException):
        return DatastoreUnavailableError("an index is missing: run `zerog datastore init`")
    if _NO_KEYSPACE in codes or isinstance(error, sdk.KeyspaceNotFoundException):
        return DatastoreUnavailableError("a collection is missing: run `zerog datastore init`")
    if isinstance(error, sdk.ParsingFailedException):
        return DatastoreError(f"the query service does not understand a statement: {text}")
    known = failures.translate(error, "a listing")
    if isinstance(known, DatastoreUnavailableError):
        return known
    return DatastoreUnavailableError(f"a listing failed: {text}")


def query_codes(error: Exception) -> list[int]:
    """Return the query service's error codes in an exception of the SDK."""
    context = getattr(error, "error_context", None)
    code = getattr(context, "first_error_code", None)
    return [code] if isinstance(code, int) else []
