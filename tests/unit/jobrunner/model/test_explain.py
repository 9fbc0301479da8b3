"""Why a worker died, told afterwards."""

from datetime import UTC, datetime, timedelta

import pytest

from zerog.model import life
from zerog.model.explain import Death, explain
from zerog.model.record import Cause, JobRecord, State, WorkerIdentity, new_job_id

NOW = datetime(2026, 1, 1, tzinfo=UTC)
LATER = NOW + timedelta(seconds=10)
DEAD = WorkerIdentity("pod-1")
OTHER = WorkerIdentity("pod-2")


def running(worker: WorkerIdentity = DEAD) -> JobRecord:
    record = JobRecord(new_job_id(), "Noop", "default", NOW, NOW)
    return life.step(record, life.Claimed(worker, 1), NOW).record


def taken_over() -> JobRecord:
    crashed = life.step(running(), life.Crashed(1, "its worker died"), LATER).record
    return life.step(crashed, life.Claimed(OTHER, 2), LATER).record


def death(cause: Cause, *, certain: bool = True, time: datetime = LATER) -> Death:
    return Death(time, cause, "the reason", certain)


def test_a_job_that_nobody_took_over_ends_with_the_cause() -> None:
    told = explain(running(), "pod-1", death(Cause.OUT_OF_MEMORY), LATER)

    assert told is not None
    assert told.state is State.QUEUED
    assert told.attempts[0].cause is Cause.OUT_OF_MEMORY
    assert told.crashes == 1


def test_an_interruption_costs_the_job_nothing() -> None:
    told = explain(running(), "pod-1", death(Cause.INTERRUPTED), LATER)

    assert told is not None
    assert told.attempts[0].cause is Cause.INTERRUPTED
    assert told.crashes == 0


def test_an_attempt_is_left_alone_while_its_worker_may_live() -> None:
    assert explain(running(), "pod-1", death(Cause.INTERRUPTED, certain=False), LATER) is None


@pytest.mark.parametrize("certain", [True, False])
def test_what_was_taken_over_is_corrected_and_the_crash_given_back(certain: bool) -> None:
    told = explain(taken_over(), "pod-1", death(Cause.INTERRUPTED, certain=certain), LATER)

    assert told is not None
    assert told.state is State.RUNNING
    assert told.attempt == 2
    assert [attempt.cause for attempt in told.attempts] == [Cause.INTERRUPTED, None]
    assert told.attempts[0].message == "the reason"
    assert told.crashes == 0


def test_an_out_of_memory_kill_stays_a_crash_in_the_budget() -> None:
    told = explain(taken_over(), "pod-1", death(Cause.OUT_OF_MEMORY), LATER)

    assert told is not None
    assert told.attempts[0].cause is Cause.OUT_OF_MEMORY
    assert told.crashes == 1


def test_telling_twice_changes_nothing() -> None:
    told = explain(taken_over(), "pod-1", death(Cause.INTERRUPTED), LATER)
    assert told is not None

    assert explain(told, "pod-1", death(Cause.INTERRUPTED), LATER) is None


def test_other_workers_jobs_are_left_alone() -> None:
    assert explain(running(OTHER), "pod-1", death(Cause.INTERRUPTED), LATER) is None


def test_an_attempt_that_began_after_the_death_is_of_the_restarted_worker() -> None:
    before = death(Cause.OUT_OF_MEMORY, time=NOW - timedelta(seconds=1))

    assert explain(running(), "pod-1", before, LATER) is None


def test_a_finished_job_stays_finished() -> None:
    crashed = life.step(running(), life.Crashed(1, "its worker died"), LATER).record
    finished = life.step(crashed, life.CancelRequested(), LATER).record
    assert finished.is_finished

    assert explain(finished, "pod-1", death(Cause.INTERRUPTED), LATER) is None
