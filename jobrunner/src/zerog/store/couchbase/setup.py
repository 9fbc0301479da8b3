"""What has to be in a bucket before ZeroG can use it, looked at and made.

`inspect` compares; `initialise` makes what is missing, waits until the indexes are built, and
drops those that no statement reads any more. Both may run at any time and by several at once.
Scope and collections go through the management API, which there is without a query service too;
indexes are SQL++.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from couchbase import exceptions as sdk
from couchbase.options import QueryOptions

from zerog.model.errors import DatastoreError, DatastoreUnavailableError
from zerog.settings import CouchbaseSettings
from zerog.store.couchbase import statements
from zerog.store.couchbase.address import parse_address
from zerog.store.couchbase.connection import ALL_COLLECTIONS, Connection, is_missing
from zerog.store.couchbase.failures import translate
from zerog.store.couchbase.queries import (
    NOT_ALLOWED,
    ONLINE,
    FoundIndex,
    list_indexes,
    query_codes,
    state_of,
    translate_query,
)
from zerog.store.couchbase.statements import Index, Keyspace

#: What `zerog` needs for its work, and `init` beside that (Enterprise Edition's names). A scope is
#: made by a right on all of the bucket's scopes.
WORK_ROLES = ("data_reader", "data_writer", "query_select")
INIT_ROLES = ("query_manage_index", "query_list_index")
BUCKET_ROLES = ("scope_admin",)
#: Between two looks at indexes that are being built.
_LOOK_SECONDS = 0.2
_FORBIDDEN = 403
_NOT_SEEN = "not seen: the user may not list them"


@dataclass(slots=True)
class SetupState:
    """What there is, compared with what there should be."""

    scope: bool = False
    missing_collections: list[str] = field(default_factory=list)
    #: Those of the scope, by name; None: they were not looked at.
    indexes: dict[str, FoundIndex] | None = None
    #: What could not be looked at, and why.
    problems: list[str] = field(default_factory=list)


@contextlib.asynccontextmanager
async def open_setup(
    url: str, settings: CouchbaseSettings, deadline_seconds: float
) -> AsyncIterator["Setup"]:
    """Connect to the bucket that a store's URL names. Raises as `open_datastore`."""
    connection = await Connection.open(parse_address(url), settings, deadline_seconds, bare=True)
    try:
        yield Setup(connection, queries=settings.couchbase_listing == "query")
    finally:
        await connection.close()


class Setup:
    """Looks after the scope of one connection."""

    def __init__(self, connection: Connection, *, queries: bool) -> None:
        self._connection = connection
        self._queries = queries
        address = connection.address
        self.keyspace = Keyspace(address.bucket, address.scope)
        self.cluster = connection.cluster
        bucket = self.cluster.bucket(address.bucket)
        self._collections = bucket.collections()
        self._timeout = timedelta(seconds=connection.deadline_seconds)

    async def inspect(self) -> SetupState:
        """Look at everything. What the user may not look at is told, not raised."""
        return await self._connection.run(self._inspect())

    async def _inspect(self) -> SetupState:
        state = SetupState()
        try:
            there = await self._there()
            if there is None and not await is_missing(self._connection.collections["jobs"]):
                # To users who may not list them there seem to be none.
                raise DatastoreError(_NOT_SEEN)
            state.scope = there is not None
            state.missing_collections = [n for n in ALL_COLLECTIONS if n not in (there or ())]
        except DatastoreError as error:
            state.problems.append(f"collections: {error}")
        if self._queries:
            try:
                found, left_out = await list_indexes(self._connection, self.keyspace)
                if left_out and not any(i.name in found for i in statements.indexes()):
                    raise DatastoreError(_NOT_SEEN)
                state.indexes = found
            except DatastoreError as error:
                state.problems.append(f"indexes: {error}")
        return state

    async def initialise(self, *, replicas: int, wait_seconds: float) -> AsyncIterator[str]:
        """Make what is missing; yield a line for each thing that was made.

        Raises:
            DatastoreUnavailableError: An index is not built in time.
        """
        there = await self._there()
        if there is None:
            await self._make(
                self._collections.create_scope(self.keyspace.scope, timeout=self._timeout)
            )
            yield f"made the scope `{self.keyspace.bucket}`.`{self.keyspace.scope}`"
        for name in ALL_COLLECTIONS:
            if name not in (there or ()):
                await self._make(
                    self._collections.create_collection(
                        self.keyspace.scope, name, timeout=self._timeout
                    )
                )
                yield f"made the collection {self.keyspace.of(name)}"
        if self._queries:
            async for line in self._make_indexes(replicas, time.monotonic() + wait_seconds):
                yield line

    async def _make_indexes(self, replicas: int, deadline: float) -> AsyncIterator[str]:
        found = await self._index_states()
        for index in statements.indexes():
            if index.name not in found:
                await self._define(
                    statements.create_index(self.keyspace, index, replicas), deadline
                )
                yield f"defined the index {index.name}"
        await self._build(await self._unbuilt(), deadline)
        while waiting := await self._unbuilt():
            if time.monotonic() >= deadline:
                names = ", ".join(f"{index.name} ({state})" for index, state in waiting)
                raise DatastoreUnavailableError(
                    f"not built in time: {names}; see `zerog datastore check`"
                )
            await asyncio.sleep(_LOOK_SECONDS)
            await self._build(waiting, deadline)
        yield "all indexes are online"
        for name, unused in found.items():
            if statements.is_unused(name):
                statement = statements.drop_index(self.keyspace, unused.collection, name)
                await self._define(statement, deadline)
                yield f"dropped the index {name}, which is no longer used"

    async def _unbuilt(self) -> list[tuple[Index, str]]:
        found = await self._index_states()
        states = [(index, state_of(index.name, found)) for index in statements.indexes()]
        return [(index, state) for index, state in states if state != ONLINE]

    async def _build(self, waiting: list[tuple[Index, str]], deadline: float) -> None:
        indexes = [index for index, state in waiting if state == "deferred"]
        for collection in dict.fromkeys(index.collection for index in indexes):
            names = [index.name for index in indexes if index.collection == collection]
            await self._define(statements.build_indexes(self.keyspace, collection, names), deadline)

    async def _define(self, statement: str, deadline: float) -> None:
        """Run a defining statement. A collection made a moment ago is not known everywhere yet,
        and another process may be building: both pass."""
        while True:
            try:
                options = QueryOptions(timeout=self._timeout)
                result = self.cluster.query(statement, options)
                async for _ in result.rows():
                    pass
                return
            except sdk.CouchbaseException as error:
                if _is_done(error):
                    return
                if isinstance(error, sdk.ParsingFailedException) or _is_forbidden(error):
                    raise _refused(error, statement) from error
                if time.monotonic() >= deadline:
                    raise translate_query(error) from error
            await asyncio.sleep(_LOOK_SECONDS)

    async def _index_states(self) -> dict[str, FoundIndex]:
        return (await list_indexes(self._connection, self.keyspace))[0]

    async def _there(self) -> set[str] | None:
        """The names of the scope's collections; None if there is no scope."""
        try:
            scopes = await self._collections.get_all_scopes(timeout=self._timeout)
        except sdk.CouchbaseException as error:
            raise translate(error, "the list of collections") from error
        for scope in scopes:
            if scope.name == self.keyspace.scope:
                return {collection.name for collection in scope.collections}
        return None

    async def _make(self, call: Any) -> None:
        try:
            await call
        except (sdk.ScopeAlreadyExistsException, sdk.CollectionAlreadyExistsException):
            pass  # another process was faster
        except sdk.CouchbaseException as error:
            # The SDK has no class of its own for this.
            if getattr(error.error_context, "response_code", None) == _FORBIDDEN:
                roles = ", ".join(f"{role}[{self.keyspace.bucket}]" for role in BUCKET_ROLES)
                raise DatastoreError(
                    f"refused: scope and collections: the user needs {roles} (Enterprise Edition)"
                ) from error
            raise translate(error, "scope and collections") from error


def fixes(state: SetupState, keyspace: Keyspace) -> list[tuple[str, str]]:
    """Return what is wrong, and what puts it right. Pure."""
    found: list[tuple[str, str]] = []
    if not state.scope and not state.problems:
        found.append(("the scope is missing", statements.create_scope(keyspace)))
    for name in state.missing_collections:
        found.append(
            (f"the collection {name} is missing", statements.create_collection(keyspace, name))
        )
    if state.indexes is not None:
        found += _index_fixes(state.indexes, keyspace)
    for problem in state.problems:
        found.append((problem, f"give the user the roles {roles(keyspace)} (Enterprise Edition)"))
    return found


def _index_fixes(there: Mapping[str, FoundIndex], keyspace: Keyspace) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for index in statements.indexes():
        match state_of(index.name, there):
            case "missing":
                statement = statements.create_index(keyspace, index)
                found.append((f"the index {index.name} is missing", statement))
            case "deferred":
                statement = statements.build_indexes(keyspace, index.collection, [index.name])
                found.append((f"the index {index.name} is not built", statement))
            case other if other != ONLINE:
                found.append((f"the index {index.name} is {other}", "wait until it is online"))
    for name, unused in there.items():
        if statements.is_unused(name):
            statement = statements.drop_index(keyspace, unused.collection, name)
            found.append((f"the index {name} is no longer used, and costs writes", statement))
    return found


def roles(keyspace: Keyspace) -> str:
    """Return the roles of a user who may do everything here, as Couchbase writes them. Pure."""
    scope = f"{keyspace.bucket}:{keyspace.scope}"
    several = [f"{role}[{scope}]" for role in (*WORK_ROLES, *INIT_ROLES)]
    return ", ".join([*several, *(f"{role}[{keyspace.bucket}]" for role in BUCKET_ROLES)])


def plan(keyspace: Keyspace, *, replicas: int, queries: bool) -> list[str]:
    """Return the statements that make everything in an empty bucket. Pure."""
    lines = [statements.create_scope(keyspace)]
    lines += [statements.create_collection(keyspace, name) for name in ALL_COLLECTIONS]
    if not queries:
        return lines
    indexes = statements.indexes()
    lines += [statements.create_index(keyspace, index, replicas) for index in indexes]
    for collection in dict.fromkeys(index.collection for index in indexes):
        names = [index.name for index in indexes if index.collection == collection]
        lines.append(statements.build_indexes(keyspace, collection, names))
    return lines


def _is_done(error: sdk.CouchbaseException) -> bool:
    return isinstance(error, sdk.QueryIndexAlreadyExistsException)


def _is_forbidden(error: sdk.CouchbaseException) -> bool:
    return isinstance(error, sdk.AuthenticationException) or NOT_ALLOWED in query_codes(error)


def _refused(error: sdk.CouchbaseException, statement: str) -> DatastoreError:
    return DatastoreError(f"refused: {statement}: {translate_query(error)}")
