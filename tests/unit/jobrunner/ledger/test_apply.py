"""One event, one change: over races, writes whose outcome is unknown, and outages."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from tests.ledger.jobs import BEGIN, FAILED_SECONDS, ME, OK_SECONDS, OTHER, Ledger
from tests.store.memory import MemoryDatastore

from zerog.ledger import jobs as ledger_jobs
from zerog.ledger.beside import read_input
from zerog.model import events
from zerog.model.backoff import Backoff
from zerog.model.documents import LogChunk, Output, input_key, log_key, output_key, read, write
from zerog.model.errors import (
    DatastoreError,
    DatastoreUnavailableError,
    JobBusyError,
    JobNotFoundError,
    StaleAttemptError,
)
from zerog.model.limits import INLINE_BYTES, UNFINISHED_SECONDS
from zerog.model.record import MAX_ATTEMPTS_KEPT, Cause, JobId, JobRecord, Limits, State

ENDS: dict[str, events.AttemptEvent] = {
    "returned": events.Returned(1, data={"a": 1}),
    "returned much": events.Returned(1, data="x" * (INLINE_BYTES + 1)),
    "continued": events.Continued(1, 5),
    "raised": events.Raised(1, "no"),
    "invalid": events.Invalid(1, "no"),
    "timed out": events.AttemptTimedOut(1),
    "crashed": events.Crashed(1, "died"),
    "interrupted": events.Interrupted(1, "drained"),
    "cancelled": events.AttemptCancelled(1),
}
CLAIMED = events.Claimed(ME, 7)
ONE_CRASH = Limits(1, 1, retain_ok_seconds=OK_SECONDS, retain_failed_seconds=FAILED_SECONDS)
LATER = BEGIN + timedelta(days=1)
LARGE = {"text": "x" * (INLINE_BYTES + 1)}


@pytest.fixture
def ledger(monkeypatch: pytest.MonkeyPatch) -> Ledger:
    monkeypatch.setattr(ledger_jobs, "STORE_BACKOFF", Backoff(0.0, 0.0))
    return Ledger()


def once(record: JobRecord) -> dict[str, int]:
    """Return what one end of an attempt counts."""
    return {str(record.state) if record.is_finished else "again": 1}


@pytest.mark.parametrize("races", [1, 2, ledger_jobs.MAX_RACES])
@pytest.mark.parametrize("end", ENDS)
async def test_a_race_is_run_again(ledger: Ledger, end: str, races: int) -> None:
    kept = await ledger.running()
    for _ in range(races):
        ledger.store.fail_next("conflict")

    applied = await ledger.jobs.apply(kept.record.uuid, ENDS[end], kept)

    assert applied.record == await ledger.read(kept.record.uuid)
    assert applied.record.attempts[0].ended_time is not None
    assert await ledger.counts() == once(applied.record)


async def test_a_race_that_is_always_lost_is_given_up(ledger: Ledger) -> None:
    uuid = await ledger.add()
    for _ in range(2 * ledger_jobs.MAX_RACES):
        ledger.store.fail_next("conflict")

    with pytest.raises(JobBusyError):
        await ledger.jobs.apply(uuid, CLAIMED)

    assert (await ledger.read(uuid)).state is State.QUEUED
    assert await ledger.counts() == {}


@pytest.mark.parametrize("fault", ["conflict", "unwritten", "away"])
async def test_a_patient_change_outlasts_any_number_of_faults(ledger: Ledger, fault: str) -> None:
    kept = await ledger.running()
    for _ in range(3 * ledger_jobs.MAX_RACES):
        ledger.store.fail_next(fault)

    applied = await ledger.jobs.apply(kept.record.uuid, ENDS["returned"], kept, patient=True)

    assert applied.record.state is State.SUCCEEDED
    assert await ledger.counts() == {"succeeded": 1}


async def test_a_patient_change_pauses_between_races(ledger: Ledger) -> None:
    """It may be cancelled, and leaves the loop to others, however long it goes on."""
    kept = await ledger.running()

    async def endless() -> None:
        ledger.store.fail_next("conflict", endless)

    await endless()
    change = asyncio.create_task(
        ledger.jobs.apply(kept.record.uuid, ENDS["returned"], kept, patient=True)
    )
    for _ in range(5 * ledger_jobs.MAX_RACES):
        await asyncio.sleep(0)
    change.cancel()

    with pytest.raises(asyncio.CancelledError):
        await change
    assert (await ledger.read(kept.record.uuid)).state is State.RUNNING


@pytest.mark.parametrize("fault", ["lost", "unwritten"])
async def test_a_claim_in_doubt_waits_until_the_store_can_tell(ledger: Ledger, fault: str) -> None:
    """Otherwise the job would be running for nobody, and that counts as a crash."""
    uuid = await ledger.add()

    async def go_away() -> None:
        ledger.store.away["jobs"] = 3

    ledger.store.fail_next(fault, go_away)
    applied = await ledger.jobs.apply(uuid, events.Claimed(ME, 1))

    assert isinstance(applied.action, events.Keep)
    assert (await ledger.read(uuid)).attempt == 1


async def test_who_is_not_patient_learns_of_an_outage(ledger: Ledger) -> None:
    kept = await ledger.running()
    ledger.store.fail_next("away")

    with pytest.raises(DatastoreUnavailableError):
        await ledger.jobs.apply(kept.record.uuid, ENDS["returned"], kept)


@pytest.mark.parametrize("fault", ["lost", "unwritten"])
@pytest.mark.parametrize("end", ENDS)
async def test_an_end_whose_write_is_unknown_happens_once(
    ledger: Ledger, end: str, fault: str
) -> None:
    kept = await ledger.running()
    ledger.store.fail_next(fault)

    applied = await ledger.jobs.apply(kept.record.uuid, ENDS[end], kept)

    assert applied.record == await ledger.read(kept.record.uuid)
    assert applied.record.attempts[0].ended_time is not None
    assert isinstance(applied.action, events.Delete | events.Release)
    assert (applied.record.errors, applied.record.crashes, applied.record.continuations) in (
        (0, 0, 0),
        (1, 0, 0),
        (0, 1, 0),
        (0, 0, 1),
    )
    assert await ledger.counts() == once(applied.record)


@pytest.mark.parametrize("fault", ["lost", "unwritten"])
@pytest.mark.parametrize(
    ("event", "state"),
    [
        (CLAIMED, State.RUNNING),
        (events.CancelRequested(), State.CANCELLED),
        (events.Queued(9), State.QUEUED),
        (events.PutAside("unserved"), State.QUEUED),
    ],
)
async def test_what_happens_to_a_queued_job_happens_once(
    ledger: Ledger, event: events.Event, state: State, fault: str
) -> None:
    uuid = await ledger.add()
    ledger.store.fail_next(fault)

    applied = await ledger.jobs.apply(uuid, event)

    assert applied.record == await ledger.read(uuid)
    assert (applied.record.state, applied.before.state) == (state, State.QUEUED)
    wanted = {State.RUNNING: {"started": 1}, State.CANCELLED: {"cancelled": 1}}
    assert await ledger.counts() == wanted.get(state, {})


@pytest.mark.parametrize("fault", ["lost", "unwritten"])
async def test_a_replay_whose_write_is_unknown_happens_once(ledger: Ledger, fault: str) -> None:
    kept = await ledger.running()
    await ledger.happen(kept.record.uuid, ENDS["invalid"])
    ledger.store.fail_next(fault)

    applied = await ledger.jobs.apply(kept.record.uuid, events.Replayed())

    assert (applied.record.replays, applied.action) == (1, events.Put(0, 5))
    assert await ledger.counts() == {"accepted": 1}


@pytest.mark.parametrize("fault", ["lost", "unwritten"])
async def test_a_death_whose_write_is_unknown_is_told_once(ledger: Ledger, fault: str) -> None:
    kept = await ledger.running()
    ledger.store.fail_next(fault)
    death = events.WorkerDied("me", ledger.time(), Cause.OUT_OF_MEMORY, "killed", certain=True)

    applied = await ledger.jobs.apply(kept.record.uuid, death)

    assert (applied.record.crashes, applied.record.state) == (1, State.WAITING)
    assert await ledger.counts() == {"again": 1}


@pytest.mark.parametrize("fault", ["lost", "unwritten"])
@pytest.mark.parametrize("again", [[], [events.Claimed(OTHER, 8)]], ids=["waits", "runs"])
async def test_a_cause_whose_write_is_unknown_is_corrected(
    ledger: Ledger, again: list[events.Event], fault: str
) -> None:
    kept = await ledger.running()
    await ledger.happen(kept.record.uuid, ENDS["crashed"], *again)
    ledger.store.fail_next(fault)
    death = events.WorkerDied("me", ledger.time(), Cause.INTERRUPTED, "evicted", certain=True)

    await ledger.jobs.apply(kept.record.uuid, death)

    found = await ledger.read(kept.record.uuid)
    assert (found.crashes, found.attempts[0].cause) == (0, Cause.INTERRUPTED)
    assert await ledger.counts() == {}


async def _cancel(ledger: Ledger, uuid: str) -> None:
    await ledger.happen(uuid, events.CancelRequested())


async def _replay(ledger: Ledger, uuid: str) -> None:
    await ledger.happen(uuid, events.Replayed())


async def _claim(ledger: Ledger, uuid: str) -> None:
    await ledger.happen(uuid, events.Claimed(OTHER, 8))


async def _aside(ledger: Ledger, uuid: str) -> None:
    await ledger.happen(uuid, events.PutAside("another's look"))


@pytest.mark.parametrize(
    ("end", "foreign"),
    [
        ("returned", _replay),
        ("invalid", _replay),
        ("raised", _claim),
        ("continued", _claim),
        ("crashed", _claim),
        ("crashed", _cancel),
        ("interrupted", _aside),
        ("interrupted", _claim),
    ],
)
async def test_an_end_is_known_again_behind_what_others_did(
    ledger: Ledger, end: str, foreign: Callable[[Ledger, str], Awaitable[None]]
) -> None:
    kept = await ledger.running()
    uuid = kept.record.uuid
    ledger.store.fail_next("lost", lambda: foreign(ledger, uuid))

    applied = await ledger.jobs.apply(uuid, ENDS[end], kept)

    assert applied.record == await ledger.read(uuid)  # what others did is not undone
    assert isinstance(applied.action, events.Delete | events.Release)
    assert sum((await ledger.counts()).values()) == 1


async def test_a_claim_is_known_again_behind_a_cancel(ledger: Ledger) -> None:
    uuid = await ledger.add()
    ledger.store.fail_next("lost", lambda: _cancel(ledger, uuid))

    applied = await ledger.jobs.apply(uuid, CLAIMED)

    assert applied.action == events.Keep()
    assert applied.record.cancel_requested_time is not None
    ended = await ledger.jobs.apply(uuid, ENDS["returned"], applied.kept)
    assert ended.record.state is State.SUCCEEDED


async def test_a_claim_that_was_taken_over_unseen_is_not_run(ledger: Ledger) -> None:
    """Or two workers would run one attempt, both with the successor's number."""
    uuid = await ledger.add()

    async def take_over() -> None:
        await ledger.happen(uuid, events.Crashed(1, "its worker died"), events.Claimed(OTHER, 8))

    ledger.store.fail_next("lost", take_over)

    with pytest.raises(StaleAttemptError):
        await ledger.jobs.apply(uuid, CLAIMED)

    found = await ledger.read(uuid)
    assert found.current_attempt is not None
    assert (found.attempt, found.current_attempt.worker) == (2, OTHER)
    assert await ledger.counts() == {"started": 1}


@pytest.mark.parametrize("fault", [None, "unwritten"])
@pytest.mark.parametrize("end", ENDS)
async def test_a_thawed_worker_does_not_take_anothers_end_for_its_own(
    ledger: Ledger, end: str, fault: str | None
) -> None:
    kept = await ledger.running()
    uuid = kept.record.uuid

    async def take_over() -> None:
        await ledger.happen(uuid, events.Invalid(1, "ended by another"))

    if fault is None:
        await take_over()
    else:
        ledger.store.fail_next(fault, take_over)

    with pytest.raises(StaleAttemptError):
        await ledger.jobs.apply(uuid, ENDS[end], kept)

    assert (await ledger.read(uuid)).message == "ended by another"
    assert await ledger.counts() == {}


async def test_state_is_saved_after_a_foreign_write_too(ledger: Ledger) -> None:
    kept = await ledger.running()
    uuid = kept.record.uuid

    for number in (1, 2, 3):
        await ledger.happen(uuid, events.CancelRequested())
        applied = await ledger.jobs.apply(uuid, events.Reported(1, f'{{"step":{number}}}'), kept)
        kept = applied.kept

        assert (await ledger.read(uuid)).job_state == f'{{"step":{number}}}'
        assert applied.record.cancel_requested_time is not None


async def test_state_of_an_attempt_that_is_over_is_not_saved(ledger: Ledger) -> None:
    kept = await ledger.running()
    await ledger.happen(kept.record.uuid, ENDS["interrupted"], events.Claimed(OTHER, 2))

    with pytest.raises(StaleAttemptError):
        await ledger.jobs.apply(kept.record.uuid, events.Reported(1, '{"step":1}'), kept)


async def test_there_is_nothing_to_change_about_a_job_that_is_gone(ledger: Ledger) -> None:
    kept = await ledger.running()
    await ledger.store.remove("jobs", kept.record.uuid)

    for known in (kept, None):
        with pytest.raises(JobNotFoundError):
            await ledger.jobs.apply(kept.record.uuid, ENDS["returned"], known)
    with pytest.raises(JobNotFoundError):
        await ledger.jobs.apply("no job's UUID", CLAIMED)


@pytest.mark.parametrize(
    ("event", "durable"),
    [
        (ENDS["returned"], True),
        (ENDS["invalid"], True),
        (ENDS["raised"], False),
        (events.Reported(1, "{}"), False),
        (events.CancelRequested(), True),
    ],
)
async def test_ends_and_intents_are_durable(
    ledger: Ledger, event: events.Event, durable: bool
) -> None:
    kept = await ledger.running()
    await ledger.jobs.apply(kept.record.uuid, event, kept)

    method, collection, options = ledger.store.writes[-1]
    assert (method, collection, options["durable"]) == ("replace", "jobs", durable)


async def test_a_replay_is_durable(ledger: Ledger) -> None:
    kept = await ledger.running()
    await ledger.happen(kept.record.uuid, ENDS["invalid"])

    await ledger.jobs.apply(kept.record.uuid, events.Replayed())

    assert ledger.store.writes[-1][2]["durable"]


async def test_a_deletion_is_durable(ledger: Ledger) -> None:
    kept = await ledger.running()
    await ledger.happen(kept.record.uuid, ENDS["invalid"])

    await ledger.jobs.delete(kept.record.uuid)

    removed = [write for write in ledger.store.writes if write[:2] == ("remove", "jobs")]
    assert [options["durable"] for _, _, options in removed] == [True]


# What is beside a record, and how long it is kept.


async def lie_beside(ledger: Ledger, uuid: JobId, attempt: int) -> list[tuple[Any, str]]:
    """Write progress, two chunks of log and parameters as workers and API do."""
    logs = [("events", log_key(uuid, attempt, chunk)) for chunk in (0, 1)]
    places: list[tuple[Any, str]] = [("progress", uuid), *logs, ("blobs", input_key(uuid))]
    for collection, key in places:
        await MemoryDatastore.upsert(
            ledger.store, collection, key, {"parameters": LARGE}, expire_seconds=UNFINISHED_SECONDS
        )
    return places


@pytest.mark.parametrize("fault", [None, "lost", "unwritten"])
@pytest.mark.parametrize(
    ("event", "seconds"),
    [
        (ENDS["returned"], OK_SECONDS),
        (events.Returned(1, code=404), FAILED_SECONDS),
        (ENDS["invalid"], FAILED_SECONDS),
        (ENDS["cancelled"], FAILED_SECONDS),
        (ENDS["crashed"], FAILED_SECONDS),
        (events.WorkerDied("me", LATER, Cause.CRASH, "killed", certain=True), FAILED_SECONDS),
    ],
)
async def test_all_of_a_job_expires_with_it_however_it_ends(
    ledger: Ledger, event: events.Event, seconds: float, fault: str | None
) -> None:
    kept = await ledger.running(parameters=None, has_input_blob=True, limits=ONE_CRASH)
    uuid = kept.record.uuid
    places = await lie_beside(ledger, uuid, 1)
    if fault is not None:
        ledger.store.fail_next(fault)

    await ledger.jobs.apply(uuid, event)
    assert await ledger.jobs.leftovers.flush()

    assert ledger.store.seconds_left("jobs", uuid) == seconds
    assert {ledger.store.seconds_left(*place) for place in places} == {seconds}


async def test_all_of_a_queued_job_expires_when_it_is_cancelled(ledger: Ledger) -> None:
    kept = await ledger.running(parameters=None, has_input_blob=True)
    uuid = kept.record.uuid
    places = await lie_beside(ledger, uuid, 1)
    await ledger.happen(uuid, ENDS["interrupted"])

    await ledger.jobs.apply(uuid, events.CancelRequested())
    await ledger.jobs.leftovers.flush()

    assert {ledger.store.seconds_left(*place) for place in places} == {FAILED_SECONDS}


async def test_an_expiry_that_cannot_be_set_now_is_set_later(ledger: Ledger) -> None:
    kept = await ledger.running()
    places = await lie_beside(ledger, kept.record.uuid, 1)
    ledger.store.away["events"] = 1

    await ledger.jobs.apply(kept.record.uuid, ENDS["returned"], kept)
    assert not await ledger.jobs.leftovers.flush()
    assert await ledger.jobs.leftovers.flush()

    assert {ledger.store.seconds_left(*place) for place in places[:3]} == {OK_SECONDS}


async def test_what_is_left_over_and_cannot_be_done_keeps_nothing_from_being_done(
    ledger: Ledger,
) -> None:
    done: list[str] = []

    async def refused() -> None:
        raise DatastoreError("never")

    async def broken() -> None:
        raise RuntimeError

    async def good() -> None:
        done.append("good")

    for task in (refused, broken, good):
        ledger.jobs.leftovers.later(task)

    assert await ledger.jobs.leftovers.flush()
    assert done == ["good"]


@pytest.mark.parametrize("fault", [None, "lost"])
async def test_an_attempt_too_many_takes_the_first_ones_log_with_it(
    ledger: Ledger, fault: str | None
) -> None:
    uuid = await ledger.add()
    for number in range(1, MAX_ATTEMPTS_KEPT + 1):
        await ledger.happen(uuid, events.Claimed(ME, 1), events.Interrupted(number, "drained"))
        for chunk in (0, 1):
            await ledger.store.upsert("events", log_key(uuid, number, chunk), write(LogChunk([])))
    if fault is not None:
        ledger.store.fail_next(fault)

    await ledger.jobs.apply(uuid, CLAIMED)
    await ledger.jobs.leftovers.flush()

    kept = {key.split("::")[1] for key in ledger.store.keys("events")}
    assert kept == {str(number) for number in range(2, MAX_ATTEMPTS_KEPT + 1)}


@pytest.mark.parametrize("fault", [None, "lost", "unwritten"])
async def test_large_output_is_in_a_document_of_its_own(ledger: Ledger, fault: str | None) -> None:
    kept = await ledger.running()
    uuid = kept.record.uuid
    if fault is not None:
        ledger.store.fail_next(fault)

    applied = await ledger.jobs.apply(uuid, ENDS["returned much"], kept)
    await ledger.jobs.leftovers.flush()

    assert (applied.record.data, applied.record.output_blob_attempt) == (None, 1)
    key = output_key(uuid, 1)
    stored = await ledger.store.get("blobs", key)
    assert stored is not None
    assert read(stored.document, Output).data == "x" * (INLINE_BYTES + 1)
    assert ledger.store.seconds_left("blobs", key) == OK_SECONDS
    written = [options for _, place, options in ledger.store.writes if place == "blobs"]
    assert all(options["durable"] for options in written)


@pytest.mark.parametrize("data", [float("nan"), "\ud800", object()])
async def test_output_that_is_not_json_is_refused_as_a_document(
    ledger: Ledger, data: object
) -> None:
    """The worker writes an error instead; anything else would end its slot."""
    kept = await ledger.running()

    with pytest.raises(DatastoreError):
        await ledger.jobs.apply(kept.record.uuid, events.Returned(1, data=data), kept)


async def test_output_that_nests_too_deeply_is_refused_as_a_document(ledger: Ledger) -> None:
    deep: Any = 1
    for _ in range(500):
        deep = [deep]
    kept = await ledger.running()

    with pytest.raises(DatastoreError):
        await ledger.jobs.apply(kept.record.uuid, events.Returned(1, data=deep), kept)


async def test_a_replay_keeps_its_parameters_before_it_is_written(ledger: Ledger) -> None:
    kept = await ledger.running(parameters=None, has_input_blob=True)
    uuid = kept.record.uuid
    await lie_beside(ledger, uuid, 1)
    await ledger.jobs.apply(uuid, ENDS["returned"], kept)
    await ledger.jobs.leftovers.flush()

    ledger.store.away["blobs"] = 1
    with pytest.raises(DatastoreUnavailableError):
        await ledger.jobs.apply(uuid, events.Replayed())
    assert (await ledger.read(uuid)).state is State.SUCCEEDED

    applied = await ledger.jobs.apply(uuid, events.Replayed())
    assert ledger.store.seconds_left("blobs", input_key(uuid)) == UNFINISHED_SECONDS
    ledger.store.now = 2 * OK_SECONDS
    assert await read_input(ledger.store, applied.record) == LARGE


async def test_a_job_that_runs_for_years_keeps_its_parameters(ledger: Ledger) -> None:
    kept = await ledger.running(parameters=None, has_input_blob=True)
    uuid = kept.record.uuid
    await lie_beside(ledger, uuid, 1)

    for number in range(1, 11):
        ledger.store.now += UNFINISHED_SECONDS / 4
        await ledger.jobs.apply(uuid, events.Continued(number))
        applied = await ledger.jobs.apply(uuid, CLAIMED)
        assert applied.action == events.Keep()

    assert await read_input(ledger.store, applied.record) == LARGE
