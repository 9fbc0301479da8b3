"""The query service: statements by HTTP, prepared ones too, over an index that may be late.

A query that asks for no consistency sees what the index has; while the index is held back
that is an older state, so that a reader who relies on its own writes must say so. What a plan
reads is counted: `SCANNED` entries of indexes, `FETCHED` documents.
"""

import asyncio
import hashlib
import json
import random
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from tests.couchbase import planner, subdoc
from tests.couchbase.engine import Address, Document
from tests.couchbase.faults import QUERY, Fault
from tests.couchbase.http import CloseConnection, HttpRequest, HttpResponse, json_response
from tests.couchbase.indexes import Indexes
from tests.couchbase.manifest import ManifestError
from tests.couchbase.session import Bucket
from tests.couchbase.sqlpp import (
    GROUP_SIZE,
    MISSING,
    BuildIndexes,
    CountAll,
    CreateIndex,
    DropIndex,
    Expression,
    Gather,
    Keyspace,
    QueryError,
    Row,
    Select,
    Statement,
)
from tests.couchbase.sqlpp_parser import parse

NO_INDEX = 4000
UNKNOWN_PREPARED = 4040
UNKNOWN_KEYSPACE = 12003
NOT_ALLOWED = 13014
#: The warning that a user may not see all rows of a system catalog, and a catalog in a statement.
FILTERED_ROWS, _SYSTEM = 11011, "system:"
_LOGIN_REFUSED = 10000
#: Counters.
SCANNED, FETCHED = "SCANNED", "FETCHED"
_HTTP_STATUS = {3000: 400, 4000: 404, 4040: 404, 4300: 409, 10000: 401, 12003: 404, 12016: 404}
_PREPARE = re.compile(r"\s*PREPARE\s+", re.IGNORECASE)
#: Longer than any client waits.
_SILENCE_SECONDS = 3600.0
_MICROSECONDS = 1e6


#: What happens to a query without an index: before 7.6 `refused`; since then the collection is
#: `scanned`, if the user has the right to, which is else `forbidden`.
WithoutIndex = Literal["refused", "scanned", "forbidden"]


@dataclass(slots=True)
class Behaviour:
    """How the service plans, and for what kind of user."""

    without_index: WithoutIndex = "refused"
    #: The user sees `system:indexes`; else it is empty.
    sees_indexes: bool = True
    #: Chooses among indexes that are even.
    seed: int = 0


class QueryService:
    """Answers queries on the bucket's documents; `changed` is called after each definition."""

    def __init__(self, bucket: Bucket, indexes: Indexes, changed: Callable[[], None]) -> None:
        self._bucket = bucket
        self.indexes = indexes
        self._changed = changed
        #: Statements by the name that clients have been given.
        self.prepared: dict[str, str] = {}
        #: Documents and seqnos as the index has them while it is held back.
        self._late: tuple[dict[Address, Document], list[int]] | None = None
        self.behaviour = Behaviour()
        #: Documents that were read as JSON before.
        self._read: dict[Address, tuple[Document, Row]] = {}

    def set_stale(self, stale: bool) -> None:
        """Hold the index back at what is there now, or let it follow again."""
        engine = self._bucket.engine
        self._late = (dict(engine.documents), list(engine.seqnos)) if stale else None

    def create_scope(self, scope: str, collections: list[str], indexes: list[str]) -> None:
        """Make a scope with collections, and indexes by statements.

        A test needs dozens of them: as many requests took longer than most tests.
        """
        manifest = self._bucket.engine.manifest
        manifest.create_scope(scope)
        for name in collections:
            manifest.create_collection(scope, name)
        for text in indexes:
            self._define(parse(text))
        self._changed()

    async def handle(self, request: HttpRequest) -> HttpResponse:
        """Answer one request for `/query/service` or a ping."""
        if request.path.startswith("/admin/ping"):
            return json_response({})
        started = time.monotonic()
        body: dict[str, Any] = {}
        try:
            body = json.loads(request.body)
            if not self._bucket.admits(request):
                raise QueryError(_LOGIN_REFUSED, "authentication failure")
            self._bucket.counters[f"{request.user} {QUERY}"] += 1
            results, extra = await self._meet(body)
            if request.user in self._bucket.restricted and _SYSTEM in str(body.get("statement")):
                results, extra = [], {"warning": QueryError(FILTERED_ROWS, "rows were excluded")}
            return _answer(body, started, results=results, **extra)
        except ValueError:
            error = QueryError(1050, "the body is not JSON")
        except QueryError as refused:
            error = refused
        return _answer(body, started, error=error)

    async def _meet(self, body: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        text, extra = self._find_text(body)
        statement = parse(text)
        self._bucket.counters[QUERY] += 1
        fault = self._bucket.faults.meet(QUERY, statement.keyspace.collection, text)
        if fault is None:
            return self._run(statement, body), extra
        if fault.action == "delay" and not fault.applied:
            await asyncio.sleep(fault.seconds)
        done = fault.applied or fault.action == "delay"
        results = self._run(statement, body) if done else []
        await _fail(fault)
        return results, extra

    def _find_text(self, body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
        if "prepared" in body:
            name = str(body["prepared"])
            if name not in self.prepared:
                raise QueryError(UNKNOWN_PREPARED, f"No such prepared statement: {name}")
            return self.prepared[name], {}
        text = str(body.get("statement", ""))
        prepared = _PREPARE.sub("", text, count=1)
        if prepared == text:
            return text, {}
        if body.get("auto_execute") is not True:
            raise QueryError(3000, "PREPARE without auto_execute is not known here")
        name = hashlib.sha256(prepared.encode()).hexdigest()[:36]
        self.prepared[name] = prepared
        return prepared, {"prepared": name}

    def _run(self, statement: Statement, body: dict[str, Any]) -> list[Any]:
        if isinstance(statement, Select) and statement.keyspace.bucket == "system":
            if statement.keyspace.collection != "indexes":
                raise QueryError(UNKNOWN_KEYSPACE, "Keyspace not found in CB datastore")
            described = self.indexes.describe() if self.behaviour.sees_indexes else []
            return _select(statement, [Row(row, {}) for row in described], body)
        collection = self._find_collection(statement.keyspace)
        if isinstance(statement, Select):
            return self._query(statement, self._rows(collection, body), body)
        if isinstance(statement, Gather):
            rows = self._rows(collection, body)
            found = [self._query(select, rows, body) for select in statement.selects]
            return [found if statement.listed else found[0]]
        self._define(statement)
        self._changed()
        return []

    def _define(self, statement: Statement) -> None:
        match statement:
            case CreateIndex():
                self.indexes.create(statement)
            case BuildIndexes():
                self.indexes.build(statement)
            case DropIndex():
                self.indexes.drop(statement)

    def _query(self, select: Select, rows: Sequence[Row], body: dict[str, Any]) -> list[Any]:
        online = self.indexes.online(select.keyspace)
        plan = planner.choose(select, online, random.Random(self.behaviour.seed))
        counters = self._bucket.counters
        if plan is None:
            self._check_sequential(select.keyspace)
            counters[SCANNED] += len(rows)
            return _select(select, rows, body)
        found, scanned = planner.scan(plan, select, rows, body)
        counters[SCANNED] += scanned
        counters[FETCHED] += 0 if plan.covers else len(found)
        return _select(select, found, body)

    def _check_sequential(self, keyspace: Keyspace) -> None:
        """Raise unless the collection itself may be scanned."""
        name = f"`default`:`{keyspace.bucket}`.`{keyspace.scope}`.`{keyspace.collection}`"
        match self.behaviour.without_index:
            case "refused":
                message = f"No index available on keyspace {name} that matches your query."
                raise QueryError(NO_INDEX, message)
            case "forbidden":
                message = f"User does not have credentials to run sequential scans on {name}."
                raise QueryError(NOT_ALLOWED, message)

    def _find_collection(self, keyspace: Keyspace) -> int:
        try:
            if keyspace.bucket != self._bucket.name:
                raise ManifestError("no such bucket")
            found = self._bucket.engine.manifest.find(keyspace.scope, keyspace.collection)
        except ManifestError as error:
            name = f"default:{keyspace.bucket}.{keyspace.scope}.{keyspace.collection}"
            message = f"Keyspace not found in CB datastore: {name}"
            raise QueryError(UNKNOWN_KEYSPACE, message) from error
        return found.number

    def _rows(self, collection: int, body: dict[str, Any]) -> list[Row]:
        """Return a collection's rows; what has expired stays until somebody purges it."""
        if self._late is not None and self._wants_newer(body):
            self.set_stale(True)
        documents = self._bucket.engine.documents if self._late is None else self._late[0]
        return [
            self._row(address, document)
            for address, document in documents.items()
            if address.collection == collection
        ]

    def _row(self, address: Address, document: Document) -> Row:
        seen = self._read.get(address)
        if seen is None or seen[0] is not document:
            value = json.loads(document.value) if document.datatype else None
            key = address.key.decode()
            row = Row(value, {"id": key, "expiration": document.expiry, "cas": document.cas})
            self._read[address] = seen = document, row
        return seen[1]

    def _wants_newer(self, body: dict[str, Any]) -> bool:
        match body.get("scan_consistency", "not_bounded"):
            case "request_plus":
                return True
            case "at_plus":
                assert self._late is not None
                wanted = body.get("scan_vectors", {}).get(self._bucket.name, {})
                seqnos = self._late[1]
                return any(seqnos[int(vbucket)] < seqno for vbucket, (seqno, _) in wanted.items())
            case _:
                return False


async def _fail(fault: Fault) -> None:
    match fault.action:
        case "status":
            raise QueryError(fault.status, "a fault that a test has set")
        case "close":
            raise CloseConnection
        case "silence":
            await asyncio.sleep(_SILENCE_SECONDS)
        case "delay" if fault.applied:
            await asyncio.sleep(fault.seconds)


def _select(select: Select, rows: Sequence[Row], parameters: Mapping[str, Any]) -> list[Any]:
    where, order, limit = select.where, select.order, select.limit
    if where is not None:
        rows = [row for row in rows if where.value(row, parameters) is True]
    if select.group is not None or any(isinstance(e, CountAll) for e in select.expressions):
        rows = _groups(select.group, rows, parameters)
    if order is not None:
        rows = sorted(rows, key=lambda row: order.value(row, parameters), reverse=select.descending)
    if limit is not None:
        rows = rows[: limit.value(Row(None, {}), parameters)]
    return [_project(select, row, parameters) for row in rows]


def _groups(
    group: Expression | None, rows: Sequence[Row], parameters: Mapping[str, Any]
) -> list[Row]:
    """Return a row of each group, which knows how many there are; without a group, one of all."""
    if group is None:
        return [Row(None, {GROUP_SIZE: len(rows)})]
    groups: dict[str, list[Row]] = {}
    for row in rows:
        groups.setdefault(repr(group.value(row, parameters)), []).append(row)
    return [Row(found[0].document, {GROUP_SIZE: len(found)}) for found in groups.values()]


def _project(select: Select, row: Row, parameters: Mapping[str, Any]) -> Any:
    values = [expression.value(row, parameters) for expression in select.expressions]
    if select.columns is None:
        return None if values[0] is MISSING else values[0]
    pairs = zip(select.columns, values, strict=True)
    return {name: value for name, value in pairs if value is not MISSING}


def _answer(
    body: dict[str, Any],
    started: float,
    *,
    results: list[Any] | None = None,
    error: QueryError | None = None,
    prepared: str | None = None,
    warning: QueryError | None = None,
) -> HttpResponse:
    """Return the whole answer: the SDK's core ends its process over one that lacks a part."""
    elapsed = f"{(time.monotonic() - started) * _MICROSECONDS:.3f}µs"
    rows = results or []
    answer: dict[str, Any] = {
        "requestID": hashlib.sha256(f"{started}".encode()).hexdigest()[:36],
        "clientContextID": str(body.get("client_context_id", "")),
        "signature": {"*": "*"},
        "results": rows,
        "status": "success",
        "metrics": {
            "elapsedTime": elapsed,
            "executionTime": elapsed,
            "resultCount": len(rows),
            "resultSize": sum(len(subdoc.encode(row)) for row in rows),
            "serviceLoad": 1,
        },
    }
    if prepared is not None:
        answer["prepared"] = prepared
    if warning is not None:
        answer["warnings"] = [{"code": warning.code, "msg": str(warning)}]
    if error is None:
        return json_response(answer)
    answer["status"] = "fatal"
    answer["errors"] = [{"code": error.code, "msg": str(error)}]
    answer["metrics"]["errorCount"] = 1
    return json_response(answer, _HTTP_STATUS.get(error.code, 500))
