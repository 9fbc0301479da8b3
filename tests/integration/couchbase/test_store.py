"""The datastore's adapter when the query service restarts, forgets, is silent or lacks an index."""

import logging
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from tests.couchbase.process import CouchbaseServer
from tests.couchbase.scopes import query
from tests.store.opening import couchbase_settings, open_datastore

from zerog.model.errors import DatastoreUnavailableError
from zerog.store.couchbase.setup import open_setup
from zerog.store.couchbase.statements import MAX_STATEMENTS, Keyspace, drop_index
from zerog.store.port import Datastore, JobFilter, Page, PatchOp

DEADLINE_SECONDS = 2.0
SETUP_SECONDS = 30.0


@pytest.fixture
def scope() -> str:
    return f"s{secrets.token_hex(4)}"


@pytest.fixture
async def store(
    couchbase_server: CouchbaseServer, scope: str, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Datastore]:
    monkeypatch.setenv("ZEROG_COUCHBASE_PASSWORD", couchbase_server.password)
    url = couchbase_server.url(scope)
    async with open_setup(url, couchbase_settings(), SETUP_SECONDS) as setup:
        async for _ in setup.initialise(replicas=0, wait_seconds=SETUP_SECONDS):
            pass
    opened = await open_datastore(url, deadline_seconds=DEADLINE_SECONDS)
    yield opened
    await opened.close()


@pytest.fixture
def without_the_index(store: Datastore, couchbase_server: CouchbaseServer, scope: str) -> None:
    """A store that has no index for a listing of all jobs."""
    drop(couchbase_server, scope, "zerog_jobs_newest")


def drop(server: CouchbaseServer, scope: str, index: str) -> None:
    query(server, drop_index(Keyspace(server.bucket, scope), "jobs", index))


async def list_keys(store: Datastore, *, fresh: bool = False) -> list[str]:
    page = await store.list_jobs(JobFilter(states=["queued"]), fresh=fresh)
    return [stored.document["uuid"] for stored in page.jobs]


async def insert(store: Datastore, key: str) -> None:
    await store.insert("jobs", key, {"uuid": key, "state": "queued", "type": "t", "queue": "q"})


async def test_a_listing_goes_on_when_the_query_service_has_forgotten_its_statements(
    store: Datastore, couchbase_server: CouchbaseServer
) -> None:
    await insert(store, "1")
    assert await list_keys(store) == ["1"]

    couchbase_server.forget_prepared()

    assert await list_keys(store) == ["1"]


async def test_a_fresh_listing_shows_what_was_written_before_though_the_index_is_late(
    store: Datastore, couchbase_server: CouchbaseServer
) -> None:
    couchbase_server.make_index_stale()
    await insert(store, "1")
    await store.upsert("types", "t", {"name": "t"})

    assert await list_keys(store) == []
    assert await store.scan("types") == {}
    assert await list_keys(store, fresh=True) == ["1"]
    assert await store.count_jobs(JobFilter()) == 1
    assert list(await store.scan("types", fresh=True)) == ["t"]


async def test_what_an_index_still_has_is_read_again_before_it_is_listed(
    store: Datastore, couchbase_server: CouchbaseServer
) -> None:
    await insert(store, "1")
    await insert(store, "2")
    couchbase_server.make_index_stale()
    await store.patch("jobs", "1", [PatchOp("set", ("state",), "running")])
    await store.remove("jobs", "2")

    assert await list_keys(store) == []


async def test_many_values_cost_a_few_statements_at_the_same_time(
    store: Datastore, couchbase_server: CouchbaseServer
) -> None:
    await list_keys(store)
    couchbase_server.reset_counters()

    await store.list_jobs(JobFilter(queues=[f"q{number}" for number in range(50)]))

    assert couchbase_server.counters()["QUERY"] == MAX_STATEMENTS


@pytest.mark.usefixtures("without_the_index")
async def test_a_listing_without_its_index_is_refused_and_the_others_go_on(
    store: Datastore, couchbase_server: CouchbaseServer
) -> None:
    couchbase_server.behave(without_index="scanned")
    await insert(store, "1")
    couchbase_server.reset_counters()

    with pytest.raises(DatastoreUnavailableError, match=r"zerog_jobs_newest \(missing\).*init"):
        await store.list_jobs(JobFilter())

    assert "SCANNED" not in couchbase_server.counters()
    assert await list_keys(store) == ["1"]


@pytest.mark.parametrize(
    ("index", "ask"),
    [
        ("zerog_jobs_open", lambda store: store.open_jobs(limit=1)),
        ("zerog_jobs_open", lambda store: store.count_open("2026")),
        ("zerog_jobs_unqueued", lambda store: store.open_jobs(limit=1, without_entry_since="2026")),
        ("zerog_jobs_by_worker", lambda store: store.jobs_of_workers(["w"])),
        ("zerog_jobs_by_version", lambda store: store.count_waiting([("q", "T", "aa")], limit=1)),
        ("zerog_jobs_due", lambda store: store.due_times(["q"], after="", until="2026", limit=1)),
    ],
)
async def test_repair_and_operator_are_refused_what_has_no_index(
    store: Datastore,
    couchbase_server: CouchbaseServer,
    scope: str,
    index: str,
    ask: Callable[[Datastore], Awaitable[object]],
) -> None:
    couchbase_server.behave(without_index="scanned")
    drop(couchbase_server, scope, index)
    await insert(store, "1")
    couchbase_server.reset_counters()

    with pytest.raises(DatastoreUnavailableError, match=rf"{index} \(missing\).*init"):
        await ask(store)

    assert "SCANNED" not in couchbase_server.counters()


@pytest.mark.usefixtures("without_the_index")
async def test_an_index_that_is_made_later_is_used(
    store: Datastore, couchbase_server: CouchbaseServer, scope: str
) -> None:
    with pytest.raises(DatastoreUnavailableError):
        await store.list_jobs(JobFilter())
    async with open_setup(couchbase_server.url(scope), couchbase_settings(), SETUP_SECONDS) as it:
        async for _ in it.initialise(replicas=0, wait_seconds=SETUP_SECONDS):
            pass

    assert await store.list_jobs(JobFilter()) == Page([], None)


@pytest.mark.usefixtures("without_the_index")
async def test_a_user_who_sees_no_indexes_is_warned_and_the_missing_one_is_named_as_the_cause(
    store: Datastore, couchbase_server: CouchbaseServer, caplog: pytest.LogCaptureFixture
) -> None:
    couchbase_server.behave(without_index="forbidden", sees_indexes=False)

    with (
        caplog.at_level(logging.WARNING),
        pytest.raises(DatastoreUnavailableError, match="an index is missing, or the user lacks"),
    ):
        await store.list_jobs(JobFilter())

    assert "query_list_index" in caplog.text


async def test_a_silent_query_service_makes_a_listing_unavailable_and_spares_the_rest(
    store: Datastore, couchbase_server: CouchbaseServer
) -> None:
    couchbase_server.add_fault("silence", opcode="QUERY")

    with pytest.raises(DatastoreUnavailableError):
        await list_keys(store)

    await insert(store, "1")
    assert await list_keys(store) == ["1"]
