"""Pauses and drains through the API: whom they reach, what they cost, and what they give away."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx
import pytest
from tests.api.answering import answering_with
from tests.api.authority import GOOD, Scripted, gate_of
from tests.queue.memory import MemoryQueue
from tests.store.memory import MemoryDatastore

from zerog.ledger.mailboxes import NUDGE
from zerog.ledger.types import register
from zerog.model.documents import TypeDocument, WorkerDocument, write
from zerog.model.names import mailbox_tube_name
from zerog.store.port import Collection, Stored
from zerog_api.calls.base import Parts
from zerog_api.core import overview

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Store(MemoryDatastore):
    """Counts how often all workers are read."""

    scans = 0

    async def scan(self, collection: Collection, *, fresh: bool = False) -> dict[str, Stored]:
        self.scans += collection == "workers"
        return await super().scan(collection, fresh=fresh)

    async def work(self, name: str, queues: list[str]) -> None:
        """Let a worker beat."""
        worker = WorkerDocument(name, queues, ["T"], 1, [], "running", NOW, NOW, 1)
        await self.upsert("workers", name, write(worker))


class Api:
    """The API, with a store and a queue that every worker hears."""

    def __init__(self, store: Store, queue: MemoryQueue) -> None:
        self.store = store
        self.queue = queue
        self.client: httpx.AsyncClient
        self.parts: Parts

    async def nudged(self) -> list[str]:
        """Return the tubes of those who are nudged."""
        await self.parts.dispatch.nudges.flush()
        return [item.tube for item in self.queue.items.values() if item.body == NUDGE]


@pytest.fixture
async def api() -> AsyncIterator[Api]:
    made = Api(Store(), MemoryQueue())
    made.queue.heard = {mailbox_tube_name(name) for name in ("one", "two")}
    await register(made.store, [TypeDocument("T", "mail", {})], NOW)
    await made.store.work("one", ["mail"])
    await made.store.work("two", ["media"])
    async with answering_with(made.store, made.queue) as (made.client, made.parts):
        yield made


async def test_a_pause_nudges_the_workers_of_its_queue(api: Api) -> None:
    answer = await api.client.post("/v1/queues/mail:pause")

    assert answer.status_code == 200
    assert await api.nudged() == [mailbox_tube_name("one")]


async def test_many_pauses_read_the_workers_once(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overview, "LOOK_SECONDS", 1000.0)
    await api.client.post("/v1/queues/mail:pause")
    before = api.store.scans

    for verb in ("resume", "pause") * 5:
        assert (await api.client.post(f"/v1/queues/mail:{verb}")).status_code == 200

    assert api.store.scans == before


@pytest.mark.parametrize("verb", ["drain", "undrain"])
async def test_who_may_not_drain_a_worker_does_not_learn_whether_there_is_one(
    api: Api, verb: str
) -> None:
    await api.store.work("none", [])
    headers = {"Authorization": f"Bearer {GOOD}"}  # for the queue `mail`
    found: dict[str, tuple[int, str]] = {}
    async with answering_with(api.store, api.queue, gate_of(Scripted())) as (client, _):
        for name in ("one", "two", "none", "nobody"):
            answer = await client.post(f"/v1/workers/{name}:{verb}", headers=headers)
            found[name] = answer.status_code, answer.json().get("detail", "")

    assert found["one"][0] == 200
    assert found["two"][0] == 403
    assert found["two"] == found["none"] == found["nobody"]
    assert (await api.client.post(f"/v1/workers/nobody:{verb}")).status_code == 404
