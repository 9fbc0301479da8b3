"""A small part of SQL++: the statements of the datastore's adapter and no others.

`parse` makes a statement's tree; the tree's expressions are evaluated over one row each.
What is MISSING or NULL makes a comparison neither true nor false, so that it selects nothing.
"""

import json
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol


class QueryError(Exception):
    """The statement is refused with one of the query service's codes."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


SYNTAX = 3000

_TOKEN = re.compile(
    r"""\s*(?:(?P<quoted>`(?:[^`]|``)+`)|(?P<string>"(?:[^"\\]|\\.)*"|'(?:[^']|'')*')
    |(?P<number>\d+(?:\.\d+)?)|(?P<parameter>\$\w+)|(?P<word>[A-Za-z_]\w*)
    |(?P<symbol><=|>=|!=|<>|[=<>(),.*:{}\[\]]))""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Token:
    """A word of a statement."""

    kind: str
    text: str
    start: int


def tokenize(text: str) -> list[Token]:
    """Split a statement into its words.

    Raises:
        QueryError: There is something that is none.
    """
    found, at, end = [], 0, len(text.rstrip().rstrip(";").rstrip())
    while at < end:
        match = _TOKEN.match(text, at, end)
        if match is None:
            raise QueryError(SYNTAX, f"syntax error at {at}: {text[at : at + 20]!r}")
        kind = match.lastgroup or ""
        found.append(Token(kind, match[kind], match.start(kind)))
        at = match.end()
    return found


class _Missing:
    """The value of a field that is not there."""


MISSING = _Missing()


#: Among a row's META: how many rows its group has.
GROUP_SIZE = "COUNT(*)"


@dataclass(frozen=True, slots=True)
class Row:
    """A document as a statement sees it."""

    document: Any
    meta: Mapping[str, Any]


Parameters = Mapping[str, Any]


class Expression(Protocol):
    """Something that has a value for each row."""

    def value(self, row: Row, parameters: Parameters) -> Any: ...


@dataclass(frozen=True, slots=True)
class Field:
    """`j.state`."""

    name: str

    def value(self, row: Row, parameters: Parameters) -> Any:
        return row.document.get(self.name, MISSING) if isinstance(row.document, dict) else MISSING


@dataclass(frozen=True, slots=True)
class Meta:
    """`META(j).id`."""

    name: str

    def value(self, row: Row, parameters: Parameters) -> Any:
        return row.meta.get(self.name, MISSING)


@dataclass(frozen=True, slots=True)
class Literal:
    """A number or a text."""

    literal: Any

    def value(self, row: Row, parameters: Parameters) -> Any:
        return self.literal


@dataclass(frozen=True, slots=True)
class Parameter:
    """`$state`."""

    name: str

    def value(self, row: Row, parameters: Parameters) -> Any:
        if self.name not in parameters:
            raise QueryError(5010, f"No value for named parameter {self.name}")
        return parameters[self.name]


@dataclass(frozen=True, slots=True)
class CountAll:
    """`COUNT(*)`: of all rows of a group, which each of them knows."""

    def value(self, row: Row, parameters: Parameters) -> Any:
        return row.meta[GROUP_SIZE]


@dataclass(frozen=True, slots=True)
class Array:
    """`[META(j).id, j.state]`: what is MISSING is NULL in it."""

    elements: tuple[Expression, ...]

    def value(self, row: Row, parameters: Parameters) -> Any:
        values = [element.value(row, parameters) for element in self.elements]
        return [None if value is MISSING else value for value in values]


@dataclass(frozen=True, slots=True)
class Comparison:
    """`left OPERATOR right`."""

    sign: str
    left: Expression
    right: Expression

    def value(self, row: Row, parameters: Parameters) -> Any:
        left, right = self.left.value(row, parameters), self.right.value(row, parameters)
        if left is MISSING or right is MISSING or left is None or right is None:
            return None
        if self.sign == "IN":
            return left in right if isinstance(right, list) else None
        if self.sign in ("=", "!=", "<>"):
            return (left == right) is (self.sign == "=")
        if isinstance(left, str) is not isinstance(right, str):
            return None
        return _ORDER[self.sign](left, right)


_ORDER: dict[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True, slots=True)
class IsMissing:
    """`field IS MISSING`."""

    field: Expression

    def value(self, row: Row, parameters: Parameters) -> Any:
        return self.field.value(row, parameters) is MISSING


@dataclass(frozen=True, slots=True)
class Each:
    """`DISTINCT ARRAY a.worker.name FOR a IN attempts END`: a key for each of an array's values."""

    array: Expression
    path: tuple[str, ...]

    def value(self, row: Row, parameters: Parameters) -> Any:
        found = self.array.value(row, parameters)
        for name in self.path:
            found = [each[name] for each in found if isinstance(each, dict) and name in each]
        return found


@dataclass(frozen=True, slots=True)
class AnyOf:
    """`ANY a IN j.attempts SATISFIES a.worker.name IN $workers END`."""

    each: Each
    values: Expression
    sign: ClassVar[str] = "IN"

    def value(self, row: Row, parameters: Parameters) -> Any:
        if not isinstance(self.each.array.value(row, parameters), list):
            return None
        wanted = self.values.value(row, parameters)
        return any(found in wanted for found in self.each.value(row, parameters))


@dataclass(frozen=True, slots=True)
class Logic:
    """Conditions joined by AND or by OR."""

    word: str
    parts: tuple[Expression, ...]

    def value(self, row: Row, parameters: Parameters) -> Any:
        truths = (part.value(row, parameters) is True for part in self.parts)
        return all(truths) if self.word == "AND" else any(truths)


@dataclass(frozen=True, slots=True)
class Keyspace:
    """Where documents are; `bucket` is `system` for the query service's own lists."""

    bucket: str
    scope: str
    collection: str


@dataclass(frozen=True, slots=True)
class Select:
    """A query. `columns` are None where the one expression is RAW."""

    expressions: tuple[Expression, ...]
    columns: tuple[str, ...] | None
    keyspace: Keyspace
    where: Expression | None
    order: Expression | None
    descending: bool
    limit: Expression | None
    #: The index that it names.
    index: str | None = None
    group: Expression | None = None


@dataclass(frozen=True, slots=True)
class Gather:
    """Queries of one keyspace within a query of nothing, whose one row has the rows of each."""

    keyspace: Keyspace
    selects: tuple[Select, ...]
    #: They stand in an array.
    listed: bool


@dataclass(frozen=True, slots=True)
class IndexKey:
    """A field by which an index is in order."""

    field: Expression
    descending: bool = False


@dataclass(frozen=True, slots=True)
class CreateIndex:
    """A definition; `keys` are empty for a primary index."""

    name: str
    keyspace: Keyspace
    keys: tuple[IndexKey, ...]
    where: Expression | None
    if_not_exists: bool
    options: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class BuildIndexes:
    """The start of deferred builds."""

    keyspace: Keyspace
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DropIndex:
    """The end of an index."""

    keyspace: Keyspace
    name: str
    if_exists: bool = False


Statement = Select | Gather | CreateIndex | BuildIndexes | DropIndex


def conditions(where: Expression | None) -> tuple[Expression, ...]:
    """Return the conditions that all must hold."""
    if isinstance(where, Logic) and where.word == "AND":
        return where.parts
    return () if where is None else (where,)


def parse_json(text: str) -> Any:
    """Return a JSON literal of a statement.

    Raises:
        QueryError: It is none.
    """
    try:
        return json.loads(text)
    except ValueError as error:
        raise QueryError(SYNTAX, f"syntax error in {text!r}") from error
