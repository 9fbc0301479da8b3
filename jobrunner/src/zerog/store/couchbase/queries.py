"""Ask the query service: no statement goes there but through `Queries`.

It looks first whether the indexes that a statement names are there. A missing one would be ignored
by the planner, which would take another one, or since 7.6 the whole collection, and nothing says so
but the load.
"""

import asyncio
import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from couchbase import exceptions as sdk
from couchbase.n1ql import QueryScanConsistency
from couchbase.options import QueryOptions

from zerog.model.errors import DatastoreError, DatastoreUnavailableError
from zerog.store.couchbase import failures, statements
from zerog.store.couchbase.connection import Connection
from zerog.store.couchbase.statements import Keyspace, Query

log = logging.getLogger(__name__)

#: The query service's codes: no index that it could use, an unknown collection, no right.
_NO_INDEX, _NO_KEYSPACE, NOT_ALLOWED = 4000, 12003, 13014
#: The query service's warning that it has left out what the user may not see.
_LEFT_OUT = 11011
#: Since 7.6 a statement without its index scans the collection instead, which is a right that
#: `query_select` is not. So the code for a missing right may mean a missing index.
_NOT_ALLOWED_HINT = (
    "an index is missing, or the user lacks the role query_select: run `zerog datastore check`"
)
ONLINE, MISSING = "online", "missing"
#: Between two looks at the indexes, while all are there: somebody may drop one.
LOOK_SECONDS = 300.0


class NotAllowedError(DatastoreUnavailableError):
    """The user may not do what a statement asks for, or not without its index."""


class Queries:
    """Asks queries whose indexes are there."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.keyspace = Keyspace(connection.address.bucket, connection.address.scope)
        #: Indexes that statements cannot use, each with its state.
        self._unusable: dict[str, str] = {}
        self._next_look = float("-inf")

    async def ask(self, *queries: Query, fresh: bool = False) -> list[list[Any]]:
        """Ask a call's queries at the same time, of which there are few; return the rows of each.

        With `fresh` the answer has all that was written before (`request_plus`).

        Raises:
            DatastoreUnavailableError: A statement names an index that is not online.
        """
        await self._check(queries)
        return await asyncio.gather(
            *[_ask(self._connection, query, consistent=fresh) for query in queries]
        )

    async def _check(self, queries: Sequence[Query]) -> None:
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
            found, left_out = await list_indexes(self._connection, self.keyspace)
        except NotAllowedError:
            found, left_out = {}, True
        if left_out or not found:
            # Who may not see them gets none, and no error.
            log.warning(
                "no index is seen: the user lacks the role query_list_index, "
                "or `zerog datastore init` was not run"
            )
            return {}
        states = [(index.name, state_of(index.name, found)) for index in statements.indexes()]
        return {name: state for name, state in states if state != ONLINE}


@dataclass(frozen=True, slots=True)
class FoundIndex:
    """What the query service says of an index."""

    state: str
    collection: str


def state_of(name: str, found: Mapping[str, FoundIndex]) -> str:
    """Return the state of an index among those that were found, or `missing`."""
    return found[name].state if name in found else MISSING


async def list_indexes(
    connection: Connection, keyspace: Keyspace
) -> tuple[dict[str, FoundIndex], bool]:
    """Return the indexes of the scope by name, and whether some were left out because the user
    may not see them. Raises our errors."""
    parameters = {"bucket": keyspace.bucket, "scope": keyspace.scope}
    options = QueryOptions(
        named_parameters=parameters,
        adhoc=True,
        read_only=True,
        timeout=timedelta(seconds=connection.deadline_seconds),
    )
    try:
        result = connection.cluster.query(statements.INDEX_STATES, options)
        found = {
            row["name"]: FoundIndex(row["state"], row["keyspace_id"]) async for row in result.rows()
        }
        warnings = [warning.code() for warning in result.metadata().warnings()]
    except (sdk.CouchbaseException, RuntimeError) as error:
        raise translate_query(error) from error
    return found, _LEFT_OUT in warnings


async def _ask(connection: Connection, query: Query, *, consistent: bool) -> list[Any]:
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
