"""Jobs of other versions of their type: left to their workers, run here, or put aside."""

from typing import Any

import pytest
from msgspec.structs import replace
from tests.ledger.claiming import Worker, document_of

from zerog.ledger import claims
from zerog.ledger.claims import Claim, Left
from zerog.ledger.foreign import LOOK_SECONDS, MAX_READS_PER_SECOND, pause_seconds
from zerog.model.documents import write
from zerog.model.record import State, WorkerIdentity


class StandingClock:
    """In place of the module `time`."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def worker() -> Worker:
    return Worker()


async def another(worker: Worker, name: str, state: str = "running", **takes: str) -> None:
    """Let another worker beat that takes jobs of these versions."""
    document = replace(
        document_of(WorkerIdentity(name)), queues=["default"], takes=takes, state=state
    )
    await worker.store.upsert("workers", name, write(document))


@pytest.mark.parametrize("state", ["running", "draining"])
async def test_a_job_is_left_to_a_living_worker_that_has_its_version(
    worker: Worker, state: str
) -> None:
    await another(worker, "old", state, T="old")
    uuid = await worker.add(schema_hash="old")
    before = await worker.read(uuid)
    worker.store.writes.clear()

    assert await worker.claim(uuid) == [Left()]

    assert await worker.read(uuid) == before
    assert (worker.store.writes, worker.asked) == ([], 0)
    (entry,) = worker.queue.items.values()
    assert (entry.state, entry.delay) == ("delayed", claims.LEFT_SECONDS)


async def test_a_job_whose_version_nobody_has_runs_here_if_its_parameters_fit(
    worker: Worker,
) -> None:
    await another(worker, "old", T="other")
    uuid = await worker.add(schema_hash="old")

    (claim,) = await worker.claim(uuid)

    assert isinstance(claim, Claim)
    assert worker.asked == 1
    assert claim.record.schema_hash == "old"


async def test_a_job_that_nobody_can_run_is_put_aside_and_says_what_to_do(
    worker: Worker,
) -> None:
    worker.fault = "size: Field required"
    uuid = await worker.add(schema_hash="3fa9c1d2")

    assert await worker.claim(uuid) == [None]

    record = await worker.read(uuid)
    assert (record.state, record.attempt, record.errors) == (State.QUEUED, 0, 0)
    assert record.message is not None
    for part in ("T@3fa9c1", "size: Field required", "roll back", "cancel the job"):
        assert part in record.message


@pytest.mark.parametrize("age", [0, 1])
async def test_a_job_is_left_until_a_look_that_began_after_its_entry_was_put(
    worker: Worker, monkeypatch: pytest.MonkeyPatch, age: int
) -> None:
    clock = StandingClock()
    monkeypatch.setattr("zerog.ledger.foreign.time", clock)
    for number in range(round(10 * MAX_READS_PER_SECOND)):
        await another(worker, f"w{number}", T="other")
    (claim,) = await worker.claim(await worker.add(schema_hash="old"))
    assert isinstance(claim, Claim)

    # Its worker started meanwhile, and a look is used for ten seconds.
    await another(worker, "old", T="old")
    clock.now += 1.5
    uuid = await worker.add(schema_hash="old")
    entries = worker.reserve(uuid)
    worker.queue.items[entries[0].id].age = age

    assert await worker.claimer.claim_all(worker.queue, entries, worker.vouch) == [Left()]
    assert (await worker.read(uuid)).state is State.QUEUED


async def test_an_entry_that_is_older_than_the_look_is_decided_on_at_once(
    worker: Worker, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = StandingClock()
    monkeypatch.setattr("zerog.ledger.foreign.time", clock)
    await worker.claim(await worker.add(schema_hash="old"))
    clock.now += 0.5
    entries = worker.reserve(await worker.add(schema_hash="old"))
    worker.queue.items[entries[0].id].age = 1

    (claim,) = await worker.claimer.claim_all(worker.queue, entries, worker.vouch)

    assert isinstance(claim, Claim)


async def test_a_worker_that_is_to_go_takes_jobs_of_the_versions_that_need_it_only(
    worker: Worker,
) -> None:
    worker.claimer.takes = {}
    uuid = await worker.add()
    assert await worker.claim(uuid) == [Left()]

    worker.claimer.takes = {"T": ""}
    newer = await worker.add(schema_hash="new")
    claim, left = await worker.claim(uuid, newer)

    assert isinstance(claim, Claim)
    assert left == Left()


async def test_a_backlog_of_other_versions_costs_a_read_and_a_release_each(
    worker: Worker,
) -> None:
    await another(worker, "old", T="old")
    uuids = [await worker.add(schema_hash="old") for _ in range(200)]
    worker.store.writes.clear()
    scans = 0
    scan = worker.store.scan

    async def counted(*arguments: Any, **more: Any) -> Any:
        nonlocal scans
        scans += 1
        return await scan(*arguments, **more)

    worker.store.scan = counted  # type: ignore[method-assign]

    for start in range(0, len(uuids), 16):
        results = await worker.claim(*uuids[start : start + 16])
        assert set(map(type, results)) == {Left}

    assert worker.store.writes == []
    # One look is good for a second.
    assert 1 <= scans < 20


def test_the_more_workers_there_are_the_longer_a_look_at_them_is_used() -> None:
    assert pause_seconds(1) == LOOK_SECONDS
    assert 5000 / pause_seconds(5000) == MAX_READS_PER_SECOND
