"""Which writes have reached the replicas before anybody is answered, as the server sees it.

Every answer that says "accepted" or "done" stands on durable writes alone: a failover takes back
the others of the last moments.
"""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.couchbase.process import CouchbaseServer
from tests.couchbase.protocol import Status
from tests.couchbase.scopes import configure, new_scope
from tests.queue.memory import MemoryQueue
from tests.store.opening import open_datastore

from zerog.ledger import keys
from zerog.ledger.dispatch import Dispatch
from zerog.ledger.jobs import Jobs
from zerog.ledger.stats import Stats
from zerog.model import events, life
from zerog.model.documents import Remembered, TypeDocument
from zerog.model.errors import DatastoreUnavailableError
from zerog.model.limits import INLINE_BYTES
from zerog.model.record import JobId, WorkerIdentity, new_job_id
from zerog.store.couchbase import probe
from zerog.store.port import Datastore

DEADLINE_SECONDS = 30.0
LARGE = {"text": "x" * (INLINE_BYTES + 1)}
TYPE = TypeDocument("T", "default", {})
KEY = "a" * 64
CLAIM = events.Claimed(WorkerIdentity("me"), 1)
#: What a change counts is noted first. As counts are, it is not durable.
TALLY = "UPSERT tallies"


@pytest.fixture
def server(couchbase_server: CouchbaseServer) -> CouchbaseServer:
    return couchbase_server


@pytest.fixture(params=["query", "kv"])
async def store(
    server: CouchbaseServer, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> AsyncIterator[Datastore]:
    """A store with either way to list."""
    configure(monkeypatch, server, listing=request.param)
    url = server.url(new_scope(server, queries=False))
    opened = await open_datastore(url, deadline_seconds=DEADLINE_SECONDS)
    server.reset_counters()
    yield opened
    await opened.close()


@pytest.fixture
def dispatch(store: Datastore) -> Dispatch:
    return Dispatch(Jobs(store, Stats(store)), MemoryQueue())


async def accept(dispatch: Dispatch, parameters: dict[str, Any], key: str | None = None) -> JobId:
    uuid = new_job_id()
    now = datetime.now(UTC)
    record = life.accept(
        uuid=uuid, job_type=TYPE, parameters=parameters, now=now, idempotency_key=key
    )
    await dispatch.accept(record)
    return uuid


def writes(server: CouchbaseServer, level: str) -> set[str]:
    """Return the writes since the last look that asked for durability, or did not."""
    found = {name.removeprefix(f"{level} ") for name in server.counters() if level in name}
    return {name for name in found if not name.endswith(" directory")}


async def test_an_accepted_job_is_durable_with_all_that_it_needs(
    server: CouchbaseServer, store: Datastore, dispatch: Dispatch
) -> None:
    await keys.remember(store, KEY, Remembered([new_job_id()], "mark"), 60)
    uuid = await accept(dispatch, LARGE, KEY)
    await keys.note_ended(store, (await dispatch.jobs.read(uuid)).record)

    assert writes(server, "DURABLE") == {
        "INSERT idempotency", "INSERT blobs", "INSERT jobs", "MUTATE_IN idempotency",
    }  # fmt: skip
    assert writes(server, "PLAIN") == set()
    # Neither is the listing without queries, which would not find the job again.
    assert not [name for name in server.counters() if "PLAIN" in name]


async def test_a_claim_alone_is_not_durable(
    server: CouchbaseServer, store: Datastore, dispatch: Dispatch
) -> None:
    uuid = await accept(dispatch, {})
    server.reset_counters()

    await dispatch.jobs.apply(uuid, CLAIM)

    assert writes(server, "PLAIN") == {"REPLACE jobs", TALLY}


async def test_an_end_is_durable_with_its_output(
    server: CouchbaseServer, store: Datastore, dispatch: Dispatch
) -> None:
    uuid = await accept(dispatch, {})
    await dispatch.jobs.apply(uuid, CLAIM)
    server.reset_counters()

    await dispatch.jobs.apply(uuid, events.Returned(1, data=LARGE))

    assert writes(server, "DURABLE") == {"INSERT blobs", "REPLACE jobs"}
    assert writes(server, "PLAIN") == {TALLY}


async def test_what_a_person_asks_for_is_durable(
    server: CouchbaseServer, store: Datastore, dispatch: Dispatch
) -> None:
    uuid = await accept(dispatch, {})
    server.reset_counters()

    await dispatch.cancel(uuid)
    await dispatch.replay(uuid)
    await dispatch.cancel(uuid)
    await dispatch.jobs.delete(uuid)

    assert writes(server, "DURABLE") == {"REPLACE jobs", "REMOVE jobs"}
    assert writes(server, "PLAIN") == {TALLY}


# Readiness


async def test_a_store_that_refuses_durable_writes_is_not_ready(
    server: CouchbaseServer, store: Datastore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "DURABLE_SECONDS", 0.0)
    await store.ready()

    server.make_durability_possible(False)
    said = set()
    for _ in range(2):
        with pytest.raises(DatastoreUnavailableError, match="too few replicas") as caught:
            await store.ready()
        said.add(str(caught.value))
    assert len(said) == 1  # or each would be logged

    server.make_durability_possible(True)
    await store.ready()


async def test_a_store_that_refuses_some_keys_alone_is_ready(
    server: CouchbaseServer, store: Datastore
) -> None:
    """One node of several is down: it is asked for another key."""
    server.add_fault("status", status=Status.DURABILITY_IMPOSSIBLE, opcode="UPSERT", count=2)

    await store.ready()

    assert server.count_faults() == 2


async def test_being_asked_often_costs_few_durable_writes(
    server: CouchbaseServer, store: Datastore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(probe, "DURABLE_SECONDS", 1e6)
    for _ in range(20):
        await store.ready()

    counters = server.counters()
    assert counters["DURABLE UPSERT leases"] == 1
    assert counters["PLAIN UPSERT leases"] == 19
