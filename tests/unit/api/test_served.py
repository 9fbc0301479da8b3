"""Whether workers serve a type: told where it is known, at no cost to those who submit."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.api.answering import answering_with
from tests.queue.memory import MemoryQueue
from tests.store.memory import MemoryDatastore

from zerog.ledger.unserved import Unserved
from zerog.model.documents import PoolDocument, TypeDocument, WorkerDocument, write
from zerog.model.errors import DatastoreUnavailableError
from zerog.store.port import Stored
from zerog_api.core import served
from zerog_api.core.overview import Overview
from zerog_api.core.served import Served
from zerog_api.core.types import Types

START = datetime(2026, 1, 1, tzinfo=UTC)
SEND, SORT = ("Send", "mail"), ("Sort", "mail")


class Store(MemoryDatastore):
    """Counts how often workers and pools are read, can be away, and can hang."""

    def __init__(self) -> None:
        super().__init__()
        self.reads: dict[str, int] = {}
        self.away = False
        self.hangs = False

    async def scan(self, collection: Any, **more: Any) -> dict[str, Stored]:
        self.reads[collection] = self.reads.get(collection, 0) + 1
        if self.hangs:
            await asyncio.Event().wait()
        if self.away:
            raise DatastoreUnavailableError
        return await super().scan(collection, **more)

    async def add_worker(self, *types: str, beat: int = 1) -> None:
        """Let a worker of the queue mail write its document."""
        worker = WorkerDocument("a", ["mail"], list(types), 1, [], "running", START, START, beat)
        await self.upsert("workers", "a", write(worker))

    async def add_pool(self, queue: str) -> None:
        pool = PoolDocument("shop", "pool", queue, 0, 9, "as wanted", "True", "")
        await self.upsert("pools", "shop::pool", write(pool))


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Store:
    # A busy machine is not what these tests are about.
    monkeypatch.setattr(served, "PATIENCE_SECONDS", 60.0)
    return Store()


def always_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take every answer for too old from now on."""
    monkeypatch.setattr(served, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(served, "USABLE_SECONDS", 0.0)


async def test_a_type_that_no_worker_takes_is_told_with_what_to_do(store: Store) -> None:
    answers = Served(store, Unserved())

    assert await answers.is_served(*SEND) is False
    assert await answers.warning(SEND) == (
        "no worker serves the type Send of the queue mail: start one, e.g. `zerog worker MODULE`"
    )


async def test_a_worker_of_which_nothing_is_certain_is_no_reason_to_warn(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    always_look(monkeypatch)
    answers = Served(store, Unserved())
    await store.add_worker("Send")

    assert (await answers.is_served(*SEND), await answers.warning(SEND)) == (None, None)
    await store.add_worker("Send", beat=2)
    assert (await answers.is_served(*SEND), await answers.warning(SEND)) == (True, None)


async def test_a_pool_without_a_worker_will_start_one(store: Store) -> None:
    await store.add_pool("mail")
    answers = Served(store, Unserved())

    assert await answers.is_served(*SEND) is False
    assert await answers.warning(SEND) is None
    assert await answers.warning(("Count", "numbers")) is not None


async def test_a_pool_whose_workers_do_not_know_the_type_does_not_help(store: Store) -> None:
    await store.add_pool("mail")
    await store.add_worker("Sort")

    told = await Served(store, Unserved()).warning(SEND, SORT)

    assert told is not None
    assert "Send" in told
    assert "Sort" not in told


async def test_a_store_that_is_away_leaves_it_unknown(store: Store) -> None:
    store.away = True
    answers = Served(store, Unserved())

    assert (await answers.is_served(*SEND), await answers.warning(SEND)) == (None, None)


async def test_a_store_that_hangs_does_not_hold_a_submission_up(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served, "PATIENCE_SECONDS", 0.0)
    store.hangs = True

    assert await Served(store, Unserved()).warning(SEND) is None


async def test_however_many_submit_the_workers_are_read_once_in_a_while(store: Store) -> None:
    answers = Served(store, Unserved())

    told = await asyncio.gather(*[answers.warning(SEND) for _ in range(100)])

    assert len(set(told)) == 1
    assert store.reads == {"workers": 1, "pools": 1, "controls": 1}


async def test_nothing_is_read_of_pools_while_types_are_served(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    always_look(monkeypatch)
    answers = Served(store, Unserved())
    for beat in range(3):
        await store.add_worker("Send", beat=beat)
        await answers.warning(SEND)

    assert store.reads == {"workers": 3, "controls": 3}


async def test_a_warning_names_only_some_of_many_types(store: Store) -> None:
    many = [(f"T{number}", "mail") for number in range(10)]

    told = await Served(store, Unserved()).warning(*many)

    assert told is not None
    assert told.count("no worker serves") == served.MAX_WARNINGS
    assert told.endswith("; and 7 more types")


async def test_a_type_s_document_says_whether_it_is_served(store: Store) -> None:
    await store.upsert("types", "Send", write(TypeDocument("Send", "mail", {})))

    async with answering_with(store, MemoryQueue()) as (client, _):
        one = (await client.get("/v1/types/Send")).json()
        all_types = (await client.get("/v1/types")).json()["types"]
        accepted = (await client.post("/v1/jobs/Send", json={})).json()
        batch = (await client.post("/v1/jobs:batch", json={"jobs": [{"type": "Send"}]})).json()

    assert one["served"] is False
    assert all_types == [one]
    assert "no worker serves" in accepted["warning"]
    assert batch["warning"] == accepted["warning"]


async def test_nobody_is_warned_of_a_worker_that_has_started_meanwhile(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(served, "USABLE_SECONDS", 60.0)
    answers = Served(store, Unserved())
    assert await answers.warning(SEND) is not None

    await store.add_worker("Send")

    assert await answers.warning(SEND) is None


async def test_a_worker_that_drains_is_named_and_not_said_to_be_missing(store: Store) -> None:
    worker = WorkerDocument("a", ["mail"], ["Send"], 1, [], "draining", START, START, 1)
    await store.upsert("workers", "a", write(worker))

    told = await Served(store, Unserved()).warning(SEND)

    assert told == (
        "no worker takes new jobs of the type Send of the queue mail: a drains; "
        "`zerog undrain a`, or start another worker"
    )


async def test_those_who_share_an_observer_read_the_workers_once(store: Store) -> None:
    await store.add_worker("Send")
    types = Types(store)
    view = Overview(store, MemoryQueue(), types)

    await view.now()

    assert store.reads["workers"] == 1
