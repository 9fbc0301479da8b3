"""Why a worker died, told afterwards."""

from datetime import UTC, datetime, timedelta

import pytest

from zerog.model import due, events, life
from zerog.model.record import Cause, JobRecord, State, WorkerIdentity, new_job_id

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(seconds=10)
DEAD = WorkerIdentity("pod-1")
OTHER = WorkerIdentity("pod-2")


def running(worker: WorkerIdentity = DEAD) -> JobRecord:
    record = JobRecord(new_job_id(), "Noop", "default", NOW, NOW)
    return life.step(record, events.Claimed(worker, 1), NOW).record


def crashed() -> JobRecord:
    return life.step(running(), events.Crashed(1, "its worker died"), LATER).record


def taken_over() -> JobRecord:
    later = LATER + timedelta(seconds=due.CRASH_BACKOFF.max_seconds)
    return life.step(crashed(), events.Claimed(OTHER, 2), later).record


def death(cause: Cause, *, certain: bool = True, time: datetime = LATER) -> events.WorkerDied:
    return events.WorkerDied("pod-1", time, cause, "the reason", certain)


def told(record: JobRecord, event: events.WorkerDied) -> JobRecord:
    """Return the record afterwards. The queue entry is never this event's business."""
    step = life.step(record, event, LATER)
    assert step.action == events.NoAction()
    return step.record


def test_a_job_that_nobody_took_over_ends_with_the_cause() -> None:
    after = told(running(), death(Cause.OUT_OF_MEMORY))

    assert after.state is State.WAITING
    assert after.attempts[0].cause is Cause.OUT_OF_MEMORY
    assert after.crashes == 1


LARGER = events.WorkerDied("pod-1", LATER, Cause.OUT_OF_MEMORY, "no memory", True, "large")


@pytest.mark.parametrize("before", [running(), crashed()])
def test_a_job_that_ran_out_of_memory_goes_to_the_larger_queue(before: JobRecord) -> None:
    after = told(before, LARGER)

    assert (after.state, after.queue, after.moved_from) == (State.QUEUED, "large", "default")
    assert (after.crashes, after.entry_id, after.not_before_time) == (0, None, None)
    assert after.message == "no memory; moved from the queue default to large"


def test_a_job_that_runs_again_meanwhile_is_not_moved_from_under_its_worker() -> None:
    after = told(taken_over(), LARGER)

    assert (after.state, after.queue, after.crashes) == (State.RUNNING, "default", 1)


def test_a_job_that_waits_after_a_later_attempt_is_not_moved() -> None:
    """It may be delayed on purpose."""
    waiting = life.step(taken_over(), events.Continued(2, 86400.0), LATER).record

    after = told(waiting, LARGER)

    assert after.attempts[0].cause is Cause.OUT_OF_MEMORY
    assert (after.queue, after.not_before_time) == ("default", waiting.not_before_time)


def test_a_plain_crash_that_nobody_took_over_is_a_crash() -> None:
    after = told(running(), death(Cause.CRASH))

    assert (after.attempts[0].cause, after.crashes) == (Cause.CRASH, 1)


def test_an_interruption_costs_the_job_nothing() -> None:
    after = told(running(), death(Cause.INTERRUPTED))

    assert after.state is State.QUEUED
    assert after.attempts[0].cause is Cause.INTERRUPTED
    assert after.crashes == 0


def test_an_attempt_is_left_alone_while_its_worker_may_live() -> None:
    record = running()

    assert told(record, death(Cause.INTERRUPTED, certain=False)) is record


@pytest.mark.parametrize("certain", [True, False])
def test_what_was_taken_over_is_corrected_and_the_crash_given_back(certain: bool) -> None:
    after = told(taken_over(), death(Cause.INTERRUPTED, certain=certain))

    assert after.state is State.RUNNING
    assert after.attempt == 2
    assert [attempt.cause for attempt in after.attempts] == [Cause.INTERRUPTED, None]
    assert after.attempts[0].message == "the reason"
    assert (after.crashes, after.message) == (0, None)


def test_a_job_that_waits_shows_the_reason() -> None:
    after = told(crashed(), death(Cause.INTERRUPTED))

    assert (after.state, after.message) == (State.WAITING, "the reason")


def test_an_out_of_memory_kill_stays_a_crash_in_the_budget() -> None:
    after = told(taken_over(), death(Cause.OUT_OF_MEMORY))

    assert after.attempts[0].cause is Cause.OUT_OF_MEMORY
    assert after.crashes == 1


def test_telling_twice_changes_nothing() -> None:
    once = told(taken_over(), death(Cause.INTERRUPTED))

    assert told(once, death(Cause.INTERRUPTED)) is once


def test_other_workers_jobs_are_left_alone() -> None:
    record = running(OTHER)

    assert told(record, death(Cause.INTERRUPTED)) is record


def test_an_attempt_that_began_after_the_death_is_of_the_restarted_worker() -> None:
    record, before = running(), death(Cause.OUT_OF_MEMORY, time=NOW - timedelta(seconds=1))

    assert told(record, before) is record


def test_a_finished_job_stays_finished() -> None:
    finished = life.step(crashed(), events.CancelRequested(), LATER).record
    assert finished.is_finished

    assert told(finished, death(Cause.INTERRUPTED)) is finished
