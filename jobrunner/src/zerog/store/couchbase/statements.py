"""The SQL++ of the adapter, all of it: what lists jobs, and what makes and looks after the indexes.

Every statement is made here and nowhere else; `zerog datastore init --dry-run` shows
those that define, and `check` names the one that is missing. Values are always named
parameters. Each listing reads one index from a starting key downwards, so that a page costs
what it returns: with several states (or types, or queues) there is one statement for
each, and their rows are merged. Pure.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from zerog.store.port import COLLECTIONS, JobFilter

#: Greater than every key.
LAST = "\uffff"
JOBS = "jobs"
_ALL = 2**31 - 1
#: Field by which an index begins: the index's name. None is the index of all jobs.
_LEADS = {
    None: "zerog_jobs_by_key",
    "state": "zerog_jobs_by_state",
    "type": "zerog_jobs_by_type",
    "queue": "zerog_jobs_by_queue",
}
#: Jobs without a queue entry have an index of their own: of a long queue they are few.
_WITHOUT_ENTRY, _NO_ENTRY = "zerog_jobs_without_entry", "`entryId` IS MISSING"
_LARGE = ("jobs", "progress", "events", "blobs", "idempotency")
#: Collections that are small and read whole.
SMALL = tuple(name for name in COLLECTIONS if name not in _LARGE)
#: Those, and what a copy of the datastore reads whole, have a primary index.
_PRIMARY = {name: f"zerog_{name}" for name in (*SMALL, "idempotency")}
INDEX_STATES = (
    "SELECT i.name, i.state FROM system:indexes AS i "
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


def indexes() -> list[Index]:
    """Return all indexes that listings need."""
    fields = ("state", "type", "queue", "changedTime")
    made = []
    for lead, name in _LEADS.items():
        rest = [f"`{field}`" for field in fields if field != lead]
        first = [f"`{lead}`"] if lead is not None else []
        keys = (*first, "META().id DESC", *rest, "META().expiration")
        made.append(Index(name, JOBS, keys))
        if lead == "state":
            # The condition's field is a key too: the planner looks for it among them.
            made.append(Index(_WITHOUT_ENTRY, JOBS, (*keys, "`entryId`"), _NO_ENTRY))
    return made + [Index(name, collection, None) for collection, name in _PRIMARY.items()]


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


def create_collection(keyspace: Keyspace, collection: str) -> str:
    """Return the statement that makes a collection (`init` uses the management API instead)."""
    return f"CREATE COLLECTION {keyspace.of(collection)}"


def create_scope(keyspace: Keyspace) -> str:
    """Return the statement that makes the scope (`init` uses the management API instead)."""
    return f"CREATE SCOPE `{keyspace.bucket}`.`{keyspace.scope}`"


def scan(keyspace: Keyspace, collection: str) -> Query:
    """Return the query of all keys of a collection."""
    if collection == JOBS:
        return list_keys(keyspace, JobFilter(), before=LAST, limit=_ALL)[0]
    return Query(f"SELECT RAW META(d).id FROM {keyspace.of(collection)} AS d", {})


def list_keys(keyspace: Keyspace, job_filter: JobFilter, *, before: str, limit: int) -> list[Query]:
    """Return queries of keys in descending order, to be merged."""
    return [
        Query(
            f"SELECT RAW META(j).id FROM {keyspace.of(JOBS)} AS j "
            f"WHERE {' AND '.join(conditions)} ORDER BY META(j).id DESC LIMIT $limit",
            {**parameters, "limit": limit},
        )
        for conditions, parameters in _selections(job_filter, before)
    ]


def count(keyspace: Keyspace, job_filter: JobFilter, *, now: int) -> list[Query]:
    """Return queries of counts, to be added. What has expired and is not purged is not counted."""
    live = "(META(j).expiration = 0 OR META(j).expiration > $now)"
    return [
        Query(
            f"SELECT RAW COUNT(*) FROM {keyspace.of(JOBS)} AS j "
            f"WHERE {' AND '.join([*conditions, live])}",
            {**parameters, "now": now},
        )
        for conditions, parameters in _selections(job_filter, LAST)
    ]


def _selections(job_filter: JobFilter, before: str) -> list[tuple[list[str], dict[str, Any]]]:
    wanted = {
        "state": job_filter.states,
        "type": job_filter.types,
        "queue": job_filter.queues,
    }
    lead = next((name for name, values in wanted.items() if values), None)
    conditions, parameters = ["META(j).id < $before"], {"before": before}
    rest: dict[str, Any] = {}
    for name, values in wanted.items():
        if values and name != lead:
            conditions.append(f"j.`{name}` IN ${name}s")
            rest[f"{name}s"] = [str(value) for value in values]
    if job_filter.changed_before is not None:
        conditions.append("j.`changedTime` < $changed")
        rest["changed"] = job_filter.changed_before
    if job_filter.without_entry:
        conditions.append(f"j.{_NO_ENTRY}")
    if lead is None:
        return [(conditions, {**parameters, **rest})]
    return [
        ([f"j.`{lead}` = $lead", *conditions], {**parameters, **rest, "lead": value})
        for value in dict.fromkeys(str(value) for value in wanted[lead])
    ]
