"""A record that cannot be read hides no other in a listing, and keeps no other from a change."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from tests.api.answering import answering_with
from tests.api.authority import GOOD, Scripted, gate_of
from tests.queue.memory import MemoryQueue
from tests.store.memory import MemoryDatastore

from zerog.ledger.codec import write_record
from zerog.model.record import JobRecord, new_job_id

NOW = datetime(2026, 1, 1, tzinfo=UTC)
#: Instead of a record: fields of another type, of another job, and what is no document.
BAD: list[dict[str, Any] | bytes] = [
    {"priority": 5e9}, {"queue": "zerog.EVIL;$(x)"}, {"uuid": "another"}, {"attempt": 2**64},
    {"limits": {"backoffSeconds": 5e9}}, b"[]", b"{",
]  # fmt: skip


@pytest.fixture(params=BAD, ids=str)
async def store(request: pytest.FixtureRequest) -> MemoryDatastore:
    """Three queued jobs of which the second is a bad one."""
    made = MemoryDatastore()
    records = [JobRecord(new_job_id(), "T", "mail", NOW, NOW) for _ in range(3)]
    for record in records:
        await made.insert("jobs", record.uuid, write_record(record))
    bad = records[1].uuid
    if isinstance(request.param, bytes):
        made.damage("jobs", bad, request.param)
    else:
        document = write_record(records[1])
        await made.upsert("jobs", bad, {**document, **request.param})
    return made


@pytest.fixture
async def api(store: MemoryDatastore) -> AsyncIterator[httpx.AsyncClient]:
    async with answering_with(store, MemoryQueue()) as (client, _):
        yield client


async def uuids(store: MemoryDatastore) -> list[str]:
    """Return the keys of the three, the bad one in the middle."""
    return sorted(await store.scan("jobs"))


async def test_a_listing_shows_the_others(api: httpx.AsyncClient, store: MemoryDatastore) -> None:
    first, _, last = await uuids(store)

    answer = await api.get("/v1/jobs")

    assert [job["uuid"] for job in answer.json()["jobs"]] == [last, first]


@pytest.mark.parametrize("by", ["state", "uuids"])
async def test_a_change_of_many_changes_the_others(
    api: httpx.AsyncClient, store: MemoryDatastore, by: str
) -> None:
    chosen = {"uuids": await uuids(store)} if by == "uuids" else {"state": "queued"}

    answer = await api.post("/v1/jobs:cancel", json={"filter": chosen})

    assert answer.json() == {"changed": 2, "more": False}


async def test_a_caller_with_rights_may_change_the_others(store: MemoryDatastore) -> None:
    headers = {"Authorization": f"Bearer {GOOD}"}
    async with answering_with(store, MemoryQueue(), gate_of(Scripted())) as (client, _):
        chosen = {"uuids": await uuids(store)}
        answer = await client.post("/v1/jobs:cancel", json={"filter": chosen}, headers=headers)

    assert answer.json() == {"changed": 2, "more": False}
