"""List jobs: by SQL++ over covering indexes. `zerog.store.couchbase.directory` does without.

The indexes say which keys; the documents are then read by key, so that what is returned
is what is stored now, with its revision. An index is some milliseconds late, on Community Edition
up to 200. A caller that must find what was written before its call asks for a `fresh` answer,
which waits for the indexes (`request_plus`). The others take what the index has.
"""

import asyncio
import heapq
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from itertools import chain, islice
from typing import Any, Protocol

from couchbase import exceptions as sdk
from couchbase.n1ql import QueryScanConsistency
from couchbase.options import QueryOptions

from zerog.model.errors import DatastoreError, DatastoreUnavailableError
from zerog.store.couchbase import failures, statements
from zerog.store.couchbase.connection import Connection
from zerog.store.couchbase.statements import LAST, Keyspace, Query
from zerog.store.filtering import matches
from zerog.store.port import MAX_PAGE_BYTES, Collection, JobFilter, Stored

log = logging.getLogger(__name__)

GetMany = Callable[[Collection, Sequence[str]], Awaitable[dict[str, Stored]]]
#: Control documents that are read at the same time: a few MiB at most.
READ_TOGETHER = 64
#: The query service's codes: no index that it could use, an unknown collection, no right.
_NO_INDEX, _NO_KEYSPACE, NOT_ALLOWED = 4000, 12003, 13014
#: The query service's warning that it has left out what the user may not see.
_LEFT_OUT = 11011
#: Since 7.6 a statement without its index scans the collection instead, which is a right that
#: `query_select` is not. So the code for a missing right may mean a missing index.
_NOT_ALLOWED_HINT = (
    "an index is missing, or the user lacks the role query_select: run `zerog datastore check`"
)
ONLINE = "online"
#: Between two looks at the indexes, while all are there: somebody may drop one.
LOOK_SECONDS = 300.0


class NotAllowedError(DatastoreUnavailableError):
    """The user may not do what a statement asks for, or not without its index."""


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

    def __init__(self, connection: Connection, get_many: GetMany) -> None:
        self._connection = connection
        self._get_many = get_many
        address = connection.address
        self._keyspace = Keyspace(address.bucket, address.scope)
        self._guard = IndexGuard(connection, self._keyspace)

    async def page(
        self, job_filter: JobFilter, limit: int, before: str | None, *, fresh: bool
    ) -> tuple[list[Stored], str | None]:
        """Return jobs with keys below `before`, descending, and the last key if there are more."""
        queries = statements.list_keys(
            self._keyspace, job_filter, before=LAST if before is None else before, limit=limit + 1
        )
        runs = await self._ask_all(queries, fresh=fresh)
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
                if found is not None and matches(found.document, job_filter):
                    jobs.append(found)
                    size += found.size_bytes
        return jobs, merged[end - 1] if len(merged) > end else None

    async def count(self, job_filter: JobFilter) -> int:
        """Count jobs."""
        queries = statements.count(self._keyspace, job_filter, now=int(time.time()))
        return sum(sum(counted) for counted in await self._ask_all(queries, fresh=True))

    async def keys(self, collection: Collection, *, fresh: bool) -> list[str]:
        """Return all keys of a small collection."""
        queries = statements.scan(self._keyspace, collection)
        return list(chain.from_iterable(await self._ask_all(queries, fresh=fresh)))

    async def adding(self, collection: Collection, key: str) -> None:
        """The indexes take note by themselves."""

    async def _ask_all(self, queries: Sequence[Query], *, fresh: bool) -> list[list[Any]]:
        """Ask a call's queries at the same time, of which there are few, and return all arrays."""
        await self._guard.check(queries)
        answers = await asyncio.gather(
            *[ask(self._connection, query, consistent=fresh) for query in queries]
        )
        return [array for (row,) in answers for array in row]


class IndexGuard:
    """Refuses statements whose indexes are not there.

    A name of an index that is missing is ignored by the planner. It takes another one, or since
    7.6 the whole collection, and nothing says so but the load.
    """

    def __init__(self, connection: Connection, keyspace: Keyspace) -> None:
        self._connection = connection
        self._keyspace = keyspace
        #: Indexes that statements cannot use, each with its state.
        self._unusable: dict[str, str] = {}
        self._next_look = float("-inf")

    async def check(self, queries: Sequence[Query]) -> None:
        """Look at the indexes if it is time to.

        Raises:
            DatastoreUnavailableError: A statement names an index that is not online.
        """
        if (now := time.monotonic()) >= self._next_look:
            self._unusable = await self._look()
            self._next_look = now if self._unusable else now + LOOK_SECONDS
        lacking = [
            f"{name} ({state})"
            for name, state in self._unusable.items()
            if any(f"`{name}`" in query.text for query in queries)
        ]
        if lacking:
            raise DatastoreUnavailableError(
                f"an index is not usable: {', '.join(lacking)}: run `zerog datastore init`"
            )

    async def _look(self) -> dict[str, str]:
        try:
            found, left_out = await list_indexes(self._connection, self._keyspace)
        except NotAllowedError:
            found, left_out = {}, True
        if left_out or not found:
            # Who may not see them gets none, and no error.
            log.warning(
                "no index is seen: the user lacks the role query_list_index, "
                "or `zerog datastore init` was not run"
            )
            return {}
        states = {index.name: found.get(index.name, "missing") for index in statements.indexes()}
        return {name: state for name, state in states.items() if state != ONLINE}


async def list_indexes(connection: Connection, keyspace: Keyspace) -> tuple[dict[str, str], bool]:
    """Return the state of each index of the scope, by name, and whether some were left out
    because the user may not see them. Raises our errors."""
    parameters = {"bucket": keyspace.bucket, "scope": keyspace.scope}
    options = QueryOptions(
        named_parameters=parameters,
        adhoc=True,
        read_only=True,
        timeout=timedelta(seconds=connection.deadline_seconds),
    )
    try:
        result = connection.cluster.query(statements.INDEX_STATES, options)
        found = {row["name"]: row["state"] async for row in result.rows()}
        warnings = [warning.code() for warning in result.metadata().warnings()]
    except (sdk.CouchbaseException, RuntimeError) as error:
        raise translate_query(error) from error
    return found, _LEFT_OUT in warnings


async def ask(connection: Connection, query: Query, *, consistent: bool = False) -> list[Any]:
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
    if NOT_ALLOWED in codes:
        return NotAllowedError(_NOT_ALLOWED_HINT)
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
