"""Accepting, cancelling and replaying jobs while store or queue falter."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from tests.ledger.jobs import BEGIN, FAILED_SECONDS, ME
from tests.ledger.queued import System

from zerog.ledger import beside, keys
from zerog.ledger.mailboxes import NUDGE, nudge
from zerog.model import events
from zerog.model.documents import Remembered, input_key
from zerog.model.errors import (
    DatastoreError,
    DatastoreUnavailableError,
    DocumentExistsError,
    JobStateError,
    QueueUnavailableError,
)
from zerog.model.limits import INLINE_BYTES
from zerog.model.names import mailbox_tube_name
from zerog.model.record import State, new_job_id
from zerog.queue.port import EntryRef

CLAIMED = events.Claimed(ME, 1)
LARGE = {"text": "x" * (INLINE_BYTES + 1)}
SMALL: dict[str, Any] = {}


def slow_down(store: Any, name: str, turns: int) -> None:
    """Let others act for some turns of the loop before an operation of a store."""
    operation = getattr(store, name)

    async def slow(*args: Any, **options: Any) -> Any:
        for _ in range(turns):
            await asyncio.sleep(0)
        return await operation(*args, **options)

    setattr(store, name, slow)


@pytest.fixture
def system() -> System:
    return System()


# Accept


@pytest.mark.parametrize("parameters", [SMALL, LARGE])
async def test_accepted_means_stored_and_queued(system: System, parameters: dict[str, Any]) -> None:
    uuid = await system.accept(parameters)

    assert [(item.body, item.tube) for item in system.queue.items.values()] == [
        (uuid, "zerog.default")
    ]
    kept = await system.jobs.read(uuid)
    assert await beside.read_input(system.store, kept.record) == parameters
    assert all(options["durable"] for _, _, options in system.store.writes)
    assert await system.counts() == {"accepted": 1}


@pytest.mark.parametrize("parameters", [SMALL, LARGE])
async def test_a_job_whose_put_failed_leaves_nothing(
    system: System, parameters: dict[str, Any]
) -> None:
    system.queue.away = True

    with pytest.raises(QueueUnavailableError):
        await system.accept(parameters)

    assert not system.store.keys("jobs")
    await system.jobs.leftovers.flush()
    assert system.nothing_is_left()
    assert await system.counts() == {}


@pytest.mark.parametrize("parameters", [SMALL, LARGE])
async def test_a_job_whose_put_failed_is_taken_back_when_the_store_is_back(
    system: System, parameters: dict[str, Any]
) -> None:
    async def put(*_: Any, **__: Any) -> EntryRef:
        system.store.away["jobs"] = 2
        raise QueueUnavailableError

    system.queue.put = put  # type: ignore[method-assign]
    with pytest.raises(QueueUnavailableError):
        await system.accept(parameters)
    assert system.store.keys("jobs")

    assert not await system.jobs.leftovers.flush()
    assert await system.jobs.leftovers.flush()
    await system.jobs.leftovers.flush()

    assert system.nothing_is_left()


@pytest.mark.parametrize("fault", ["lost", "unwritten", "away"])
@pytest.mark.parametrize("parameters", [SMALL, LARGE])
async def test_a_job_that_could_not_be_stored_leaves_nothing(
    system: System, parameters: dict[str, Any], fault: str
) -> None:
    system.store.fail_next(fault)

    with pytest.raises(DatastoreError):
        await system.accept(parameters)
    await system.jobs.leftovers.flush()
    await system.jobs.leftovers.flush()

    assert system.nothing_is_left()
    assert system.queue.bodies() == []


async def test_a_job_that_was_stored_unseen_and_has_gone_on_stays(system: System) -> None:
    """A repeat with the same key has found it and queued it."""
    record = system.record(LARGE)
    system.store.fail_next("lost", lambda: system.dispatch.ensure_queued(record.uuid))

    with pytest.raises(DatastoreError):
        await system.dispatch.accept(record)
    await system.jobs.leftovers.flush()

    assert system.queue.bodies() == [record.uuid]
    kept = await system.jobs.read(record.uuid)
    assert await beside.read_input(system.store, kept.record) == LARGE


async def test_a_repeat_keeps_the_parameters_that_a_failed_request_removes(system: System) -> None:
    record = system.record(LARGE)
    system.queue.away = True
    with pytest.raises(QueueUnavailableError):
        await system.dispatch.accept(record)
    system.queue.away = False

    await system.dispatch.accept(record)
    await system.jobs.leftovers.flush()

    kept = await system.jobs.read(record.uuid)
    assert await beside.read_input(system.store, kept.record) == LARGE


@pytest.mark.parametrize("turns", range(20))
async def test_a_repeat_has_its_parameters_however_the_removal_falls(
    system: System, turns: int
) -> None:
    """The removal begins some turns of the loop after the repeat."""
    record = system.record(LARGE)
    system.store.fail_next("away")
    with pytest.raises(DatastoreError):
        await system.dispatch.accept(record)
    slow_down(system.store, "insert", 6)
    for name in ("get", "remove"):
        slow_down(system.store, name, 1)

    later = replace(record, created_time=BEGIN + timedelta(seconds=1))
    repeat = asyncio.create_task(system.dispatch.accept(later))
    for _ in range(turns):
        await asyncio.sleep(0)
    await system.jobs.leftovers.flush()
    await repeat
    await system.jobs.leftovers.flush()

    kept = await system.jobs.read(record.uuid)
    assert await beside.read_input(system.store, kept.record) == LARGE


async def test_a_job_is_not_accepted_twice(system: System) -> None:
    record = system.record(LARGE)
    await system.dispatch.accept(record)

    with pytest.raises(DocumentExistsError):
        await system.dispatch.accept(record)
    await system.jobs.leftovers.flush()

    assert system.queue.bodies() == [record.uuid]
    assert system.store.keys("blobs") == [input_key(record.uuid)]


async def test_a_job_that_a_repeat_was_promised_is_not_taken_back(system: System) -> None:
    """The first request's put is about to fail when the repeat with its key finds the job."""
    record = system.record(LARGE)

    async def put(*_: Any, **__: Any) -> EntryRef:
        del system.queue.put
        assert await system.dispatch.ensure_queued(record.uuid)
        raise QueueUnavailableError

    system.queue.put = put  # type: ignore[method-assign]
    with pytest.raises(QueueUnavailableError):
        await system.dispatch.accept(record)
    await system.jobs.leftovers.flush()

    kept = await system.jobs.read(record.uuid)
    assert kept.record.entry_id == 1
    assert system.queue.bodies() == [record.uuid]
    assert await beside.read_input(system.store, kept.record) == LARGE


async def test_a_job_that_is_gone_cannot_be_queued(system: System) -> None:
    assert not await system.dispatch.ensure_queued(new_job_id())


async def test_a_job_that_was_claimed_gets_no_other_entry(system: System) -> None:
    uuid = await system.accept()
    await system.happen(uuid, CLAIMED)

    assert await system.dispatch.ensure_queued(uuid)

    assert system.queue.bodies() == [uuid]


# Batches


async def test_a_job_of_a_refused_batch_is_forgotten_unless_it_has_begun(system: System) -> None:
    waiting, begun = await system.accept(LARGE), await system.accept(LARGE)
    await system.happen(begun, CLAIMED)

    for uuid in (waiting, begun, new_job_id()):
        await system.jobs.take_back(uuid)
    await system.jobs.leftovers.flush()

    assert system.store.keys("jobs") == [begun]
    assert system.store.keys("blobs") == [input_key(begun)]
    assert (await system.read(begun)).attempt == 1


async def test_a_job_of_a_refused_batch_is_forgotten_when_the_store_is_back(
    system: System,
) -> None:
    uuid = await system.accept(LARGE)
    system.store.away["jobs"] = 1

    await system.jobs.take_back(uuid)
    await system.jobs.leftovers.flush()
    await system.jobs.leftovers.flush()

    assert system.nothing_is_left()


async def test_the_entry_of_a_job_that_was_taken_back_is_deleted(system: System) -> None:
    uuid = await system.accept()
    await system.jobs.take_back(uuid)

    await system.dispatch.flush()
    await system.jobs.leftovers.flush()

    assert system.queue.bodies() == []


# Notes and cancel


async def test_a_job_that_waits_has_its_entry_noted(system: System) -> None:
    uuid, claimed = await system.accept(), await system.accept()
    await system.happen(claimed, events.Claimed(ME, 77))

    await system.dispatch.flush()

    assert (await system.read(uuid)).entry_id == 1
    assert (await system.read(claimed)).entry_id == 77


async def test_entries_that_cannot_be_noted_keep_no_others_from_it(system: System) -> None:
    broken, good = await system.accept(), await system.accept()
    await system.store.upsert("jobs", broken, {"uuid": broken, "state": "unheard of"})

    await system.dispatch.flush()

    assert (await system.read(good)).entry_id == 2


async def test_cancelling_a_queued_job_deletes_its_entry(system: System) -> None:
    uuid, other = await system.accept(), await system.accept()
    await system.dispatch.flush()

    record = await system.dispatch.cancel(uuid)
    await system.jobs.leftovers.flush()

    assert record.state is State.CANCELLED
    assert system.queue.bodies() == [other]


async def test_cancelling_a_job_that_waits_for_a_retry_deletes_its_entry(system: System) -> None:
    uuid = await system.accept()
    await system.happen(uuid, CLAIMED, events.Raised(1, "no"))

    await system.dispatch.cancel(uuid)
    await system.jobs.leftovers.flush()

    assert system.queue.bodies() == []


async def test_the_entry_of_a_cancelled_job_is_deleted_when_the_queue_is_back(
    system: System,
) -> None:
    uuid = await system.accept()
    await system.dispatch.flush()
    system.queue.away = True

    await system.dispatch.cancel(uuid)
    assert not await system.jobs.leftovers.flush()
    system.queue.away = False
    assert await system.jobs.leftovers.flush()

    assert system.queue.bodies() == []


async def test_cancelling_never_deletes_another_jobs_entry(system: System) -> None:
    """Ids start again with a server that lost its disk."""
    uuid = await system.accept()
    await system.dispatch.flush()
    system.queue.items[1] = replace_body(system, "another job")

    await system.dispatch.cancel(uuid)
    await system.jobs.leftovers.flush()

    assert system.queue.bodies() == ["another job"]


def replace_body(system: System, body: str) -> Any:
    """Return the entry of another job, as a server that has begun anew may have it."""
    place = system.queue.items[1]
    place.body = body
    return place


async def test_a_job_that_runs_keeps_its_entry_when_it_is_cancelled(system: System) -> None:
    uuid = await system.accept()
    await system.happen(uuid, CLAIMED)

    record = await system.dispatch.cancel(uuid)
    await system.jobs.leftovers.flush()

    assert record.state is State.RUNNING
    assert uuid in system.queue.bodies()


async def test_the_worker_of_a_running_job_is_nudged_once_the_cancel_is_stored(
    system: System,
) -> None:
    system.queue.heard.add(mailbox_tube_name(ME.name))
    for _ in range(2):
        uuid = await system.accept()
        await system.happen(uuid, CLAIMED)
        await system.dispatch.cancel(uuid)
        assert (await system.read(uuid)).cancel_requested_time is not None
        await system.dispatch.nudges.flush()

    # One is enough for both: it is taken later than now.
    tubes = [item.tube for item in system.queue.items.values() if item.body == NUDGE]
    assert tubes == [mailbox_tube_name(ME.name)]


async def test_a_nudge_that_is_being_taken_does_not_stand_for_the_next_one(system: System) -> None:
    """Its worker may have read the record already."""
    tube = mailbox_tube_name(ME.name)
    system.queue.heard.add(tube)
    system.queue.add(NUDGE, tube, state="reserved")

    await nudge(system.queue, ME.name)

    assert (await system.queue.tube_stats(tube)).ready == 1


@pytest.mark.parametrize("delete", [False, True])
async def test_a_job_that_was_cancelled_before_its_entry_was_noted_loses_it_then(
    system: System, delete: bool
) -> None:
    uuid = await system.accept()
    await system.dispatch.cancel(uuid)
    await system.jobs.leftovers.flush()
    if delete:
        await system.jobs.delete(uuid)
    assert system.queue.bodies() == [uuid]

    await system.dispatch.flush()
    await system.jobs.leftovers.flush()

    assert system.queue.bodies() == []


async def test_a_job_that_is_cancelled_while_its_entry_is_being_noted_loses_it(
    system: System, monkeypatch: pytest.MonkeyPatch
) -> None:
    uuid = await system.accept()
    read_many = system.jobs.read_many

    async def read_and_cancel(uuids: list[str]) -> Any:
        found = await read_many(uuids)
        await system.dispatch.cancel(uuid)
        return found

    monkeypatch.setattr(system.jobs, "read_many", read_and_cancel)

    await system.dispatch.flush()
    await system.jobs.leftovers.flush()

    assert system.queue.bodies() == []


async def test_a_note_comes_too_late_for_a_job_that_has_begun(system: System) -> None:
    uuid = await system.accept()
    await system.happen(uuid, events.Claimed(ME, 9), events.Raised(1, "no"))

    await system.dispatch.flush()

    assert (await system.read(uuid)).entry_id == 9


async def test_what_lies_beside_a_job_that_is_cancelled_while_it_waits_expires_with_it(
    system: System,
) -> None:
    uuid = await system.accept(LARGE)
    await system.happen(uuid, CLAIMED, events.Raised(1, "no"))
    await system.store.upsert("progress", uuid, {"attempt": 1, "completeness": 0.5})

    await system.dispatch.cancel(uuid)
    await system.jobs.leftovers.flush()

    assert system.store.seconds_left("progress", uuid) == FAILED_SECONDS
    assert system.store.seconds_left("blobs", input_key(uuid)) == FAILED_SECONDS


async def test_parameters_of_a_job_that_is_cancelled_before_it_ran_expire_too(
    system: System,
) -> None:
    uuid = await system.accept(LARGE)

    await system.dispatch.cancel(uuid)
    await system.jobs.leftovers.flush()

    assert system.store.seconds_left("blobs", input_key(uuid)) == FAILED_SECONDS


# Replay and delete


async def test_a_replayed_job_is_queued_and_keeps_its_parameters(system: System) -> None:
    uuid = await system.accept(LARGE)
    await system.dispatch.cancel(uuid)
    await system.dispatch.flush()
    await system.jobs.leftovers.flush()
    system.store.now = FAILED_SECONDS - 1

    record = await system.dispatch.replay(uuid)

    assert system.queue.bodies() == [uuid]
    system.store.now = 100 * FAILED_SECONDS
    assert await beside.read_input(system.store, record) == LARGE


async def test_a_replay_without_a_queue_is_accepted_and_left_to_repair(system: System) -> None:
    uuid = await system.accept()
    await system.dispatch.cancel(uuid)
    system.queue.away = True

    record = await system.dispatch.replay(uuid)

    assert (record.state, record.entry_id) == (State.QUEUED, None)


async def test_deleting_a_finished_job_deletes_all_of_it(system: System) -> None:
    uuid = await system.accept(LARGE)
    with pytest.raises(JobStateError):
        await system.jobs.delete(uuid)
    await system.dispatch.cancel(uuid)

    await system.jobs.delete(uuid)
    await system.jobs.leftovers.flush()

    assert system.nothing_is_left()


# Idempotency


async def test_a_key_is_taken_durably_and_once(system: System) -> None:
    first = Remembered([new_job_id()], "mark")

    assert await keys.remember(system.store, "key", first, 60) is None
    again = await keys.remember(system.store, "key", Remembered([new_job_id()], "mark"), 60)

    assert again == first
    assert system.store.writes[0][2]["durable"]


async def test_a_key_says_which_jobs_have_ended_and_expires_all_the_same(
    system: System,
) -> None:
    job = replace(system.record(), idempotency_key="a" * 64)
    taken = Remembered([job.uuid], "mark")
    await keys.remember(system.store, "a" * 64, taken, 60)

    await keys.note_ended(system.store, job)
    await keys.note_ended(system.store, job)

    known = await keys.remember(system.store, "a" * 64, taken, 60)
    assert known == replace(taken, ended={job.uuid: True})
    assert system.store.seconds_left("idempotency", "a" * 64) == 60
    system.store.now = 61
    await keys.note_ended(system.store, job)  # nothing to note
    assert await keys.remember(system.store, "a" * 64, taken, 60) is None


async def test_a_store_that_is_away_takes_no_key(system: System) -> None:
    system.store.away["idempotency"] = 1

    with pytest.raises(DatastoreUnavailableError):
        await keys.remember(system.store, "key", Remembered([], ""), 60)


async def test_a_job_that_continues_keeps_its_completeness_until_it_says_another(
    system: System,
) -> None:
    uuid = await system.accept()
    await system.happen(uuid, CLAIMED)
    progress = {"attempt": 1, "completeness": 0.4, "updatedTime": "2026-01-01T00:00:00Z"}
    await system.store.upsert("progress", uuid, progress)
    seen = [await beside.read_completeness(system.store, await system.read(uuid))]

    failed = events.Raised(2, "no", retry_seconds=0.0)
    for event in (events.Continued(1), CLAIMED, failed, CLAIMED):
        await system.happen(uuid, event)
        seen.append(await beside.read_completeness(system.store, await system.read(uuid)))

    # Running, waiting for more, running again; waiting after an error; running anew.
    assert seen == [0.4, 0.4, 0.4, 0.4, 0.0]


async def test_a_job_that_a_worker_has_finished_costs_the_queue_nothing_more(
    system: System,
) -> None:
    uuid = await system.accept()
    await system.happen(uuid, CLAIMED, events.Returned(1))

    async def peek(entry_id: int) -> str | None:
        raise AssertionError("the worker has deleted the entry")

    system.queue.peek = peek  # type: ignore[method-assign]
    await system.dispatch.flush()
