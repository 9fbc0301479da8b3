"""A job is driven through its life by random events; what must always hold is checked
after each."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from zerog.ledger.codec import read_record, write_record
from zerog.model import events, jsontext, life
from zerog.model.documents import TypeDocument
from zerog.model.errors import JobStateError, StaleAttemptError
from zerog.model.record import (
    UNFINISHED,
    JobRecord,
    State,
    WorkerIdentity,
    new_job_id,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
TYPE = TypeDocument(
    "T",
    "q",
    {},
    max_errors=3,
    max_crashes=2,
    backoff_seconds=1.0,
    backoff_max_seconds=60.0,
    timeout_seconds=5.0,
    retain_ok_seconds=10.0,
    retain_failed_seconds=20.0,
)

ends = st.one_of(
    st.builds(
        lambda code: lambda n: events.Returned(n, code), st.sampled_from([200, 299, 500, 0, 9999])
    ),
    st.builds(lambda s: lambda n: events.Continued(n, s), st.floats(0, 100)),
    st.builds(lambda retry: lambda n: events.Raised(n, "no", retry), st.none() | st.floats(0, 100)),
    st.just(lambda n: events.Invalid(n, "no")),
    st.just(lambda n: events.AttemptTimedOut(n)),
    st.just(lambda n: events.Crashed(n, "died")),
    st.just(lambda n: events.Crashed(n, "died", True)),
    st.just(lambda n: events.Interrupted(n, "drained")),
    st.just(lambda n: events.AttemptCancelled(n)),
)


class JobLife(RuleBasedStateMachine):
    """One job."""

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.priority = 3
        self.record: JobRecord = life.accept(
            uuid=new_job_id(),
            job_type=TYPE,
            parameters={"a": 1},
            now=self.now,
            priority=self.priority,
        )

    def apply(self, event: events.Event) -> life.Step:
        """Take a step, and check what holds for every step."""
        before = self.record
        step = life.step(before, event, self.now, jitter=0.3)
        after = step.record
        assert after.attempt >= before.attempt
        if before.is_finished and not after.is_finished:
            assert isinstance(event, events.Replayed)
        if isinstance(step.action, events.Release | events.Put):
            assert step.action.priority == self.priority
            assert step.action.delay_seconds >= 0
        if after.is_finished:
            assert isinstance(step.action, events.Delete | events.NoAction)
        self.record = after
        return step

    @rule(seconds=st.floats(0.1, 200))
    def time_passes(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    @rule()
    @precondition(lambda self: self.record.state is not State.RUNNING)
    def is_claimed(self) -> None:
        before = self.record
        step = self.apply(events.Claimed(WorkerIdentity("w"), 1))
        if before.is_finished:
            assert step.record is before
        elif before.cancel_requested_time is not None:
            assert step.record.state is State.CANCELLED
        elif isinstance(step.action, events.Keep):
            assert step.record.attempt == before.attempt + 1

    @rule(make=ends)
    @precondition(lambda self: self.record.state is State.RUNNING)
    def attempt_ends(self, make: Any) -> None:
        before = self.record
        event = make(before.attempt)
        step = self.apply(event)
        if isinstance(event, events.Interrupted):
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
        self.apply(events.Reported(self.record.attempt, f'{{"at":{self.record.attempt}}}'))

    @rule()
    def cancel_is_requested(self) -> None:
        if self.record.state in (State.SUCCEEDED, State.FAILED):
            with pytest.raises(JobStateError):
                life.step(self.record, events.CancelRequested(), self.now)
        else:
            self.apply(events.CancelRequested())

    @rule()
    def is_replayed(self) -> None:
        if self.record.is_finished:
            attempt = self.record.attempt
            self.apply(events.Replayed())
            assert self.record.attempt == attempt
        else:
            with pytest.raises(JobStateError):
                life.step(self.record, events.Replayed(), self.now)

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
        text = jsontext.dumps(write_record(record))
        assert read_record(jsontext.loads(text)) == record


JobLife.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestJobLife = JobLife.TestCase
