"""Around a rollout jobs are accepted by every version of their type that workers serve."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from tests.api.answering import answering_with
from tests.api.authority import GOOD as GOOD_TOKEN
from tests.api.authority import Scripted, gate_of
from tests.queue.memory import MemoryQueue
from tests.store.memory import MemoryDatastore

from zerog.ledger.types import register
from zerog.model.documents import TypeDocument, WorkerDocument, write
from zerog.model.schemas import schema_hash
from zerog.sdk.faults import Fault
from zerog_api.core import served
from zerog_api.core.intake import Asked, Intake, Order
from zerog_api.core.types import RegisteredType, Types

START = datetime(2026, 1, 1, tzinfo=UTC)


def schema(*required: str) -> dict[str, Any]:
    properties = {name: {"type": "string"} for name in required}
    closed = {"type": "object", "additionalProperties": False}
    return {**closed, "properties": properties, "required": list(required)}


OLD, NEW = schema("a"), schema("a", "b")
SENT_OLD, SENT_NEW = {"a": "x"}, {"a": "x", "b": "y"}


class Fleet:
    """The API, with a type that has an old and a new version, and workers."""

    def __init__(self, store: MemoryDatastore, client: httpx.AsyncClient) -> None:
        self.store = store
        self.client = client

    async def work(self, has: dict[str, Any], state: str = "running") -> None:
        """Let a worker of a version beat."""
        name, takes = schema_hash(has), {"T": schema_hash(has)}
        worker = WorkerDocument(name, ["mail"], ["T"], 1, [], state, START, START, 1, takes=takes)
        await self.store.upsert("workers", name, write(worker))

    async def submit(self, parameters: dict[str, Any]) -> dict[str, Any] | None:
        """Submit a job; return the schema of the version that it was accepted by, if it was."""
        answer = await self.client.post("/v1/jobs/T", json=parameters)
        if answer.status_code == 422:
            return None
        found = await self.store.get("jobs", answer.json()["uuid"])
        assert found is not None
        return {schema_hash(each): each for each in (OLD, NEW)}[found.document["schemaHash"]]

    async def told(self) -> dict[str, Any]:
        """Return the type as the API shows it."""
        found: dict[str, Any] = (await self.client.get("/v1/types/T")).json()
        return found


@pytest.fixture
async def fleet() -> AsyncIterator[Fleet]:
    store = MemoryDatastore()
    for each in (OLD, NEW):
        await register(store, [TypeDocument("T", "mail", each)], START)
    async with answering_with(store, MemoryQueue()) as (client, _):
        yield Fleet(store, client)


async def test_both_formats_are_accepted_while_workers_serve_both(fleet: Fleet) -> None:
    await fleet.work(OLD)
    await fleet.work(NEW)

    assert await fleet.submit(SENT_OLD) == OLD
    assert await fleet.submit(SENT_NEW) == NEW
    assert await fleet.submit({"c": "z"}) is None


async def test_a_new_format_is_accepted_once_a_ready_worker_serves_it(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served, "FRESH_SECONDS", 0.0)
    await fleet.work(OLD)
    await fleet.work(NEW, "draining")
    assert await fleet.submit(SENT_NEW) is None
    assert (await fleet.told())["schema"] == OLD

    await fleet.work(NEW)

    assert await fleet.submit(SENT_NEW) == NEW
    assert await fleet.submit(SENT_OLD) == OLD


async def test_while_no_worker_serves_any_the_newest_version_counts(fleet: Fleet) -> None:
    assert await fleet.submit(SENT_NEW) == NEW
    assert await fleet.submit(SENT_OLD) is None


async def test_faults_are_told_for_the_current_version(fleet: Fleet) -> None:
    await fleet.work(OLD)
    await fleet.work(NEW)

    answer = await fleet.client.post("/v1/jobs/T", json={"a": 1})

    assert "b" in str(answer.json()["errors"])


async def test_a_type_is_shown_by_its_current_version_and_names_the_others(fleet: Fleet) -> None:
    await fleet.work(OLD)

    told = await fleet.told()

    assert (told["schema"], told["schemaHash"]) == (OLD, schema_hash(OLD))
    (other,) = told["otherVersions"]
    assert (other["schemaHash"], other["served"]) == (schema_hash(NEW), False)
    assert "others" not in told


async def test_a_batch_may_mix_the_formats(fleet: Fleet) -> None:
    await fleet.work(OLD)
    await fleet.work(NEW)
    jobs = [{"type": "T", "parameters": each} for each in (SENT_OLD, SENT_NEW)]

    answer = await fleet.client.post("/v1/jobs:batch", json={"jobs": jobs})

    hashes = [
        (await fleet.client.get(f"/v1/jobs/{uuid}")).json()["schemaHash"]
        for uuid in answer.json()["uuids"]
    ]
    assert hashes == [schema_hash(OLD), schema_hash(NEW)]


@pytest.mark.parametrize(("accepted", "status"), [(True, 201), (False, 422)])
async def test_a_repeat_of_an_accepted_call_is_answered_once_no_version_takes_its_parameters(
    accepted: bool, status: int
) -> None:
    store, queue = MemoryDatastore(), MemoryQueue()
    headers = {"Idempotency-Key": "k"}
    await register(store, [TypeDocument("T", "mail", OLD)], START)
    async with answering_with(store, queue) as (client, _):
        queue.away = not accepted
        first = await client.post("/v1/jobs/T", json=SENT_OLD, headers=headers)
        queue.away = False
    await register(store, [TypeDocument("T", "mail", NEW)], START)
    await Fleet(store, client).work(NEW)

    async with answering_with(store, queue) as (client, _):
        again = await client.post("/v1/jobs/T", json=SENT_OLD, headers=headers)
        other = await client.post("/v1/jobs/T", json={"a": "z"}, headers=headers)

    assert (again.status_code, other.status_code) == (status, 422)
    assert first.status_code == (201 if accepted else 503)
    jobs = {first.json()["uuid"]} if accepted else set()
    assert not accepted or again.json()["uuid"] in jobs
    assert set(queue.bodies()) == jobs


async def test_a_version_of_another_queue_needs_the_right_for_that_queue() -> None:
    store = MemoryDatastore()
    for queue, each in (("secret", OLD), ("mail", NEW)):
        await register(store, [TypeDocument("T", queue, each)], START)
        takes = {"T": schema_hash(each)}
        worker = WorkerDocument(
            queue, [queue], ["T"], 1, [], "running", START, START, 1, takes=takes
        )
        await store.upsert("workers", queue, write(worker))
    async with answering_with(store, MemoryQueue(), gate_of(Scripted())) as (client, _):
        headers = {"Authorization": f"Bearer {GOOD_TOKEN}"}
        statuses = [
            (await client.post("/v1/jobs/T", json=sent, headers=headers)).status_code
            for sent in (SENT_NEW, SENT_OLD)
        ]

    assert statuses == [201, 403]


# By classes


class Classes:
    """An examiner with the class of one version, which finds fault with everything."""

    def __init__(self, has: dict[str, Any]) -> None:
        self._has = schema_hash(has)

    def knows(self, version: TypeDocument) -> bool:
        return version.schema_hash == self._has

    async def faults(self, version: TypeDocument, parameters: dict[str, Any]) -> list[Fault] | None:
        return [Fault(".a", "is odd")] if self.knows(version) else None


@pytest.mark.parametrize(
    ("has", "accepted"), [(NEW, OLD), (OLD, NEW)], ids=["new class", "old class"]
)
async def test_a_version_whose_class_refuses_gives_way_to_one_that_takes_the_parameters(
    has: dict[str, Any], accepted: dict[str, Any]
) -> None:
    # Without a check by the schema, whatever it says.
    old, new = (RegisteredType(TypeDocument("T", "mail", each), None) for each in (OLD, NEW))
    intake = Intake(MemoryDatastore(), SimpleNamespace(), Classes(has), 60)  # type: ignore[arg-type]
    order = Order(RegisteredType(new.type, None, (old,)), {"a": 1}, Asked())

    (chosen,), faults = await intake.check([order], None, only_first=False)

    assert faults == []
    assert chosen.type.type is (old.type if accepted is OLD else new.type)


async def test_a_schema_that_did_not_change_is_not_compiled_again() -> None:
    store = MemoryDatastore()
    await register(store, [TypeDocument("T", "mail", OLD)], START)
    types = Types(store)
    before = (await types.get("T")).check

    await register(store, [TypeDocument("T", "mail", OLD, priority=1)], START)

    (after,) = (await types._read())["T"][1]
    assert before is not None
    assert (after.type.priority, after.check) == (1, before)
