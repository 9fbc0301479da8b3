"""Every statement that the datastore's adapter makes is one that this server understands."""

import itertools
import json
import random
from typing import Any

import pytest
from tests.couchbase import planner
from tests.couchbase.engine import Address, Engine, Write
from tests.couchbase.indexes import Indexes
from tests.couchbase.query import FETCHED, SCANNED, Behaviour, QueryService
from tests.couchbase.session import Bucket
from tests.couchbase.sqlpp import Gather, Select
from tests.couchbase.sqlpp_parser import parse
from tests.unit.couchbase.conftest import START, StandingClock
from tests.unit.couchbase.test_query import Asker

from zerog.store.couchbase import openjobs, statements
from zerog.store.couchbase.statements import Keyspace, Query
from zerog.store.port import COLLECTIONS, JobFilter

KEYSPACE = Keyspace("zerog", "zerog")
RETAINED, LIMIT, SEEDS = 20_000, 20, range(40)
#: Of the retained jobs the states and types of these are rare.
QUEUES, TYPES = ("q0", "q1", "q2", "q3", "q4"), ("t0", "t1", "rare")
#: What a listing may ask for: nothing, one value or two of each field.
FILTERS = [
    JobFilter(types=types, states=states, queues=queues)
    for types, states, queues in itertools.product(
        ((), ("rare",), ("t0", "rare")),
        ((), ("running",), ("running", "succeeded")),
        ((), ("q4",), ("q0", "q4")),
    )
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


@pytest.fixture
def indexes(ask: Asker) -> Indexes:
    return ask.service.indexes


@pytest.fixture
def retained(ask: Asker, engine: Engine) -> list[dict[str, str]]:
    """Many jobs, nearly all of which have succeeded; the rare ones are the oldest."""
    number = engine.manifest.find(KEYSPACE.scope, "jobs").number
    jobs = [
        {
            "uuid": f"{at:08}",
            "state": "running" if at < 30 else "succeeded",
            "type": "rare" if at % 1000 == 7 else TYPES[at % 2],
            "queue": QUEUES[at % 4] if at % 500 else "q4",
            "changedTime": "2025",
        }
        for at in range(RETAINED)
    ]
    for job in jobs:
        address = Address(number, job["uuid"].encode())
        engine.upsert(address, Write(json.dumps(job).encode()))
    return jobs


def selects_of(queries: list[Query]) -> list[Select]:
    parsed = [parse(query.text) for query in queries]
    assert all(isinstance(statement, Gather) for statement in parsed)
    return [select for gather in parsed if isinstance(gather, Gather) for select in gather.selects]


@pytest.mark.parametrize("job_filter", FILTERS, ids=str)
def test_each_statement_has_one_plan_whatever_the_planner_s_chance(
    indexes: Indexes, job_filter: JobFilter
) -> None:
    listed = selects_of(statements.list_keys(KEYSPACE, job_filter, before="~", limit=LIMIT))
    counted = selects_of(statements.count(KEYSPACE, job_filter, now=int(START)))

    for select in [*listed, *counted]:
        online = indexes.online(select.keyspace)
        plans = [planner.choose(select, online, random.Random(seed)) for seed in SEEDS]
        (plan,) = {plan.index.name: plan for plan in plans if plan is not None}.values()
        assert plan.index.name == select.index
        assert plan.covers
        assert plan.ordered or select.order is None


async def test_a_page_costs_what_it_returns_however_many_jobs_are_retained(
    ask: Asker, bucket: Bucket, retained: list[dict[str, str]]
) -> None:
    for job_filter in FILTERS:
        expected = [
            job["uuid"]
            for job in reversed(retained)
            if (not job_filter.types or job["type"] in job_filter.types)
            and (not job_filter.states or job["state"] in job_filter.states)
            and (not job_filter.queues or job["queue"] in job_filter.queues)
        ][:LIMIT]
        queries = statements.list_keys(KEYSPACE, job_filter, before="~", limit=LIMIT)
        bucket.counters.clear()

        runs = [run_of for query in queries for (row,) in [await run(ask, query)] for run_of in row]

        assert sorted(itertools.chain.from_iterable(runs), reverse=True)[:LIMIT] == expected
        assert bucket.counters[SCANNED] <= LIMIT * len(runs)
        assert bucket.counters[SCANNED] == sum(map(len, runs))
        assert bucket.counters[FETCHED] == 0


async def test_many_values_are_filtered_from_an_index_and_not_asked_for_one_by_one(
    ask: Asker, bucket: Bucket, retained: list[dict[str, str]]
) -> None:
    many = [f"t{number}" for number in range(60)]
    job_filter = JobFilter(types=many, queues=QUEUES, states=("succeeded",))

    (query,) = statements.list_keys(KEYSPACE, job_filter, before="~", limit=LIMIT)

    ((run_of,),) = await run(ask, query)
    assert len(run_of) == LIMIT
    assert bucket.counters[SCANNED] <= 2 * LIMIT
    assert bucket.counters[FETCHED] == 0


async def test_counts_are_those_of_each_selection(
    ask: Asker, bucket: Bucket, retained: list[dict[str, str]]
) -> None:
    for job_filter, expected in (
        (JobFilter(), RETAINED),
        (JobFilter(states=("running",)), 30),
        (JobFilter(types=("rare",)), RETAINED // 1000),
        (JobFilter(queues=("q4",), states=("succeeded",)), RETAINED // 500 - 1),
    ):
        queries = statements.count(KEYSPACE, job_filter, now=int(START))
        bucket.counters.clear()

        counts = [n for query in queries for (row,) in [await run(ask, query)] for (n,) in row]

        assert sum(counts) == expected
        assert bucket.counters[SCANNED] == expected
        assert bucket.counters[FETCHED] == 0


def test_a_call_is_a_few_statements_whatever_it_asks_for() -> None:
    for queues in (1, 9, 100, 1000):
        names = [str(number) for number in range(queues)]
        queries = statements.list_keys(KEYSPACE, JobFilter(queues=names), before="~", limit=1)
        assert len(queries) <= statements.MAX_STATEMENTS


async def test_without_its_index_a_listing_reads_the_collection_if_the_user_may(
    ask: Asker, bucket: Bucket, indexes: Indexes, retained: list[dict[str, str]]
) -> None:
    indexes.all = [index for index in indexes.all if index.keyspace.collection != "jobs"]
    (query,) = statements.list_keys(
        KEYSPACE, JobFilter(states=("running",)), before="~", limit=LIMIT
    )
    parameters = {f"${name}": value for name, value in query.parameters.items()}

    assert await ask.code(query.text, **parameters) == 4000
    ask.service.behaviour = Behaviour(without_index="forbidden")
    assert await ask.code(query.text, **parameters) == 13014
    ask.service.behaviour = Behaviour(without_index="scanned")
    bucket.counters.clear()
    ((run_of,),) = await run(ask, query)
    assert len(run_of) == LIMIT
    assert bucket.counters[SCANNED] == RETAINED


@pytest.mark.parametrize(
    ("query", "covers"),
    [
        (openjobs.rows(KEYSPACE, "", LIMIT, None), True),
        (openjobs.rows(KEYSPACE, "", LIMIT, "2026"), True),
        (openjobs.counts(KEYSPACE, "2026"), True),
        (openjobs.waiting(KEYSPACE, [(None, "t0", "aa")], LIMIT), True),
        (openjobs.waiting(KEYSPACE, [("q0", "t0", "aa"), ("q1", "t1", "aa")], LIMIT), True),
        (openjobs.due(KEYSPACE, ["q0"], "2025", "2026", LIMIT), True),
        # The documents of dead workers' jobs are read anyway.
        (openjobs.begun(KEYSPACE, ["w"]), False),
    ],
    ids=["open", "unqueued", "counts", "version", "versions", "due", "workers"],
)
def test_what_repair_reads_has_one_plan(indexes: Indexes, query: Query, covers: bool) -> None:
    statement = parse(query.text)
    select = statement.selects[0] if isinstance(statement, Gather) else statement
    assert isinstance(select, Select)

    online = indexes.online(select.keyspace)
    plans = [planner.choose(select, online, random.Random(seed)) for seed in SEEDS]

    (plan,) = {plan.index.name: plan for plan in plans if plan is not None}.values()
    assert (plan.index.name, plan.covers) == (select.index, covers)
    assert plan.ordered or select.order is None


async def test_what_repair_reads_costs_what_it_returns(
    ask: Asker, bucket: Bucket, retained: list[dict[str, str]]
) -> None:
    bucket.counters.clear()

    (page,) = await run(ask, openjobs.rows(KEYSPACE, "", 20, None))
    assert [row[0] for row in page] == [job["uuid"] for job in retained[:20]]
    assert (bucket.counters[SCANNED], bucket.counters[FETCHED]) == (20, 0)
    assert await run(ask, openjobs.rows(KEYSPACE, "", 20, "2026")) == [[]]
    assert (bucket.counters[SCANNED], bucket.counters[FETCHED]) == (20, 0)
    counts = await run(ask, openjobs.counts(KEYSPACE, "2026"))
    assert sum(count for _, count in counts) == 30
    assert (bucket.counters[SCANNED], bucket.counters[FETCHED]) == (50, 0)
    assert await run(ask, openjobs.begun(KEYSPACE, ["w"])) == [[]]
    assert (bucket.counters[SCANNED], bucket.counters[FETCHED]) == (50, 0)


async def test_jobs_of_versions_are_counted_no_further_than_the_limit(
    ask: Asker, bucket: Bucket, engine: Engine
) -> None:
    number = engine.manifest.find(KEYSPACE.scope, "jobs").number
    for at in range(200):
        state = ("queued", "waiting", "running", "failed")[at % 4]
        queue = ("q", "other")[at // 4 % 2]
        job = {"type": "T", "schemaHash": "aa", "state": state, "queue": queue}
        engine.upsert(Address(number, f"{at:08}".encode()), Write(json.dumps(job).encode()))
    bucket.counters.clear()

    asked = [("q", "T", "aa"), ("q", "T", "bb"), (None, "T", "aa"), ("large", "T", "aa")]
    (found,) = await run(ask, openjobs.waiting(KEYSPACE, asked, LIMIT))

    assert list(map(len, found)) == [LIMIT, 0, LIMIT, 0]
    assert bucket.counters[SCANNED] <= 4 * LIMIT
    assert bucket.counters[FETCHED] == 0


async def test_due_times_cost_what_they_return_however_many_jobs_are_delayed(
    ask: Asker, bucket: Bucket, engine: Engine
) -> None:
    number = engine.manifest.find(KEYSPACE.scope, "jobs").number
    for at in range(400):
        due = {} if at % 4 == 3 else {"notBeforeTime": f"2026-01-01T{at:08}"}
        job = {"queue": "q", "state": ("queued", "waiting")[at % 2], **due}
        engine.upsert(Address(number, f"{at:08}".encode()), Write(json.dumps(job).encode()))
    bucket.counters.clear()
    after, until = "2026-01-01T00000100", "2026-01-01T00000200"

    (found,) = await run(ask, openjobs.due(KEYSPACE, ["q", "other"], after, until, LIMIT))

    assert found == [[f"2026-01-01T{at:08}" for at in range(101, 999) if at % 4 != 3][:LIMIT], []]
    assert bucket.counters[SCANNED] == LIMIT
    assert bucket.counters[FETCHED] == 0


async def test_what_is_read_whole_has_an_index_for_that(ask: Asker) -> None:
    primary = [index.collection for index in statements.indexes() if index.keys is None]
    assert {"types", "workers"} <= set(primary)

    for collection in primary:
        (query,) = statements.scan(KEYSPACE, collection)
        assert await run(ask, query) == [[[]]]
