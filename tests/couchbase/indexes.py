"""The indexes that statements have defined; a query needs one, as it does on a real server."""

import json
from collections.abc import Callable
from dataclasses import dataclass

from tests.couchbase.sqlpp import (
    Array,
    BuildIndexes,
    Comparison,
    CreateIndex,
    DropIndex,
    Each,
    Expression,
    Field,
    IsMissing,
    Keyspace,
    Literal,
    Logic,
    Meta,
    QueryError,
)
from tests.couchbase.sqlpp_parser import parse_condition

INDEX_EXISTS = 4300
INDEX_FAILED = 5000
INDEX_NOT_FOUND = 12016
_DESCENDING = " DESC"


@dataclass(slots=True)
class Index:
    """One index."""

    name: str
    keyspace: Keyspace
    #: As text, for `system:indexes` and the journal; empty: a primary index.
    keys: tuple[str, ...]
    #: When it is online; None: it has not been built.
    online_at: float | None
    #: Which documents are in it, as text; a query must say the same. Empty: all.
    where: str = ""

    @property
    def plain_keys(self) -> tuple[str, ...]:
        """The keys without their direction."""
        return tuple(key.removesuffix(_DESCENDING) for key in self.keys)

    @property
    def condition(self) -> Expression | None:
        """Which documents are in it; None: all."""
        return parse_condition(self.where) if self.where else None


class Indexes:
    """All indexes of the bucket. A build takes as long as it is told to."""

    def __init__(self, clock: Callable[[], float], build_seconds: float = 0.0) -> None:
        self.all: list[Index] = []
        self._clock = clock
        self._build_seconds = build_seconds

    def state(self, index: Index) -> str:
        """Return the state as `system:indexes` names it."""
        if index.online_at is None:
            return "deferred"
        return "online" if index.online_at <= self._clock() else "building"

    def create(self, statement: CreateIndex) -> None:
        """Define an index; without `defer_build` it is built at once.

        Raises:
            QueryError: There is one of that name.
        """
        if self._find(statement.keyspace, statement.name) is not None:
            if statement.if_not_exists:
                return
            raise QueryError(INDEX_EXISTS, f"The index {statement.name} already exists.")
        deferred = statement.options.get("defer_build") is True
        keys = tuple(text_of(key.field) + _DESCENDING * key.descending for key in statement.keys)
        online_at = None if deferred else self._clock()
        where = "" if statement.where is None else text_of(statement.where)
        self.all.append(Index(statement.name, statement.keyspace, keys, online_at, where))

    def build(self, statement: BuildIndexes) -> None:
        """Start builds; those under way or done go on as they are.

        Raises:
            QueryError: An index is not there, or the collection's builds are not over.
        """
        found = [self._require(statement.keyspace, name) for name in statement.names]
        if any(
            self.state(index) == "building"
            for index in self.all
            if index.keyspace == statement.keyspace
        ):
            raise QueryError(INDEX_FAILED, "GSI BuildIndex() - Build Already In Progress.")
        for index in found:
            if index.online_at is None:
                index.online_at = self._clock() + self._build_seconds

    def drop(self, statement: DropIndex) -> None:
        """Remove an index.

        Raises:
            QueryError: It is not there.
        """
        if statement.if_exists and self._find(statement.keyspace, statement.name) is None:
            return
        self.all.remove(self._require(statement.keyspace, statement.name))

    def drop_collection(self, keyspace: Keyspace) -> None:
        """Remove a collection's indexes with it."""
        self.all = [index for index in self.all if index.keyspace != keyspace]

    def online(self, keyspace: Keyspace) -> list[Index]:
        """Return a collection's indexes that a query may use."""
        return [
            index
            for index in self.all
            if index.keyspace == keyspace and self.state(index) == "online"
        ]

    def describe(self) -> list[dict[str, object]]:
        """Return the rows of `system:indexes`."""
        rows: list[dict[str, object]] = []
        for index in self.all:
            row: dict[str, object] = {
                "name": index.name,
                "state": self.state(index),
                "bucket_id": index.keyspace.bucket,
                "scope_id": index.keyspace.scope,
                "keyspace_id": index.keyspace.collection,
                "index_key": list(index.keys),
                "using": "gsi",
            }
            # Other indexes have no such fields.
            if not index.keys:
                row["is_primary"] = True
            if index.where:
                row["condition"] = index.where
            rows.append(row)
        return rows

    def _find(self, keyspace: Keyspace, name: str) -> Index | None:
        for index in self.all:
            if index.keyspace == keyspace and index.name == name:
                return index
        return None

    def _require(self, keyspace: Keyspace, name: str) -> Index:
        index = self._find(keyspace, name)
        if index is None:
            raise QueryError(
                INDEX_NOT_FOUND, f"Index Not Found - cause: GSI index {name} not found."
            )
        return index


def text_of(key: Expression) -> str:
    """Return an expression as `system:indexes` shows it."""
    match key:
        case Meta(name):
            return f"(meta().`{name}`)"
        case Field(name):
            return f"`{name}`"
        case IsMissing(field):
            return f"({text_of(field)} is missing)"
        case Literal(value):
            return json.dumps(value)
        case Array(elements):
            return f"[{', '.join(text_of(element) for element in elements)}]"
        case Comparison(sign, left, right):
            return f"({text_of(left)} {sign.lower()} {text_of(right)})"
        case Each(array, path):
            names = "".join(f".`{name}`" for name in path)
            return f"(distinct (array (`each`{names}) for `each` in {text_of(array)} end))"
        case Logic(word, parts):
            return f"({f' {word.lower()} '.join(text_of(part) for part in parts)})"
    raise QueryError(3000, "an index has fields, META() and constants, here")
