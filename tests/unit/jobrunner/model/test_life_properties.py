"""No number, text or time in a record or an event is too much for the life of a job.

Whatever an event says, the step is refused with an error of ours or makes a record that can be
stored and read again, and a delay that beanstalkd can express.
"""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any, get_args

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from zerog.ledger.codec import read_record, write_record
from zerog.model import due, events, jsontext, life
from zerog.model.errors import JobStateError
from zerog.model.limits import (
    MAX_CODE,
    MAX_COUNT,
    MAX_ENTRY_ID,
    MAX_RETENTION_SECONDS,
    MAX_SECONDS,
    MAX_TRIES,
    MIN_CODE,
)
from zerog.model.names import NAME_PATTERN
from zerog.model.record import (
    Attempt,
    Cause,
    JobRecord,
    Limits,
    State,
    WorkerIdentity,
    new_job_id,
)
from zerog.queue.beanstalk.wire import MAX_ENTRY_DELAY_SECONDS

UUID = new_job_id()

stored_texts = st.text(st.characters(codec="utf-8"), max_size=20)
#: What a process may say of itself: also what has no form in UTF-8, and much of it.
messages = st.one_of(
    st.text(st.characters(), max_size=20),
    st.builds(lambda text, times: text * times, st.text(st.characters()), st.integers(0, 5000)),
)
offsets = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
times = st.datetimes(timezones=st.just(UTC) | offsets)
#: Our own clock: any, but such that a delay after it is still a time.
nows = st.datetimes(max_value=datetime(9990, 1, 1), timezones=st.just(UTC))
#: Small ones, so that events and records meet, and any others.
counts = st.integers(0, 3) | st.integers(0, MAX_COUNT - 1) | st.sampled_from([2**31, MAX_COUNT - 1])
entry_ids = st.integers(0, MAX_ENTRY_ID)
queues = st.from_regex(NAME_PATTERN, fullmatch=True)
seconds = st.floats(0, MAX_SECONDS) | st.sampled_from([0, 5, MAX_SECONDS, 5e-324])
retentions = st.floats(0, MAX_RETENTION_SECONDS)
tries = st.integers(1, MAX_TRIES)
numbers = st.floats(allow_nan=False, allow_infinity=False) | st.integers(-(10**30), 10**30)
json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | numbers | stored_texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(stored_texts, inner, max_size=3),
    max_leaves=6,
)
states = st.dictionaries(stored_texts, json_values, max_size=3)
state_texts = states.map(lambda state: jsontext.dumps(state).decode())
workers = st.builds(
    WorkerIdentity,
    st.sampled_from(["w-1", "w-2"]) | stored_texts,
    pod=st.none() | stored_texts,
    node=st.none() | stored_texts,
)
attempts = st.builds(
    Attempt,
    counts,
    workers,
    times,
    ended_time=st.none() | times,
    cause=st.none() | st.sampled_from(Cause),
    message=st.none() | stored_texts,
)
limits = st.builds(
    Limits,
    max_errors=tries,
    max_crashes=tries,
    backoff_seconds=seconds,
    backoff_max_seconds=seconds,
    timeout_seconds=st.none() | seconds,
    retain_ok_seconds=retentions,
    retain_failed_seconds=retentions,
)
records = st.builds(
    JobRecord,
    uuid=st.just(UUID),
    type=stored_texts,
    queue=queues,
    created_time=times,
    changed_time=times,
    state=st.sampled_from(State),
    priority=st.integers(0, 9),
    result_code=st.integers(-1, MAX_CODE),
    message=st.none() | stored_texts,
    limits=limits,
    parameters=st.none() | states,
    data=json_values,
    job_state=st.none() | state_texts,
    not_before_time=st.none() | times,
    started_time=st.none() | times,
    finished_time=st.none() | times,
    cancel_requested_time=st.none() | times,
    attempt=counts,
    errors=counts,
    crashes=counts,
    continuations=counts,
    replays=counts,
    entry_id=st.none() | entry_ids,
    attempts=st.lists(attempts, max_size=4).map(tuple),
).filter(lambda record: record.state is not State.RUNNING or record.current_attempt is not None)
codes = st.integers(MIN_CODE, MAX_CODE)
any_events: dict[type, st.SearchStrategy[events.Event]] = {
    events.Returned: st.builds(
        events.Returned, counts, codes, json_values, st.none() | messages, st.none() | state_texts
    ),
    events.Continued: st.builds(events.Continued, counts, seconds, st.none() | state_texts),
    events.Raised: st.builds(
        events.Raised, counts, messages, st.none() | seconds, st.none() | state_texts
    ),
    events.Invalid: st.builds(events.Invalid, counts, messages),
    events.Claimed: st.builds(events.Claimed, workers, entry_ids),
    events.Reported: st.builds(events.Reported, counts, state_texts),
    events.AttemptTimedOut: st.builds(events.AttemptTimedOut, counts, st.none() | state_texts),
    events.Crashed: st.builds(events.Crashed, counts, messages, st.booleans()),
    events.Interrupted: st.builds(events.Interrupted, counts, messages, st.none() | state_texts),
    events.AttemptCancelled: st.builds(events.AttemptCancelled, counts),
    events.CancelRequested: st.just(events.CancelRequested()),
    events.Overdue: st.just(events.Overdue()),
    events.Replayed: st.just(events.Replayed()),
    events.Queued: st.builds(events.Queued, entry_ids),
    events.PutAside: st.builds(events.PutAside, messages),
    events.WorkerDied: st.builds(
        events.WorkerDied,
        st.sampled_from(["w-1", "w-2"]),
        times,
        st.sampled_from([Cause.CRASH, Cause.OUT_OF_MEMORY, Cause.INTERRUPTED]),
        messages,
        st.booleans(),
    ),
}


def of_its_attempt(record: JobRecord, event: events.Event) -> events.Event:
    """Return the event as one of the attempt that runs, so that it is not only refused."""
    return replace(event, attempt=record.attempt) if hasattr(event, "attempt") else event


def read_back(record: JobRecord) -> JobRecord:
    """Store a record as JSON and read it again."""
    return read_record(jsontext.loads(jsontext.dumps(write_record(record))))


def test_every_kind_of_event_is_tried() -> None:
    assert set(any_events) == set(get_args(events.Event))


@given(records, st.one_of(*any_events.values()), nows, st.floats(0, 1), st.booleans())
def test_a_step_is_refused_or_makes_a_record_that_can_be_stored(
    record: JobRecord, event: events.Event, now: datetime, jitter: float, current: bool
) -> None:
    if current:
        event = of_its_attempt(record, event)

    try:
        made = life.step(record, event, now, jitter=jitter)
    except JobStateError:
        return  # also a StaleAttemptError

    assert read_back(made.record) == made.record
    if isinstance(made.action, events.Release | events.Put):
        assert 0 <= made.action.delay_seconds <= MAX_ENTRY_DELAY_SECONDS
        assert made.action.priority == record.priority
    assert 0 <= due.retention_seconds(made.record) <= MAX_RETENTION_SECONDS


@given(records)
def test_any_record_is_read_as_it_was_written(record: JobRecord) -> None:
    assert read_back(record) == record


@given(st.none() | times, nows)
def test_any_time_has_a_delay_that_beanstalkd_can_express(
    not_before_time: datetime | None, now: datetime
) -> None:
    assert 0 <= due.delay_until(not_before_time, now) <= MAX_ENTRY_DELAY_SECONDS
