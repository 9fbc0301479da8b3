"""The datastore's adapter when the query service restarts, forgets or falls silent."""

import secrets
from collections.abc import AsyncIterator

import pytest
from tests.couchbase.process import CouchbaseServer
from tests.store.opening import couchbase_settings, open_datastore

from zerog.model.errors import DatastoreUnavailableError
from zerog.store.couchbase.setup import open_setup
from zerog.store.port import Datastore, JobFilter

DEADLINE_SECONDS = 2.0
SETUP_SECONDS = 30.0


@pytest.fixture
async def store(
    couchbase_server: CouchbaseServer, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Datastore]:
    monkeypatch.setenv("ZEROG_COUCHBASE_PASSWORD", couchbase_server.password)
    url = couchbase_server.url(f"s{secrets.token_hex(4)}")
    async with open_setup(url, couchbase_settings(), SETUP_SECONDS) as setup:
        async for _ in setup.initialise(replicas=0, wait_seconds=SETUP_SECONDS):
            pass
    opened = await open_datastore(url, deadline_seconds=DEADLINE_SECONDS)
    yield opened
    await opened.close()


async def list_keys(store: Datastore) -> list[str]:
    page = await store.list_jobs(JobFilter(states=["queued"]))
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


async def test_a_listing_shows_what_was_written_before_though_the_index_is_late(
    store: Datastore, couchbase_server: CouchbaseServer
) -> None:
    couchbase_server.make_index_stale()
    await insert(store, "1")

    assert await list_keys(store) == ["1"]
    assert await store.count_jobs(JobFilter()) == 1


async def test_a_silent_query_service_makes_a_listing_unavailable_and_spares_the_rest(
    store: Datastore, couchbase_server: CouchbaseServer
) -> None:
    couchbase_server.add_fault("silence", opcode="QUERY")

    with pytest.raises(DatastoreUnavailableError):
        await list_keys(store)

    await insert(store, "1")
    assert await list_keys(store) == ["1"]
