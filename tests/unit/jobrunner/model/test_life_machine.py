"""A job is driven through its life by random events; what must always hold is checked
after each."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from zerog.model import jsontext, life
from zerog.model.errors import JobStateError, StaleAttemptError
from zerog.model.record import (
    UNFINISHED,
    JobRecord,
    State,
    WorkerIdentity,
    from_document,
    new_job_id,
    to_document,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
TYPE: dict[str, Any] = {
    "name": "T",
    "queue": "q",
    "priority": 5,
    "maxErrors": 3,
    "maxCrashes": 2,
    "backoffSeconds": 1.0,
    "backoffMaxSeconds": 60.0,
    "timeoutSeconds": 5.0,
    "retainOkSeconds": 10.0,
    "retainFailedSeconds": 20.0,
}

ends = st.one_of(
    st.builds(lambda code: lambda n: life.Returned(n, code), st.sampled_from([200, 299, 500, -1])),
    st.builds(lambda s: lambda n: life.Returned(n, continue_seconds=s), st.floats(0, 100)),
    st.builds(
        lambda retry, invalid: lambda n: life.Raised(n, "no", retry, invalid=invalid),
        st.none() | st.floats(0, 100),
        st.booleans(),
    ),
    st.just(lambda n: life.TimedOut(n)),
    st.just(lambda n: life.Crashed(n, "died")),
    st.just(lambda n: life.Crashed(n, "died", True)),
    st.just(lambda n: life.Interrupted(n, "drained")),
    st.just(lambda n: life.Cancelled(n)),
)


class JobLife(RuleBasedStateMachine):
    """One job."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.priority = 3
        self.record: JobRecord = life.accept(
            uuid=new_job_id(),
            type_document=TYPE,
            parameters={"a": 1},
            now=self.now,
            priority=self.priority,
        )

    def apply(self, event: life.Event) -> life.Step:
        """Take a step, and check what holds for every step."""
        before = self.record
        step = life.step(before, event, self.now, jitter=0.3)
        after = step.record
        assert after.attempt >= before.attempt
        if before.is_finished and not after.is_finished:
            assert isinstance(event, life.Replayed)
        if isinstance(step.action, life.Release | life.Put):
            assert step.action.priority == self.priority
            assert step.action.delay_seconds >= 0
        if after.is_finished:
            assert isinstance(step.action, life.Delete | life.NoAction)
        self.record = after
        return step

    @rule(seconds=st.floats(0.1, 200))
    def time_passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    @rule()
    @precondition(lambda self: self.record.state is not State.RUNNING)
    def is_claimed(self) -> None:
        before = self.record
        step = self.apply(life.Claimed(WorkerIdentity("w"), 1))
        if before.is_finished:
            assert step.record is before
        elif before.cancel_requested_time is not None:
            assert step.record.state is State.CANCELLED
        elif isinstance(step.action, life.Run):
            assert step.record.attempt == before.attempt + 1

    @rule(make=ends)
    @precondition(lambda self: self.record.state is State.RUNNING)
    def attempt_ends(self, make: Any) -> None:
        before = self.record
        event = make(before.attempt)
        step = self.apply(event)
        if isinstance(event, life.Interrupted):
            assert (step.record.errors, step.record.crashes) == (before.errors, before.crashes)
        if before.cancel_requested_time is not None:
            assert step.record.is_finished

    @rule(make=ends, back=st.integers(0, 3))
    def stale_attempt_speaks(self, make: Any, back: int) -> None:
        current = self.record.state is State.RUNNING
        number = self.record.attempt - back - (1 if current else 0)
        with pytest.raises(StaleAttemptError):
            life.step(self.record, make(number), self.now)

    @rule()
    @precondition(lambda self: self.record.state is State.RUNNING)
    def reports_state(self) -> None:
        self.apply(life.Reported(self.record.attempt, {"at": self.record.attempt}))

    @rule()
    def cancel_is_requested(self) -> None:
        if self.record.state in (State.SUCCEEDED, State.FAILED):
            with pytest.raises(JobStateError):
                life.step(self.record, life.CancelRequested(), self.now)
        else:
            self.apply(life.CancelRequested())

    @rule()
    def is_replayed(self) -> None:
        if self.record.is_finished:
            attempt = self.record.attempt
            self.apply(life.Replayed())
            assert self.record.attempt == attempt
        else:
            with pytest.raises(JobStateError):
                life.step(self.record, life.Replayed(), self.now)

    @invariant()
    def the_record_is_sound(self) -> None:
        record = self.record
        assert (record.result_code == UNFINISHED) is not record.is_finished
        assert (record.finished_time is not None) is record.is_finished
        assert record.errors <= record.limits.max_errors
        assert record.crashes <= record.limits.max_crashes
        assert record.priority == self.priority
        open_attempts = [a for a in record.attempts if a.ended_time is None]
        assert len(open_attempts) == (record.state is State.RUNNING)
        assert all((a.cause is None) == (a.ended_time is None) for a in record.attempts)
        text = jsontext.dumps(to_document(record))
        assert from_document(jsontext.loads(text)) == record


JobLife.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestJobLife = JobLife.TestCase
