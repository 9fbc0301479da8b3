"""Which workers stay for jobs of their version when they are told to go."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.store.memory import MemoryDatastore
from tests.unit.jobrunner.worker.stand_ins import IDENTITY, fits

from zerog.ledger.claims import Claimer
from zerog.ledger.controls import hold
from zerog.ledger.jobs import Jobs
from zerog.ledger.stats import Stats
from zerog.ledger.types import register
from zerog.ledger.workers import Beat
from zerog.model.documents import ControlDocument, TypeDocument, WorkerDocument, write
from zerog.model.errors import DatastoreUnavailableError
from zerog.model.record import new_job_id
from zerog.model.schemas import schema_hash
from zerog.store.port import Stored
from zerog.worker import linger as module
from zerog.worker.controls import ControlWatch
from zerog.worker.linger import linger, outdated

START = datetime(2026, 1, 1, tzinfo=UTC)


def schema(*required: str, optional: str = "") -> dict[str, Any]:
    properties = {name: {"type": "string"} for name in (*required, *optional)}
    closed = {"type": "object", "additionalProperties": False}
    return {**closed, "properties": properties, "required": list(required)}


OLD, NEW, WIDER = schema("a"), schema("a", "b"), schema("a", optional="c")


def registered(*schemas: dict[str, Any]) -> dict[str, TypeDocument]:
    return {"T": TypeDocument.of_versions([TypeDocument("T", "default", s) for s in schemas])}


def worker(
    name: str, has: dict[str, Any] = OLD, state: str = "running", queue: str = "default"
) -> WorkerDocument:
    takes = {"T": schema_hash(has)}
    return WorkerDocument(name, [queue], ["T"], 1, [], state, START, START, 1, takes=takes)


@pytest.mark.parametrize(
    ("types", "others", "stays"),
    [
        pytest.param(registered(OLD), [], False, id="nothing newer"),
        pytest.param(registered(NEW, OLD), [], True, id="replaced"),
        pytest.param(registered(NEW, OLD), [worker("b", NEW)], True, id="replaced, and served"),
        pytest.param(registered(WIDER, OLD), [], False, id="the newer one takes all"),
        pytest.param(registered(NEW, OLD), [worker("b")], False, id="another one stays"),
        pytest.param(registered(NEW, OLD), [worker("dead")], True, id="another one may be dead"),
        pytest.param(registered(NEW, OLD), [worker("b", state="draining")], True, id="both go"),
        pytest.param(registered(NEW, OLD), [worker("b", queue="x")], True, id="elsewhere"),
        pytest.param(registered(OLD, NEW), [], False, id="rolled back, nobody has the newer"),
        pytest.param(registered(OLD, NEW), [worker("b", NEW)], True, id="another version stays"),
        pytest.param(registered(NEW), [], True, id="a version that is not kept any more"),
        pytest.param(registered(NEW), [worker("b")], False, id="one that another one stays with"),
        pytest.param({}, [], False, id="a type that nobody knows any more"),
    ],
)
def test_a_worker_stays_only_for_a_version_that_was_replaced_by_one_that_may_not_take_its_jobs(
    types: dict[str, TypeDocument], others: list[WorkerDocument], stays: bool
) -> None:
    version = schema_hash(OLD)

    found = outdated({"T": version}, ["default"], types, others, lambda name: name != "dead")

    assert list(found) == ([("default", "T", version)] if stays else [])


def test_of_two_queues_it_stays_for_the_one_that_nobody_else_serves() -> None:
    version, peers = schema_hash(OLD), [worker("goes", OLD, "draining"), worker("b")]

    found = outdated(
        {"T": version}, ["default", "large"], registered(NEW, OLD), peers, lambda _: True
    )

    assert found == {("large", "T", version): []}


class Store(MemoryDatastore):
    """Cannot be read some times."""

    failures = 0

    async def scan(self, *arguments: Any, **more: Any) -> dict[str, Stored]:
        if self.failures:
            self.failures -= 1
            raise DatastoreUnavailableError
        return await super().scan(*arguments, **more)


class Going:
    """A worker called `b` of the old version that is told to go, and serves one queue."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.queue = "default"
        self.controls = ControlWatch(store, "b", [self.queue])
        self.versions = {"T": schema_hash(OLD)}
        beat = Beat(store, worker("b"))
        self.claimer = Claimer(
            Jobs(store, Stats(store)), IDENTITY, self.versions, {"default"}, beat, fits
        )

    async def submit(self, queue: str = "default") -> str:
        uuid = new_job_id()
        version = schema_hash(OLD)
        document = {"type": "T", "queue": queue, "state": "queued", "schemaHash": version}
        await self.store.upsert("jobs", uuid, document)
        return uuid

    async def looked(self) -> asyncio.Task[None]:
        """Let it look again and again; return after some looks."""
        self.claimer.takes = self.versions
        task = asyncio.create_task(
            linger(self.store, "b", [self.queue], self.claimer, self.controls, lambda: None)
        )
        for _ in range(100):
            await asyncio.sleep(0)
        return task


@pytest.fixture
async def going(monkeypatch: pytest.MonkeyPatch) -> Going:
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(module, "SETTLE_SECONDS", 0.0)
    store = Store()
    for each in (OLD, NEW):
        await register(store, [TypeDocument("T", "default", each)], START)
    await store.upsert("workers", "new", write(worker("new", NEW)))
    return Going(store)


async def test_a_worker_goes_when_no_job_of_its_version_waits_any_more(going: Going) -> None:
    uuid = await going.submit()
    task = await going.looked()
    assert not task.done()
    assert going.claimer.takes == going.versions

    await going.store.remove("jobs", uuid)
    await asyncio.wait_for(task, 60)

    assert going.claimer.takes == {}


async def test_as_many_workers_stay_as_there_are_jobs_for(going: Going) -> None:
    await going.store.upsert("workers", "a", write(worker("a", OLD, "draining")))
    await going.submit()
    await asyncio.wait_for(await going.looked(), 60)

    await going.submit()
    task = await going.looked()

    assert not task.done()
    task.cancel()


async def test_a_job_of_a_queue_that_it_does_not_serve_keeps_nobody(going: Going) -> None:
    await going.submit("large")

    await asyncio.wait_for(await going.looked(), 60)


async def test_a_worker_of_another_queue_does_not_stay_in_its_place(going: Going) -> None:
    await going.store.upsert("workers", "a", write(worker("a", OLD, "draining")))
    going.queue = "large"
    await going.submit("large")

    task = await going.looked()

    assert not task.done()
    task.cancel()


async def test_a_worker_that_somebody_lets_drain_goes_because_it_takes_no_jobs(
    going: Going,
) -> None:
    await going.submit()
    task = await going.looked()
    assert not task.done()

    await hold(going.store, ControlDocument("worker", "b"))
    await going.controls.look()

    await asyncio.wait_for(task, 60)


async def test_it_stays_for_a_while_because_its_version_may_still_be_accepted(
    going: Going, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SETTLE_SECONDS", 1e9)

    task = await going.looked()

    assert not task.done()
    assert going.claimer.takes == going.versions
    task.cancel()


async def test_while_the_store_cannot_be_read_it_stays(going: Going) -> None:
    going.store.failures = 10**9

    task = await going.looked()
    assert not task.done()

    going.store.failures = 0
    await asyncio.wait_for(task, 60)


async def test_whatever_fails_in_a_look_it_stays_and_looks_again(
    going: Going, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(module, "outdated", lambda *_: 1 / 0)
        task = await going.looked()
        assert not task.done()

    await asyncio.wait_for(task, 60)


async def test_it_stays_for_jobs_of_a_version_that_is_not_kept_any_more(going: Going) -> None:
    uuid = await going.submit()
    await going.store.remove("types", "T")
    await register(going.store, [TypeDocument("T", "default", NEW)], START)
    task = await going.looked()
    assert not task.done()

    await going.store.remove("jobs", uuid)

    await asyncio.wait_for(task, 60)


async def test_a_schema_that_is_none_counts_as_one_that_may_not_take_its_jobs(
    going: Going,
) -> None:
    odd = {"type": "object", "additionalProperties": False, "properties": {}, "required": [["a"]]}
    await register(going.store, [TypeDocument("T", "default", odd)], START)
    await going.store.remove("workers", "new")
    await going.submit()

    task = await going.looked()

    assert not task.done()
    assert going.claimer.takes == going.versions
    task.cancel()
