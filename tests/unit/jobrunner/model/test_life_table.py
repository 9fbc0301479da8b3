"""Every state against every event: the table of the life of a job."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import asdict, replace

from zerog.ledger.codec import read_record, write_record
from zerog.model import due, events, life
from zerog.model.documents import TypeDocument
from zerog.model.errors import JobStateError, StaleAttemptError
from zerog.model.limits import MAX_PAST_MESSAGE_CHARS
from zerog.model.record import (
    MAX_ATTEMPTS_KEPT,
    Cause,
    Cost,
    JobRecord,
    Limits,
    State,
    WorkerIdentity,
    format_time,
    is_job_id,
    new_job_id,
    parse_time,
)

NOW = datetime(2026, 1, 1, tzinfo=UTC)
WORKER = WorkerIdentity("w-1", pod="p", node="n", image="i")
PRIORITY = 7
BACKOFF = 8.0


def job(**changes: Any) -> JobRecord:
    limits = Limits(max_errors=2, max_crashes=2, backoff_seconds=BACKOFF, timeout_seconds=30)
    record = JobRecord(new_job_id(), "Noop", "default", NOW, NOW, priority=PRIORITY, limits=limits)
    return replace(record, **changes)


def step(record: JobRecord, *happened: events.Event, jitter: float = 0.5) -> JobRecord:
    for event in happened:
        record = life.step(record, event, NOW, jitter=jitter).record
    return record


QUEUED = job()
RUNNING = step(QUEUED, events.Claimed(WORKER, 1))
CANCELLING = step(RUNNING, events.CancelRequested())
WAITING = step(RUNNING, events.Raised(1, "no", retry_seconds=0.0))
DELAYED = job(not_before_time=NOW + timedelta(seconds=90.2))
SUCCEEDED = step(RUNNING, events.Returned(1, data=1))
FAILED = step(RUNNING, events.Returned(1, code=500))
CANCELLED = step(QUEUED, events.CancelRequested())
OVERDUE = job(expires_time=NOW)
EXPIRED = step(OVERDUE, events.Overdue())
RECORDS = {
    "queued": QUEUED,
    "running": RUNNING,
    "cancelling": CANCELLING,
    "waiting": WAITING,
    "delayed": DELAYED,
    "succeeded": SUCCEEDED,
    "failed": FAILED,
    "cancelled": CANCELLED,
    "overdue": OVERDUE,
    "expired": EXPIRED,
}
STATE = {"cancelling": State.RUNNING, "delayed": State.QUEUED, "overdue": State.QUEUED}

EVENTS: dict[str, events.Event] = {
    "claimed": events.Claimed(WORKER, 2),
    "reported": events.Reported(1, '{"a":1}'),
    "returned": events.Returned(1, data={"x": 1}),
    "returned 302": events.Returned(1, code=302),
    "returned 404": events.Returned(1, code=404),
    "continued": events.Continued(1, 5, '{"b":2}'),
    "raised": events.Raised(1, "boom", state='{"b":2}'),
    "raised, soon": events.Raised(1, "boom", retry_seconds=0),
    "invalid": events.Invalid(1, "boom"),
    "timed out": events.AttemptTimedOut(1),
    "crashed": events.Crashed(1, "died"),
    "out of memory": events.Crashed(1, "died", out_of_memory=True),
    "interrupted": events.Interrupted(1, "drain"),
    "cancelled": events.AttemptCancelled(1),
    "cancel requested": events.CancelRequested(),
    "too late": events.Overdue(),
    "replayed": events.Replayed(),
    "entry noted": events.Queued(3),
    "put aside": events.PutAside("nobody knows its type"),
    "worker died": events.WorkerDied("w-1", NOW, Cause.INTERRUPTED, "evicted", True),
}
OF_NO_ATTEMPT = (
    "claimed", "cancel requested", "too late", "replayed", "entry noted", "put aside",
    "worker died",
)  # fmt: skip
STALE = "stale"
ENDS = {"succeeded": 200, "failed": 500, "cancelled": 410, "expired": 504}
REFUSED = "refused"
OF_AN_ATTEMPT = [name for name in EVENTS if name not in OF_NO_ATTEMPT]

#: record, event → state afterwards, action, resultCode; or why it is refused.
TABLE: dict[tuple[str, str], Any] = {
    ("queued", "claimed"): ("running", events.Keep(), -1),
    ("waiting", "claimed"): ("running", events.Keep(), -1),
    ("delayed", "claimed"): ("queued", events.Release(91, PRIORITY), -1),
    ("running", "claimed"): REFUSED,
    ("cancelling", "claimed"): REFUSED,
    ("succeeded", "claimed"): ("succeeded", events.Delete(), 200),
    ("failed", "claimed"): ("failed", events.Delete(), 500),
    ("cancelled", "claimed"): ("cancelled", events.Delete(), 410),
    ("overdue", "claimed"): ("expired", events.Delete(), 504),
    ("expired", "claimed"): ("expired", events.Delete(), 504),
    ("overdue", "too late"): ("expired", events.Delete(), 504),
    **{
        (name, "too late"): (str(STATE.get(name, name)), events.NoAction(), record.result_code)
        for name, record in RECORDS.items()
        if name != "overdue"
    },
    ("queued", "cancel requested"): ("cancelled", events.Delete(), 410),
    ("waiting", "cancel requested"): ("cancelled", events.Delete(), 410),
    ("delayed", "cancel requested"): ("cancelled", events.Delete(), 410),
    ("running", "cancel requested"): ("running", events.NoAction(), -1),
    ("cancelling", "cancel requested"): ("running", events.NoAction(), -1),
    ("succeeded", "cancel requested"): REFUSED,
    ("failed", "cancel requested"): REFUSED,
    ("cancelled", "cancel requested"): ("cancelled", events.NoAction(), 410),
    ("overdue", "cancel requested"): ("cancelled", events.Delete(), 410),
    ("expired", "cancel requested"): REFUSED,
    **{
        (name, "replayed"): REFUSED
        for name in ("queued", "waiting", "delayed", "running", "cancelling", "overdue")
    },
    **{
        (name, "replayed"): ("queued", events.Put(0, PRIORITY), -1)
        for name in ("succeeded", "failed", "cancelled", "expired")
    },
    **{
        (name, event): (str(STATE.get(name, name)), events.NoAction(), -1)
        for name in ("queued", "waiting", "delayed", "running", "cancelling", "overdue")
        for event in ("entry noted", "put aside", "worker died")
    },
    ("running", "worker died"): ("queued", events.NoAction(), -1),
    ("cancelling", "worker died"): ("cancelled", events.NoAction(), 410),
    **{
        (name, event): (name, action, code)
        for name, code in ENDS.items()
        for event, action in (
            # Its entry is one too many.
            ("entry noted", events.Delete()),
            ("put aside", events.NoAction()),
            ("worker died", events.NoAction()),
        )
    },
    **{
        (name, event): STALE
        for name in RECORDS
        if name not in ("running", "cancelling")
        for event in OF_AN_ATTEMPT
    },
    ("running", "reported"): ("running", events.NoAction(), -1),
    ("running", "returned"): ("succeeded", events.Delete(), 200),
    ("running", "returned 302"): ("succeeded", events.Delete(), 302),
    ("running", "returned 404"): ("failed", events.Delete(), 404),
    ("running", "continued"): ("waiting", events.Release(5, PRIORITY), -1),
    ("running", "raised"): ("waiting", events.Release(8, PRIORITY), -1),
    ("running", "raised, soon"): ("waiting", events.Release(0, PRIORITY), -1),
    ("running", "invalid"): ("failed", events.Delete(), 422),
    ("running", "timed out"): ("waiting", events.Release(8, PRIORITY), -1),
    ("running", "crashed"): ("waiting", events.Release(1, PRIORITY), -1),
    ("running", "out of memory"): ("waiting", events.Release(1, PRIORITY), -1),
    ("running", "interrupted"): ("queued", events.Release(0, PRIORITY), -1),
    ("running", "cancelled"): ("cancelled", events.Delete(), 410),
    ("cancelling", "reported"): ("running", events.NoAction(), -1),
    # It came to its end before it noticed: the result counts.
    ("cancelling", "returned"): ("succeeded", events.Delete(), 200),
    ("cancelling", "returned 302"): ("succeeded", events.Delete(), 302),
    ("cancelling", "returned 404"): ("failed", events.Delete(), 404),
    ("cancelling", "invalid"): ("failed", events.Delete(), 422),
    # What would run again does not.
    **{
        ("cancelling", event): ("cancelled", events.Delete(), 410)
        for event in ("continued", "raised", "raised, soon", "timed out", "crashed",
                      "out of memory", "interrupted", "cancelled")
    },
}  # fmt: skip


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("name", RECORDS)
def test_what_an_event_makes_of_a_record(name: str, event: str) -> None:
    record, expected = RECORDS[name], TABLE[(name, event)]
    if expected in (STALE, REFUSED):
        with pytest.raises(StaleAttemptError if expected == STALE else JobStateError):
            life.step(record, EVENTS[event], NOW)
        return

    after, action = (made := life.step(record, EVENTS[event], NOW)).record, made.action

    state, wanted, code = expected
    assert (str(after.state), action, after.result_code) == (state, wanted, code)
    assert after.priority == PRIORITY
    assert after.attempt >= record.attempt
    assert after.is_finished == (after.finished_time is not None)


def test_every_pair_is_in_the_table_and_records_are_what_they_are_called() -> None:
    assert set(TABLE) == {(name, event) for name in RECORDS for event in EVENTS}
    for name, record in RECORDS.items():
        assert record.state is STATE.get(name, State(name) if name not in STATE else None)


@pytest.mark.parametrize(
    ("event", "cause"),
    [
        ("returned", Cause.SUCCEEDED),
        ("returned 404", Cause.FINISHED),
        ("continued", Cause.CONTINUED),
        ("raised", Cause.ERROR),
        ("invalid", Cause.INVALID),
        ("timed out", Cause.TIMEOUT),
        ("crashed", Cause.CRASH),
        ("out of memory", Cause.OUT_OF_MEMORY),
        ("interrupted", Cause.INTERRUPTED),
        ("cancelled", Cause.CANCELLED),
    ],
)
def test_each_end_of_an_attempt_is_recorded_with_its_cause(event: str, cause: Cause) -> None:
    (attempt,) = step(RUNNING, EVENTS[event]).attempts

    assert (attempt.number, attempt.worker, attempt.cause) == (1, WORKER, cause)
    assert attempt.ended_time == NOW


@pytest.mark.parametrize(
    ("happened", "state", "code"),
    [
        ([events.Raised(1, "a"), events.Raised(2, "b")], State.FAILED, 500),
        ([events.Raised(1, "a"), events.AttemptTimedOut(2)], State.FAILED, 408),
        ([events.Crashed(1, "a"), events.Crashed(2, "b")], State.FAILED, 500),
        ([events.Raised(1, "a"), events.Crashed(2, "b")], State.WAITING, -1),
        ([events.Interrupted(n, "x") for n in range(1, 9)], State.QUEUED, -1),
        ([events.Continued(n) for n in range(1, 9)], State.WAITING, -1),
    ],
)
def test_budgets_are_kept(happened: list[events.Event], state: State, code: int) -> None:
    record = replace(QUEUED)
    for event in happened:
        record = replace(record, not_before_time=None)
        record = step(record, events.Claimed(WORKER, 1), event)

    assert (record.state, record.result_code) == (state, code)


TOO_LARGE = events.Crashed(1, "no memory", out_of_memory=True, larger_queue="large")


def test_a_job_that_ran_out_of_memory_moves_to_the_larger_queue_with_a_fresh_budget() -> None:
    running = step(job(crashes=2), events.Claimed(WORKER, 1))

    moved = life.step(running, TOO_LARGE, NOW)

    assert moved.action == events.Delete()
    assert (moved.record.state, moved.record.queue) == (State.QUEUED, "large")
    assert (moved.record.moved_from, moved.record.crashes) == ("default", 0)
    assert moved.record.entry_id is None
    assert moved.record.attempts[-1].cause is Cause.OUT_OF_MEMORY
    assert moved.record.message == "no memory; moved from the queue default to large"


@pytest.mark.parametrize(
    ("record", "larger_queue"),
    [
        (RUNNING, None),
        (RUNNING, RUNNING.queue),
        (replace(RUNNING, queue="large", moved_from="default"), "larger still"),
        (replace(RUNNING, queue="large", moved_from="default"), "default"),
    ],
)
def test_a_job_moves_once_and_never_back(record: JobRecord, larger_queue: str | None) -> None:
    after = step(record, replace(TOO_LARGE, larger_queue=larger_queue))

    assert (after.state, after.queue, after.crashes) == (State.WAITING, record.queue, 1)


def test_a_claim_by_a_worker_of_the_queue_that_the_job_has_left_is_refused() -> None:
    moved = step(RUNNING, TOO_LARGE)

    with pytest.raises(JobStateError, match="moved to the queue large"):
        step(moved, events.Claimed(WORKER, 1, "default"))
    assert step(moved, events.Claimed(WORKER, 1, "large")).state is State.RUNNING


def test_a_crash_for_another_reason_moves_nothing() -> None:
    assert step(RUNNING, replace(TOO_LARGE, out_of_memory=False)).queue == RUNNING.queue


def test_a_job_that_shall_be_cancelled_is_not_moved() -> None:
    assert step(CANCELLING, TOO_LARGE).state is State.CANCELLED


def test_a_cancel_outlives_the_last_error_and_the_last_crash() -> None:
    for first, last in (
        (events.Raised(1, "a"), events.Raised(2, "b")),
        (events.Crashed(1, "a"), events.Crashed(2, "b")),
    ):
        again = replace(step(RUNNING, first), not_before_time=None)
        ended = step(again, events.Claimed(WORKER, 1), events.CancelRequested(), last)

        assert ended.state is State.CANCELLED


def test_a_replay_begins_with_fresh_budgets_and_keeps_the_attempts() -> None:
    again = step(step(RUNNING, events.Raised(1, "a")), events.CancelRequested(), events.Replayed())

    assert (again.errors, again.crashes, again.replays) == (0, 0, 1)
    assert again.cancel_requested_time is None
    assert step(again, events.Claimed(WORKER, 9)).attempt == 2


def test_a_cancelled_job_whose_entry_comes_back_is_not_started() -> None:
    asked = replace(QUEUED, cancel_requested_time=NOW)

    made = life.step(asked, events.Claimed(WORKER, 1), NOW)

    assert (made.record.state, made.action) == (State.CANCELLED, events.Delete())


def test_an_entry_is_noted_for_a_job_that_waits_for_one() -> None:
    noted = step(QUEUED, events.Queued(3))

    assert (noted.entry_id, noted.changed_time) == (3, QUEUED.changed_time)
    assert step(noted, events.Queued(3)) is noted
    assert step(RUNNING, events.Queued(3)) is RUNNING


def test_a_noted_entry_is_replaced_only_by_the_one_that_was_put_in_its_place() -> None:
    noted = step(QUEUED, events.Queued(3))

    assert step(noted, events.Queued(4)) is noted
    assert step(noted, events.Queued(4, instead_of=3)).entry_id == 4
    assert step(noted, events.Queued(4, instead_of=2)) is noted


def test_a_job_that_was_put_aside_says_why_until_it_runs() -> None:
    aside = step(WAITING, events.PutAside("nobody knows its type"))

    assert (aside.message, aside.changed_time) == ("nobody knows its type", WAITING.changed_time)
    assert step(aside, events.PutAside("nobody knows its type")) is aside
    assert step(aside, events.Claimed(WORKER, 2)).message is None


@pytest.mark.parametrize("crashes", [1, 2, 3])
def test_a_crash_pauses_longer_each_time(crashes: int) -> None:
    record = replace(RUNNING, crashes=crashes - 1, limits=Limits(max_crashes=9))

    made = life.step(record, events.Crashed(1, "died"), NOW)

    assert made.action == events.Release(2 ** (crashes - 1), PRIORITY)
    assert made.record.not_before_time == NOW + timedelta(seconds=2 ** (crashes - 1))


@pytest.mark.parametrize(
    ("errors", "jitter", "seconds"),
    [(1, 0.5, 5.0), (2, 0.5, 10.0), (1, 0.0, 3.75), (1, 1.0, 6.25), (99, 0.5, 600.0)],
)
def test_back_off_doubles_is_spread_and_bounded(errors: int, jitter: float, seconds: float) -> None:
    assert due.error_pause(Limits(), errors, jitter) == seconds


def test_what_was_accepted_takes_the_types_limits_and_the_callers_options() -> None:
    job_type = TypeDocument(
        "N", "q", {}, priority=4, max_errors=1, max_crashes=2, backoff_seconds=3.0,
        backoff_max_seconds=4.0, timeout_seconds=7.0, retain_ok_seconds=5.0,
        retain_failed_seconds=6.0,
    )  # fmt: skip

    plain = life.accept(uuid=new_job_id(), job_type=job_type, parameters={}, now=NOW)
    asked = life.accept(
        uuid=new_job_id(), job_type=job_type, parameters={}, now=NOW, priority=0,
        timeout_seconds=1.5, not_before_time=NOW,
    )  # fmt: skip

    assert (plain.priority, plain.limits.timeout_seconds) == (4, 7.0)
    assert (asked.priority, asked.limits.timeout_seconds) == (0, 1.5)
    assert due.retention_seconds(replace(plain, state=State.SUCCEEDED)) == 5.0
    assert due.retention_seconds(replace(plain, state=State.FAILED)) == 6.0


def test_an_attempt_keeps_what_it_cost() -> None:
    cost = Cost(cpu_seconds=1.5, peak_bytes=1024)
    record = step(QUEUED, events.Claimed(WORKER, 1), events.Interrupted(1, "x"))
    record = step(record, events.Claimed(WORKER, 2), events.Returned(2, cost=cost))

    costs = [(attempt.cpu_seconds, attempt.peak_bytes) for attempt in record.attempts]
    assert costs == [(None, None), (1.5, 1024)]


def test_the_last_attempts_are_kept_and_their_numbers_go_on() -> None:
    record = QUEUED
    for number in range(1, MAX_ATTEMPTS_KEPT + 6):
        record = step(record, events.Claimed(WORKER, 1), events.Interrupted(number, "x"))

    assert len(record.attempts) == MAX_ATTEMPTS_KEPT
    assert record.attempts[-1].number == MAX_ATTEMPTS_KEPT + 5


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_is_read_as_it_was_written(name: str) -> None:
    assert read_record(write_record(RECORDS[name])) == RECORDS[name]


def test_times_are_written_in_utc_and_read_with_any_offset() -> None:
    assert format_time(parse_time("2026-01-01T02:00:00+02:00")) == "2026-01-01T00:00:00.000000Z"
    east = datetime.fromisoformat("2026-01-01T02:00:00.5+02:00")
    assert format_time(east) == "2026-01-01T00:00:00.500000Z"
    with pytest.raises(ValueError, match="no time zone"):
        parse_time("2026-01-01T00:00:00")


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_beyond_the_calendar_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match="not a time in UTC"):
        parse_time(text)


def test_an_id_is_a_uuid_in_its_one_spelling() -> None:
    good = new_job_id()

    assert is_job_id(good)
    for bad in ("", "x" * 36, good.upper(), good[:-1], "{" + good[1:]):
        assert not is_job_id(bad)


def test_the_message_of_a_past_attempt_is_cut_and_the_last_one_is_whole() -> None:
    message = "x" * (MAX_PAST_MESSAGE_CHARS + 1)
    failed = step(RUNNING, events.Raised(1, message, retry_seconds=0.0))
    assert failed.attempts[0].message == message

    again = step(failed, events.Claimed(WORKER, 2))
    assert again.attempts[0].message == "x" * (MAX_PAST_MESSAGE_CHARS - 1) + "…"


def test_a_job_gets_every_limit_of_its_type() -> None:
    numbers: dict[str, Any] = {
        name: number for number, name in enumerate(Limits.__struct_fields__, 1)
    }
    job_type = TypeDocument("Noop", "default", {}, **numbers)

    accepted = life.accept(uuid=new_job_id(), job_type=job_type, parameters={}, now=NOW)

    assert asdict(accepted.limits) == numbers


def test_a_job_that_has_started_expires_no_more() -> None:
    in_time = job(expires_time=NOW + timedelta(seconds=1))

    started = step(in_time, events.Claimed(WORKER, 1))
    later = life.step(
        step(started, events.Interrupted(1, "drain")), events.Overdue(), NOW + timedelta(days=1)
    )

    assert started.state is State.RUNNING
    assert later.record.state is State.QUEUED


def test_a_replay_of_an_expired_job_has_all_the_time() -> None:
    again = life.step(EXPIRED, events.Replayed(), NOW + timedelta(days=1)).record

    assert (again.state, again.expires_time) == (State.QUEUED, None)


def test_a_finished_job_says_by_which_cause_its_last_attempt_ended() -> None:
    assert (SUCCEEDED.cause, FAILED.cause, EXPIRED.cause) == (Cause.SUCCEEDED, Cause.FINISHED, None)
    assert WAITING.cause is None
    assert step(WAITING, events.CancelRequested()).cause is Cause.ERROR
    assert step(FAILED, events.Replayed()).cause is None


def test_a_job_has_its_types_labels_and_its_own() -> None:
    mail = TypeDocument("Mail", "mail", {}, labels=["region=eu", "team=a"])

    made = life.accept(
        uuid=QUEUED.uuid, job_type=mail, parameters={}, now=NOW, labels={"team": "b", "run": "7"}
    )

    assert made.labels == ("region=eu", "run=7", "team=b")
