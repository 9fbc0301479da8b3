"""Types whose jobs no worker takes: seen in the queues, the pools and the metrics."""

import asyncio
import logging
from collections.abc import Iterable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from prometheus_client import generate_latest
from tests.store.memory import MemoryDatastore

from zerog.ledger import readable
from zerog.model.documents import PoolDocument, TypeDocument, WorkerDocument, write
from zerog.model.errors import DatastoreUnavailableError
from zerog.queue.port import TubeStats
from zerog.store.port import Stored
from zerog_api import models
from zerog_api.core import overview
from zerog_api.core.types import Types
from zerog_api.edge.metrics import Metrics

START = datetime(2026, 1, 1, tzinfo=UTC)


class Store(MemoryDatastore):
    """Can be away."""

    away = False

    async def scan(self, *arguments: Any, **more: Any) -> dict[str, Stored]:
        if self.away:
            raise DatastoreUnavailableError
        return await super().scan(*arguments, **more)


class Calls:
    """The calls of an API whose queue `mail` has a worker that does not know the type Send."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.tubes: list[str] = []
        types = Types(store)
        producer: Any = SimpleNamespace(tubes=self._tubes, tube_stats_many=self._empty_tubes)
        self.types = types
        self.overview = overview.Overview(store, producer, types)

    async def _tubes(self) -> list[str]:
        return ["default", *self.tubes]

    async def _empty_tubes(self, names: Iterable[str]) -> list[TubeStats]:
        return [TubeStats(name) for name in names]

    async def read(self, kind: str) -> list[dict[str, Any]]:
        """Return the items that a call of the overview lists, once its model allows them."""
        found = await getattr(self.overview, kind)()
        document = found if kind == "queues" else {kind: found}
        getattr(models, kind.capitalize()).model_validate(document)
        items: list[dict[str, Any]] = document[kind]
        return items

    async def metrics(self) -> list[str]:
        """Return the metric's lines."""
        metrics = Metrics()
        metrics.note_unserved(await self.types.unserved())
        lines = generate_latest(metrics.registry).decode().splitlines()
        return [line for line in lines if line.startswith("zerog_queue_unserved_types")]


@pytest.fixture
async def calls() -> Calls:
    store = Store()
    for name, queue in (("Send", "mail"), ("Sort", "mail"), ("Count", "numbers")):
        await store.upsert("types", name, write(TypeDocument(name, queue, {})))
    worker = WorkerDocument("a", ["mail"], ["Sort"], 1, [], "running", START, START, 1)
    await store.upsert("workers", "a", write(worker))
    await store.upsert("jobs", "1", {"type": "Send", "queue": "mail", "state": "queued"})
    for pool in ("mail", "numbers"):
        document = PoolDocument("shop", pool, pool, 0, 9, "as wanted", "True", "", busy=1)
        await store.upsert("pools", document.key, write(document))
    return Calls(store)


@pytest.mark.parametrize("kind", ["queues", "pools"])
async def test_a_queue_and_its_pool_name_the_types_that_no_worker_knows(
    calls: Calls, kind: str
) -> None:
    found = {item["name"]: item["unservedTypes"] for item in await calls.read(kind)}

    assert found == {"mail": ["Send"], "numbers": None}


async def test_the_metric_counts_them_where_workers_were_seen(calls: Calls) -> None:
    assert await calls.metrics() == ['zerog_queue_unserved_types{queue="mail"} 1.0']


async def test_a_store_that_is_away_keeps_no_metrics_from_prometheus(calls: Calls) -> None:
    calls.store.away = True

    assert await calls.metrics() == []


@pytest.mark.parametrize(
    ("kind", "names"),
    [("queues", ["mail", "numbers"]), ("workers", ["a"]), ("pools", ["mail", "numbers"])],
)
async def test_documents_that_cannot_be_read_spoil_no_call_and_are_named_once(
    calls: Calls,
    kind: str,
    names: list[str],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(readable, "_named", {})
    for collection in ("types", "workers", "pools"):
        for number, document in enumerate([{}, {"name": 5}, {"name": "odd", "queue": ["mail"]}]):
            await calls.store.upsert(collection, f"odd{number}", document)  # type: ignore[arg-type]

    with caplog.at_level(logging.ERROR):
        seen = [item["name"] for item in await calls.read(kind)]
        await calls.read(kind)

    assert seen == names
    if kind != "queues":
        assert caplog.text.count(f"{kind} odd0 is left out") == 1


async def test_a_pool_is_shown_as_the_operator_wrote_it(calls: Calls) -> None:
    assert (await calls.read("pools"))[0] == {
        "namespace": "shop", "name": "mail", "queue": "mail", "minReplicas": 0, "maxReplicas": 9,
        "decision": "as wanted", "ready": "True", "message": "", "busy": 1,
        "unservedTypes": ["Send"],
    }  # fmt: skip


async def test_a_name_that_no_queue_may_have_is_not_shown(calls: Calls) -> None:
    calls.tubes = ["zerog.letters", "zerog.", "zerog.Odd", "zerog.a+b"]
    odd = write(TypeDocument("Odd", "odd", {}))
    await calls.store.upsert("types", "Odd", {**odd, "queue": "not a queue"})

    assert [item["name"] for item in await calls.read("queues")] == ["letters", "mail", "numbers"]


async def test_a_surprise_does_not_end_the_measurement_of_rates(
    calls: Calls, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    stop = asyncio.Event()
    measured = asyncio.Event()
    monkeypatch.setattr(overview, "SAMPLE_SECONDS", 0.0)

    async def tubes() -> list[str]:
        if "a surprise" in caplog.text:
            measured.set()
            return []
        raise KeyError("a surprise")

    monkeypatch.setattr(calls.overview._producer, "tubes", tubes)
    measuring = asyncio.create_task(calls.overview.measure(stop))

    await measured.wait()

    stop.set()
    await measuring
