"""A key stands for the jobs that it was first used for, and never runs them twice."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from tests.ledger.jobs import ME, OK_SECONDS, Ledger
from tests.queue.memory import MemoryQueue

from zerog.ledger.dispatch import Dispatch
from zerog.ledger.jobs import Kept
from zerog.model import events
from zerog.model.documents import TypeDocument, write
from zerog.model.errors import DatastoreError, QueueUnavailableError
from zerog.model.limits import INLINE_BYTES
from zerog_api.core.errors import KeyReusedError
from zerog_api.core.examiner import Examiner
from zerog_api.core.intake import Asked, Intake, Key, Order, fingerprint
from zerog_api.core.types import Types

KEY_SECONDS = 1000 * OK_SECONDS
TYPE = TypeDocument("T", "default", {"type": "object"}, retain_ok_seconds=OK_SECONDS)


class Api(Ledger):
    """The calls about jobs, over a store and a queue in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.queue = MemoryQueue()
        self.dispatch = Dispatch(self.jobs, self.queue)
        self.intake = Intake(self.store, self.dispatch, Examiner(()), KEY_SECONDS)

    async def submit(self, parameters: Any, key: str | None = "key") -> str:
        """Submit a job as a client does, and return its UUID."""
        return (await self.take("T", parameters, [parameters], key))[0]

    async def submit_batch(self, *jobs: Any, key: str | None = None) -> list[str]:
        return await self.take("jobs:batch", jobs, jobs, key)

    async def take(self, call: str, body: Any, jobs: Sequence[Any], key: str | None) -> list[str]:
        await self.store.upsert("types", "T", write(TYPE))
        job_type = await Types(self.store).get("T")
        orders = [Order(job_type, job, Asked()) for job in jobs]
        mark = None if key is None else Key(key, "", fingerprint(call, body, {}))
        named = await self.intake.name(len(orders), mark)
        await self.intake.take(orders, named)
        return list(named.uuids)

    async def finish(self, uuid: str) -> None:
        """Run a job to its end, as a worker does, and let its entry go."""
        await self.happen(uuid, events.Claimed(ME, 1), events.Returned(1))
        self.queue.items.clear()


@pytest.fixture
def api() -> Api:
    return Api()


async def test_a_repeat_gets_the_same_job_and_no_other_entry(api: Api) -> None:
    first = await api.submit({"n": 1})

    assert await api.submit({"n": 1}) == first
    assert api.queue.bodies().count(first) <= 2  # one too many is harmless
    assert api.store.keys("jobs") == [first]
    assert await api.submit({"n": 1}, "another") != first


async def test_a_key_is_not_for_another_job(api: Api) -> None:
    await api.submit({"n": 1})

    with pytest.raises(KeyReusedError):
        await api.submit({"n": 2})


async def expire(api: Api, uuid: str) -> None:
    api.store.now += OK_SECONDS + 1


async def delete(api: Api, uuid: str) -> None:
    await api.jobs.delete(uuid)


@pytest.mark.parametrize("gone", [expire, delete])
async def test_a_repeat_does_not_run_again_what_is_finished_and_gone(
    api: Api, gone: Callable[[Api, str], Any]
) -> None:
    uuid = await api.submit({"n": 1})
    await api.finish(uuid)
    await gone(api, uuid)
    assert await api.store.get("jobs", uuid) is None

    assert await api.submit({"n": 1}) == uuid

    assert api.queue.bodies() == []
    assert await api.counts() == {"accepted": 1}


@pytest.mark.parametrize("gone", [expire, delete])
async def test_a_repeat_of_a_batch_does_not_run_again_either(
    api: Api, gone: Callable[[Api, str], Any]
) -> None:
    uuids = await api.submit_batch({"n": 1}, {"n": 2}, key="key")
    for uuid in uuids:
        await api.finish(uuid)
    for uuid in uuids:
        await gone(api, uuid)

    assert await api.submit_batch({"n": 1}, {"n": 2}, key="key") == uuids

    assert api.queue.bodies() == []


async def test_a_repeat_takes_the_rest_of_a_batch_of_which_a_job_is_deleted(api: Api) -> None:
    api.store.fail_next("away")
    with pytest.raises(DatastoreError):
        await api.submit_batch({"n": 1}, {"n": 2}, key="key")
    [accepted] = api.queue.bodies()
    await api.finish(accepted)
    await delete(api, accepted)

    uuids = await api.submit_batch({"n": 1}, {"n": 2}, key="key")

    assert api.queue.bodies() == [uuid for uuid in uuids if uuid != accepted]
    assert len(uuids) == 2


async def test_a_repeat_does_not_run_again_what_is_deleted_while_it_looks(api: Api) -> None:
    uuid = await api.submit({"n": 1})
    await api.finish(uuid)
    look_up = api.jobs.read

    async def delete_before_the_look(uuid: str) -> Kept:
        api.jobs.read = look_up  # type: ignore[method-assign]
        await delete(api, uuid)
        return await look_up(uuid)

    api.jobs.read = delete_before_the_look  # type: ignore[method-assign]

    assert await api.submit({"n": 1}) == uuid
    assert api.queue.bodies() == []


async def test_a_repeat_finishes_what_a_crash_between_key_and_job_left(api: Api) -> None:
    insert = api.store.insert

    async def insert_until_the_job(collection: Any, *arguments: Any, **options: Any) -> str:
        if collection == "jobs":
            raise asyncio.CancelledError
        return await insert(collection, *arguments, **options)

    api.store.insert = insert_until_the_job  # type: ignore[method-assign]
    with pytest.raises(asyncio.CancelledError):
        await api.submit({"n": 1})
    api.store.insert = insert  # type: ignore[method-assign]
    assert api.store.keys("jobs") == []

    uuid = await api.submit({"n": 1})

    assert api.queue.bodies() == [uuid]
    assert api.store.keys("idempotency") != []


@pytest.mark.parametrize("fault", ["lost", "unwritten", "away"])
async def test_a_repeat_finishes_what_a_failing_store_left(api: Api, fault: str) -> None:
    parameters = {"text": "x" * (INLINE_BYTES + 1)}
    api.store.fail_next(fault)
    with pytest.raises(DatastoreError):
        await api.submit(parameters)

    uuid = await api.submit(parameters)
    await api.jobs.leftovers.flush()

    assert api.store.keys("jobs") == [uuid]
    assert api.queue.bodies() == [uuid]
    assert len(api.store.keys("blobs")) == 1


async def test_a_repeat_runs_what_the_queue_did_not_take(api: Api) -> None:
    api.queue.away = True
    with pytest.raises(QueueUnavailableError):
        await api.submit({"n": 1})
    api.queue.away = False

    uuid = await api.submit({"n": 1})

    assert api.queue.bodies() == [uuid]


# Batches


async def test_a_batch_that_fails_leaves_nothing(api: Api) -> None:
    """Without a key a repeat would accept all of it again."""
    api.store.fail_next("away")
    with pytest.raises(DatastoreError):
        await api.submit_batch({"n": 1}, {"n": 2}, {"n": 3})

    await api.jobs.leftovers.flush()
    await api.dispatch.flush()
    await api.jobs.leftovers.flush()

    assert api.store.keys("jobs") == []
    assert api.queue.bodies() == []


async def test_a_batch_is_taken_back_when_the_store_is_back(api: Api) -> None:
    put = api.queue.put

    async def put_some(*arguments: Any, **options: Any) -> Any:
        if api.queue.items:
            api.store.away["jobs"] = 4
            raise QueueUnavailableError
        return await put(*arguments, **options)

    api.queue.put = put_some  # type: ignore[method-assign]
    with pytest.raises(QueueUnavailableError):
        await api.submit_batch({"n": 1}, {"text": "x" * (INLINE_BYTES + 1)})
    assert api.store.keys("jobs")

    api.store.away.clear()
    for _ in range(3):
        await api.jobs.leftovers.flush()
    await api.dispatch.flush()
    await api.jobs.leftovers.flush()

    assert api.store.keys("jobs") == []
    assert api.store.keys("blobs") == []
    assert api.queue.bodies() == []


async def test_a_batch_with_a_key_keeps_what_was_accepted_for_the_repeat(api: Api) -> None:
    api.store.fail_next("away")
    with pytest.raises(DatastoreError):
        await api.submit_batch({"n": 1}, {"n": 2}, key="key")

    uuids = await api.submit_batch({"n": 1}, {"n": 2}, key="key")
    await api.jobs.leftovers.flush()

    assert api.store.keys("jobs") == sorted(uuids)
    assert set(api.queue.bodies()) == set(uuids)
