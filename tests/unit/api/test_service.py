"""Accepting, cancelling and replaying jobs while store or queue falter."""

from datetime import UTC, datetime
from typing import Any

import pytest

from zerog.ledger.stats import Stats
from zerog.model import life
from zerog.model.documents import INLINE_BYTES, input_key
from zerog.model.errors import QueueUnavailableError
from zerog.model.record import JobId, JobRecord, WorkerIdentity, from_document, new_job_id
from zerog.model.record import to_document as write
from zerog.queue.beanstalk.producer import BeanstalkProducer
from zerog.sdk.options import Options
from zerog.store.memory import MemoryDatastore
from zerog_api.service import Asked, Jobs

RETAIN_SECONDS = 60.0
TYPE: dict[str, Any] = {
    "name": "T",
    "queue": "default",
    "priority": Options("x").priority,
    "maxErrors": 3,
    "maxCrashes": 3,
    "backoffSeconds": 5,
    "backoffMaxSeconds": 600,
    "retainOkSeconds": RETAIN_SECONDS,
    "retainFailedSeconds": RETAIN_SECONDS,
}


class Queue(BeanstalkProducer):
    """A queue that takes entries, unless it is away."""

    def __init__(self) -> None:
        self.away = False
        self.bodies: list[str] = []

    async def put(self, tube: str, body: str, **_: Any) -> int:
        if self.away:
            raise QueueUnavailableError
        self.bodies.append(body)
        return len(self.bodies)


class System:
    """Jobs over a store in memory, with a clock that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.store = MemoryDatastore(lambda: self.now)
        self.queue = Queue()
        self.jobs = Jobs(self.store, self.queue, Stats(self.store))

    async def accept(self, parameters: dict[str, Any] | None = None) -> JobId:
        uuid = new_job_id()
        await self.jobs.accept(uuid, TYPE, parameters or {}, Asked())
        return uuid

    async def record(self, uuid: str) -> JobRecord:
        stored = await self.store.get("jobs", uuid)
        assert stored is not None
        return from_document(stored.document)

    async def completeness(self, uuid: str) -> float:
        stored = await self.store.get("jobs", uuid)
        assert stored is not None
        return await self.jobs.completeness(stored.document)

    async def happen(self, uuid: str, *events: life.Event) -> None:
        for event in events:
            stored = await self.store.get("jobs", uuid)
            assert stored is not None
            step = life.step(from_document(stored.document), event, datetime.now(UTC))
            await self.store.replace("jobs", uuid, write(step.record), stored.revision)


CLAIMED = life.Claimed(WorkerIdentity("w"), 1)
LARGE = {"text": "x" * (INLINE_BYTES + 1)}


@pytest.fixture
def system() -> System:
    return System()


async def test_a_job_whose_put_failed_is_not_left_looking_alive(system: System) -> None:
    system.queue.away = True
    uuid = new_job_id()

    with pytest.raises(QueueUnavailableError):
        await system.jobs.accept(uuid, TYPE, {}, Asked())

    assert await system.store.get("jobs", uuid) is None


async def test_a_job_that_a_repeat_was_promised_is_not_taken_back(system: System) -> None:
    """The first request's put is about to fail when the repeat with its key finds the job."""
    uuid = new_job_id()

    async def put(*_: Any, **__: Any) -> int:
        system.queue.put = Queue.put.__get__(system.queue)  # type: ignore[method-assign]
        assert await system.jobs.keep(uuid)
        raise QueueUnavailableError

    system.queue.put = put  # type: ignore[method-assign]
    with pytest.raises(QueueUnavailableError):
        await system.jobs.accept(uuid, TYPE, {}, Asked())

    assert (await system.record(uuid)).entry_id == 1
    assert system.queue.bodies == [uuid]


async def test_a_job_that_is_gone_cannot_be_kept(system: System) -> None:
    assert not await system.jobs.keep(new_job_id())


async def test_a_job_that_was_claimed_is_kept_without_another_entry(system: System) -> None:
    uuid = await system.accept()
    await system.happen(uuid, CLAIMED)

    assert await system.jobs.keep(uuid)

    assert system.queue.bodies == [uuid]


async def test_a_job_of_a_refused_batch_is_forgotten_unless_it_has_begun(system: System) -> None:
    waiting, begun = await system.accept(), await system.accept()
    await system.happen(begun, CLAIMED)

    for uuid in (waiting, begun):
        await system.jobs.take_back(uuid)

    assert await system.store.get("jobs", waiting) is None
    assert (await system.record(begun)).attempt == 1


async def test_what_lies_beside_a_job_that_is_cancelled_while_it_waits_expires_with_it(
    system: System,
) -> None:
    uuid = await system.accept(LARGE)
    await system.happen(uuid, CLAIMED, life.Raised(1, "no"))
    await system.store.upsert("progress", uuid, {"attempt": 1, "completeness": 0.5})

    await system.jobs.cancel(uuid)

    system.now = RETAIN_SECONDS + 1
    assert await system.store.get("progress", uuid) is None
    assert await system.store.get("blobs", input_key(uuid)) is None


async def test_a_job_that_continues_keeps_its_completeness_until_it_says_another(
    system: System,
) -> None:
    uuid = await system.accept()
    await system.happen(uuid, CLAIMED)
    await system.store.upsert("progress", uuid, {"attempt": 1, "completeness": 0.4})
    seen = [await system.completeness(uuid)]

    failed = life.Raised(2, "no", retry_seconds=0.0)
    for event in (life.Returned(1, continue_seconds=0.0), CLAIMED, failed, CLAIMED):
        await system.happen(uuid, event)
        seen.append(await system.completeness(uuid))

    # Running, waiting for more, running again; waiting after an error; running anew.
    assert seen == [0.4, 0.4, 0.4, 0.4, 0.0]


async def test_parameters_of_a_job_that_is_cancelled_before_it_ran_expire_too(
    system: System,
) -> None:
    uuid = await system.accept(LARGE)

    await system.jobs.cancel(uuid)

    system.now = RETAIN_SECONDS + 1
    assert await system.store.get("blobs", input_key(uuid)) is None


async def test_a_replayed_job_keeps_its_parameters_however_long_it_waits(system: System) -> None:
    uuid = await system.accept(LARGE)
    await system.jobs.cancel(uuid)
    system.now = RETAIN_SECONDS - 1

    await system.jobs.retry(uuid)

    system.now = 100 * RETAIN_SECONDS
    assert await system.jobs.parameters(write(await system.record(uuid))) == LARGE
