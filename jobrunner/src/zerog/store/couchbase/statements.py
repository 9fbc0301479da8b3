"""The SQL++ of the adapter, all of it: what lists jobs, and what makes and looks after the indexes.

Every statement is made here and nowhere else; `zerog datastore init --dry-run` shows
those that define, and `check` names the one that is missing. Values are always named
parameters. Each selection of `plans` reads the index that it names from a starting key
downwards, so that a page costs what it returns. A statement has several selections, its one row
an array for each. Pure.
"""

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from zerog.store.couchbase import plans
from zerog.store.couchbase.plans import JobIndex, Selection
from zerog.store.filtering import LAST, TextRange, end_range, key_range
from zerog.store.port import BEGUN_STATES, COLLECTIONS, OPEN_STATES, WAITING_STATES, JobFilter

JOBS = "jobs"
_ALL = 2**31 - 1
#: A call's statements, which run at the same time.
MAX_STATEMENTS = 8
_BY_KEY_ONLY = (
    "jobs",
    "progress",
    "events",
    "blobs",
    "idempotency",
    "summaries",
    "waiters",
)
#: Collections that are small and read whole.
SMALL = tuple(name for name in COLLECTIONS if name not in _BY_KEY_ONLY)
#: Those, and what a copy of the datastore reads whole, have a primary index.
_PRIMARY = {name: f"zerog_{name}" for name in (*SMALL, "idempotency")}
#: Indexes of the scope with such names are ours.
_PREFIX = "zerog_"
INDEX_STATES = (
    "SELECT i.name, i.state, i.keyspace_id FROM system:indexes AS i "
    "WHERE i.bucket_id = $bucket AND i.scope_id = $scope"
)


@dataclass(frozen=True, slots=True)
class Query:
    """A statement with its named parameters."""

    text: str
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Keyspace:
    """Where the collections are."""

    bucket: str
    scope: str

    def of(self, collection: str) -> str:
        """Return a collection's full name, for statements."""
        return f"`{self.bucket}`.`{self.scope}`.`{collection}`"


@dataclass(frozen=True, slots=True)
class Index:
    """An index that listings need."""

    name: str
    collection: str
    #: None: a primary index.
    keys: tuple[str, ...] | None
    #: Which documents are in it; None: all.
    where: str | None = None


#: What repair reads (`zerog.store.couchbase.openjobs`). The fields of the conditions are keys too,
#: because the planner looks for them among these. An open job never expires.
IS_OPEN = f"`state` IN {json.dumps(OPEN_STATES)}"
IS_UNQUEUED = ('`state` = "queued"', "`entryId` IS MISSING")
OPEN_INDEX = Index(
    "zerog_jobs_open",
    JOBS,
    ("META().id", "`changedTime`", "`queue`", "`entryId`", "`state`"),
    IS_OPEN,
)
UNQUEUED_INDEX = Index(
    "zerog_jobs_unqueued",
    JOBS,
    ("META().id", "`changedTime`", "`state`", "`entryId`"),
    " AND ".join(IS_UNQUEUED),
)
#: What the operator reads of workers that died.
IS_BEGUN = f"`state` IN {json.dumps(BEGUN_STATES)}"
WORKERS_INDEX = Index(
    "zerog_jobs_by_worker",
    JOBS,
    ("DISTINCT ARRAY a.`worker`.`name` FOR a IN `attempts` END",),
    IS_BEGUN,
)
#: What workers that are told to go read: whether jobs of their versions wait.
IS_WAITING = f"`state` IN {json.dumps(WAITING_STATES)}"
VERSIONS_INDEX = Index(
    "zerog_jobs_by_version", JOBS, ("`type`", "`schemaHash`", "`queue`", "`state`"), IS_WAITING
)
#: What the operator reads of jobs that are due later. The text is less than every time.
IS_DUE_LATER = ('`notBeforeTime` > ""', IS_WAITING)
DUE_INDEX = Index(
    "zerog_jobs_due",
    JOBS,
    ("`queue`", "`notBeforeTime`", "`state`"),
    " AND ".join(IS_DUE_LATER),
)
#: What repair reads of jobs that have not started in time.
IS_TO_START = ('`expiresTime` > ""', '`state` = "queued"')
OVERDUE_INDEX = Index(
    "zerog_jobs_overdue", JOBS, ("`expiresTime`", "`state`"), " AND ".join(IS_TO_START)
)


def indexes() -> list[Index]:
    """Return all indexes that listings need."""
    made = [Index(index.name, JOBS, tuple(_index_keys(index))) for index in plans.JOB_INDEXES]
    made += [OPEN_INDEX, UNQUEUED_INDEX, WORKERS_INDEX, VERSIONS_INDEX, DUE_INDEX, OVERDUE_INDEX]
    return made + [Index(name, collection, None) for collection, name in _PRIMARY.items()]


def _index_keys(index: JobIndex) -> Iterator[str]:
    if index.each:
        yield f"DISTINCT ARRAY each FOR each IN `{index.each}` END"
        return
    yield from (f"`{field}`" for field in index.leading)
    yield plans.KEY
    yield from (name if name.startswith("META") else f"`{name}`" for name in index.further)


def create_index(keyspace: Keyspace, index: Index, replicas: int = 0) -> str:
    """Return the statement that defines an index, to be built later."""
    options = '{"defer_build": true}'
    if replicas:
        options = f'{{"defer_build": true, "num_replica": {replicas}}}'
    kind, keys = ("INDEX", f"({', '.join(index.keys)})") if index.keys else ("PRIMARY INDEX", "")
    place = keyspace.of(index.collection)
    where = f" WHERE {index.where}" if index.where else ""
    return f"CREATE {kind} `{index.name}` IF NOT EXISTS ON {place}{keys}{where} WITH {options}"


def build_indexes(keyspace: Keyspace, collection: str, names: Sequence[str]) -> str:
    """Return the statement that builds defined indexes of one collection."""
    return f"BUILD INDEX ON {keyspace.of(collection)}({', '.join(f'`{name}`' for name in names)})"


def drop_index(keyspace: Keyspace, collection: str, name: str) -> str:
    """Return the statement that drops an index."""
    return f"DROP INDEX `{name}` IF EXISTS ON {keyspace.of(collection)}"


def is_unused(name: str) -> bool:
    """Whether an index is ours and no statement reads it any more."""
    return name.startswith(_PREFIX) and all(index.name != name for index in indexes())


def create_collection(keyspace: Keyspace, collection: str) -> str:
    """Return the statement that makes a collection (`init` uses the management API instead)."""
    return f"CREATE COLLECTION {keyspace.of(collection)}"


def create_scope(keyspace: Keyspace) -> str:
    """Return the statement that makes the scope (`init` uses the management API instead)."""
    return f"CREATE SCOPE `{keyspace.bucket}`.`{keyspace.scope}`"


def scan(keyspace: Keyspace, collection: str) -> list[Query]:
    """Return the query of all keys of a collection."""
    if collection == JOBS:
        return list_keys(keyspace, JobFilter(), before=LAST, limit=_ALL)
    place = f"{keyspace.of(collection)} AS d"
    if collection in _PRIMARY:
        place += f" USE INDEX (`{_PRIMARY[collection]}` USING GSI)"
    return _pack([(f"SELECT RAW META(d).id FROM {place}", {})])


def list_keys(keyspace: Keyspace, job_filter: JobFilter, *, before: str, limit: int) -> list[Query]:
    """Return queries of keys in descending order, to be merged."""
    return _pack(
        [
            _select_keys(keyspace, selection, number, _limits(job_filter, before))
            for number, selection in enumerate(plans.select(job_filter))
        ],
        {"limit": limit, **_limits(job_filter, before).parameters},
    )


def count(keyspace: Keyspace, job_filter: JobFilter, *, now: int) -> list[Query]:
    """Return queries of counts, to be added. What has expired and is not purged is not counted."""
    return _pack(
        [
            _select_count(keyspace, selection, number, _limits(job_filter, LAST))
            for number, selection in enumerate(plans.select(job_filter, counting=True))
        ],
        {"now": now, **_limits(job_filter, LAST).parameters},
    )


@dataclass(frozen=True, slots=True)
class _Limits:
    """What holds for the jobs of every selection: bounds of their keys and of when they ended."""

    conditions: tuple[str, ...]
    parameters: dict[str, Any]


def _limits(job_filter: JobFilter, before: str) -> _Limits:
    bounds: list[tuple[str, str, TextRange]] = [
        ("META(j).id", "", key_range(job_filter, before)),
        ("j.`finishedTime`", "ended_", end_range(job_filter)),
    ]
    given = [
        (f"{field} {sign} ${name}", name, value)
        for field, prefix, texts in bounds
        for sign, name, value in (
            ("<", f"{prefix}before", texts.before),
            (">=", f"{prefix}first", texts.first),
        )
        if value is not None
    ]
    return _Limits(tuple(text for text, _, _ in given), {name: value for _, name, value in given})


#: A part of a statement, and the parameters that only it has.
_Part = tuple[str, dict[str, Any]]


def _pack(parts: Sequence[_Part], shared: Mapping[str, Any] | None = None) -> list[Query]:
    """Return statements that each answer with one row: the arrays of some of the parts.

    The SDK hands over row by row, which costs more than the whole answer. `ARRAY_AGG` is no
    alternative, since it sorts.
    """
    share = math.ceil(len(parts) / MAX_STATEMENTS)
    packed = []
    for start in range(0, len(parts), share):
        some = parts[start : start + share]
        text = ", ".join(f"({text})" for text, _ in some)
        own = {name: value for _, parameters in some for name, value in parameters.items()}
        packed.append(Query(f"SELECT RAW [{text}]", {**own, **(shared or {})}))
    return packed


def _select_keys(keyspace: Keyspace, selection: Selection, number: int, limits: _Limits) -> _Part:
    conditions, parameters = _conditions(selection, number, limits)
    text = f"SELECT RAW META(j).id FROM {_jobs(keyspace, selection)} WHERE "
    text += f"{' AND '.join(conditions)} ORDER BY META(j).id DESC LIMIT $limit"
    return text, parameters


def _select_count(keyspace: Keyspace, selection: Selection, number: int, limits: _Limits) -> _Part:
    conditions, parameters = _conditions(selection, number, limits)
    conditions.append("(META(j).expiration = 0 OR META(j).expiration > $now)")
    text = f"SELECT RAW COUNT(*) FROM {_jobs(keyspace, selection)} WHERE "
    return text + " AND ".join(conditions), parameters


def _jobs(keyspace: Keyspace, selection: Selection) -> str:
    return f"{keyspace.of(JOBS)} AS j USE INDEX (`{selection.index.name}` USING GSI)"


def _conditions(
    selection: Selection, number: int, limits: _Limits
) -> tuple[list[str], dict[str, Any]]:
    """Return what holds for a selection's jobs. Its parameters have its number in their names."""
    conditions: list[str] = []
    parameters: dict[str, Any] = {}
    index = selection.index
    for field, value in zip(index.leading, selection.values, strict=True):
        conditions.append(f"j.`{field}` = ${field}{number}")
        parameters[f"{field}{number}"] = value
    for field, values in selection.among:
        conditions.append(f"j.`{field}` IN ${field}s{number}")
        parameters[f"{field}s{number}"] = list(values)
    for place, label in enumerate(selection.labels):
        name = f"label{number}_{place}"
        array = f"j.`{index.each}`"
        conditions.append(f"ANY each IN {array} SATISFIES each IN ${name} END")
        parameters[name] = [label]
    return [*conditions, *limits.conditions], parameters
