"""Every statement that the datastore's adapter makes is one that this server understands."""

from typing import Any

import pytest
from tests.couchbase.engine import Engine
from tests.couchbase.indexes import Indexes
from tests.couchbase.query import QueryService
from tests.couchbase.session import Bucket
from tests.unit.couchbase.conftest import START, StandingClock
from tests.unit.couchbase.test_query import Asker

from zerog.store.couchbase import statements
from zerog.store.couchbase.statements import Keyspace, Query
from zerog.store.port import COLLECTIONS, JobFilter

KEYSPACE = Keyspace("zerog", "zerog")
FILTERS = [
    JobFilter(),
    JobFilter(states=["queued", "running"]),
    JobFilter(types=["a"], changed_before="2026"),
    JobFilter(queues=["q"]),
    JobFilter(states=["queued"], types=["a", "b"], queues=["q", "r"], changed_before="2026"),
]


@pytest.fixture
async def ask(bucket: Bucket, engine: Engine, clock: StandingClock) -> Asker:
    """A service with everything defined and built as `zerog datastore init` does it."""
    engine.manifest.create_scope(KEYSPACE.scope)
    for name in COLLECTIONS:
        engine.manifest.create_collection(KEYSPACE.scope, name)
    asker = Asker(QueryService(bucket, Indexes(clock), lambda: None))
    indexes = statements.indexes()
    for index in indexes:
        await asker(statements.create_index(KEYSPACE, index, replicas=1))
    for collection in {index.collection for index in indexes}:
        names = [index.name for index in indexes if index.collection == collection]
        await asker(statements.build_indexes(KEYSPACE, collection, names))
    return asker


async def run(ask: Asker, query: Query) -> list[Any]:
    return await ask(query.text, **{f"${name}": value for name, value in query.parameters.items()})


async def test_all_indexes_are_online_after_their_definition(ask: Asker) -> None:
    query = Query(statements.INDEX_STATES, {"bucket": "zerog", "scope": "zerog"})

    found = await run(ask, query)

    assert {row["name"]: row["state"] for row in found} == {
        index.name: "online" for index in statements.indexes()
    }


@pytest.mark.parametrize("job_filter", FILTERS, ids=str)
async def test_each_listing_and_count_finds_an_index(ask: Asker, job_filter: JobFilter) -> None:
    for query in statements.list_keys(KEYSPACE, job_filter, before="~", limit=10):
        assert await run(ask, query) == []
    for query in statements.count(KEYSPACE, job_filter, now=int(START)):
        assert await run(ask, query) == [0]


async def test_what_is_read_whole_has_an_index_for_that(ask: Asker) -> None:
    primary = [index.collection for index in statements.indexes() if index.keys is None]
    assert {"types", "workers"} <= set(primary)

    for collection in primary:
        assert await run(ask, statements.scan(KEYSPACE, collection)) == []
