"""The life of a job: the one place where states change.

`step(record, event, now)` is pure. It returns the next record and what to do with the
queue entry; the caller stores the record by compare-and-swap *first* and acts on the
entry afterwards, so that a crash between the two leaves an entry too many, which is
harmless, and never one too few.

What always holds, and is tested: only a replay makes a finished job unfinished;
attempts only grow; an event of an attempt that is not the current one is refused;
budgets are kept; priority never changes.

    queued ──Claimed──▶ running ──Returned──▶ succeeded | failed | waiting (continue)
      ▲                   │  ├────Raised, TimedOut──▶ waiting (retry) | failed
      ├──Interrupted──────┤  └────Cancelled──▶ cancelled
      └──Crashed──────────┘──▶ failed, when the crash budget is used up
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, assert_never

from zerog.model.errors import JobStateError, StaleAttemptError
from zerog.model.record import (
    MAX_ATTEMPTS_KEPT,
    UNFINISHED,
    Attempt,
    Cause,
    JobId,
    JobRecord,
    Limits,
    State,
    WorkerIdentity,
    revised,
)

OK, REDIRECT_LIMIT = 200, 400
TIMEOUT_CODE, CANCELLED_CODE, INVALID_CODE, ERROR_CODE = 408, 410, 422, 500
#: Each back-off is spread by this share to both sides, so that retries do not arrive in step.
JITTER = 0.25


# What happens to a job.


@dataclass(frozen=True, slots=True)
class Claimed:
    """A worker holds the job's queue entry and wants to run it."""

    worker: WorkerIdentity
    entry_id: int


@dataclass(frozen=True, slots=True)
class Reported:
    """The attempt saved its state on the way."""

    attempt: int
    job_state: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Returned:
    """`run` came to its end: a result, a `Finish` signal, or a wish to go on."""

    attempt: int
    code: int = OK
    data: Any = None
    #: The data is in the output blob of this attempt, and `data` is None.
    in_blob: bool = False
    message: str | None = None
    #: Not None: the job wants to run again after so many seconds.
    continue_seconds: float | None = None
    job_state: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Raised:
    """`run` raised an exception, or asked for a retry after `retry_seconds`."""

    attempt: int
    message: str
    retry_seconds: float | None = None
    job_state: dict[str, Any] | None = None
    #: The parameters do not fit the job class: no retry can help.
    invalid: bool = False


@dataclass(frozen=True, slots=True)
class TimedOut:
    """The attempt ran longer than the job may."""

    attempt: int
    job_state: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Crashed:
    """The child or the whole worker died under the job."""

    attempt: int
    message: str
    out_of_memory: bool = False


@dataclass(frozen=True, slots=True)
class Interrupted:
    """The worker had to stop: the attempt costs the job nothing."""

    attempt: int
    message: str
    job_state: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The running attempt was ended because a cancel was requested."""

    attempt: int


@dataclass(frozen=True, slots=True)
class CancelRequested:
    """Somebody wants the job to end."""


@dataclass(frozen=True, slots=True)
class Replayed:
    """Somebody wants a finished job to run again, with fresh budgets."""


Event = (
    Claimed
    | Reported
    | Returned
    | Raised
    | TimedOut
    | Crashed
    | Interrupted
    | Cancelled
    | CancelRequested
    | Replayed
)


# What to do with the queue entry.


@dataclass(frozen=True, slots=True)
class NoAction:
    """Leave the queue as it is."""


@dataclass(frozen=True, slots=True)
class Run:
    """Keep the reservation and run the job."""


@dataclass(frozen=True, slots=True)
class Delete:
    """Delete the entry."""


@dataclass(frozen=True, slots=True)
class Release:
    """Give the entry back, with the job's priority."""

    delay_seconds: int
    priority: int


@dataclass(frozen=True, slots=True)
class Put:
    """Put a new entry."""

    delay_seconds: int
    priority: int


Action = NoAction | Run | Delete | Release | Put


#: Fields of a record and their new values: the copy is made once, at the end.
Changes = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Step:
    """The next record, and what to do with the queue entry once it is stored."""

    record: JobRecord
    action: Action


def accept(
    *,
    uuid: JobId,
    type_document: Mapping[str, Any],
    parameters: dict[str, Any],
    now: datetime,
    priority: int | None = None,
    timeout_seconds: float | None = None,
    not_before_time: datetime | None = None,
) -> JobRecord:
    """Make the record of a new job from its registered type; the options override the type's."""
    limits = Limits(
        max_errors=type_document["maxErrors"],
        max_crashes=type_document["maxCrashes"],
        backoff_seconds=type_document["backoffSeconds"],
        backoff_max_seconds=type_document["backoffMaxSeconds"],
        timeout_seconds=timeout_seconds or type_document.get("timeoutSeconds"),
        retain_ok_seconds=type_document["retainOkSeconds"],
        retain_failed_seconds=type_document["retainFailedSeconds"],
    )
    return JobRecord(
        uuid=uuid,
        type=type_document["name"],
        queue=type_document["queue"],
        created_time=now,
        changed_time=now,
        priority=type_document["priority"] if priority is None else priority,
        limits=limits,
        parameters=parameters,
        not_before_time=not_before_time,
    )


def delay_until(not_before_time: datetime | None, now: datetime) -> int:
    """Whole seconds, rounded up, until a job may start: what a queue entry is delayed by."""
    if not_before_time is None or not_before_time <= now:
        return 0
    return math.ceil((not_before_time - now).total_seconds())


def retention_seconds(record: JobRecord) -> float:
    """How long a finished job is kept."""
    limits = record.limits
    ok = record.state is State.SUCCEEDED
    return limits.retain_ok_seconds if ok else limits.retain_failed_seconds


def backoff_seconds(limits: Limits, errors: int, jitter: float) -> float:
    """Delay before the retry that follows the given number of errors; `jitter` is in 0..1."""
    # The exponent is bounded: 2.0**1100 would overflow long after the maximum was reached.
    full = min(limits.backoff_max_seconds, limits.backoff_seconds * 2.0 ** min(errors - 1, 60))
    return full * (1 - JITTER + 2 * JITTER * jitter)


def step(record: JobRecord, event: Event, now: datetime, *, jitter: float = 0.5) -> Step:
    """Return what an event makes of a job.

    Raises:
        StaleAttemptError: The event is of an attempt that is not the current one.
        JobStateError: The job's state does not allow the event.
    """
    match event:
        case Claimed():
            return _claim(record, event, now)
        case CancelRequested():
            return _request_cancel(record, now)
        case Replayed():
            return _replay(record, now)
    if record.state is not State.RUNNING or event.attempt != record.attempt:
        raise StaleAttemptError(
            f"attempt {event.attempt} of job {record.uuid} is over: the job is {record.state}, "
            f"attempt {record.attempt}"
        )
    return _step_of_attempt(record, event, now, jitter)


def _step_of_attempt(
    record: JobRecord,
    event: Reported | Returned | Raised | TimedOut | Crashed | Interrupted | Cancelled,
    now: datetime,
    jitter: float,
) -> Step:
    match event:
        case Reported():
            return Step(revised(record, now, job_state=event.job_state), NoAction())
        case Returned():
            return _return(record, event, now)
        case Raised():
            return _raise(record, event, now, jitter)
        case TimedOut():
            message = f"ran longer than its timeout of {record.limits.timeout_seconds:g} s"
            ended = _end_attempt(record, now, Cause.TIMEOUT, message, event.job_state)
            return _count_error(record, now, (TIMEOUT_CODE, message), None, jitter, ended)
        case Crashed():
            return _crash(record, event, now)
        case Interrupted():
            ended = _end_attempt(record, now, Cause.INTERRUPTED, event.message, event.job_state)
            return _again(record, now, State.QUEUED, 0.0, event.message, ended)
        case Cancelled():
            ended = _end_attempt(record, now, Cause.CANCELLED, None, None)
            return _cancel(record, now, Delete(), ended)
        case _:
            assert_never(event)


def _claim(record: JobRecord, event: Claimed, now: datetime) -> Step:
    if record.is_finished:
        return Step(record, Delete())
    if record.state is State.RUNNING:
        raise JobStateError(f"job {record.uuid} is running: end attempt {record.attempt} first")
    if record.cancel_requested_time is not None:
        return _cancel(record, now, Delete())
    delay = delay_until(record.not_before_time, now)
    if delay:
        return Step(record, Release(delay, record.priority))
    number = record.attempt + 1
    attempts = (*record.attempts, Attempt(number, event.worker, now))[-MAX_ATTEMPTS_KEPT:]
    claimed = revised(
        record,
        now,
        state=State.RUNNING,
        attempt=number,
        attempts=attempts,
        entry_id=event.entry_id,
        started_time=record.started_time or now,
        not_before_time=None,
        message=None,
    )
    return Step(claimed, Run())


def _return(record: JobRecord, event: Returned, now: datetime) -> Step:
    if event.continue_seconds is not None:
        ended = _end_attempt(record, now, Cause.CONTINUED, event.message, event.job_state)
        ended["continuations"] = record.continuations + 1
        return _again(record, now, State.WAITING, event.continue_seconds, event.message, ended)
    # A job cannot call itself unfinished.
    code = ERROR_CODE if event.code == UNFINISHED else event.code
    good = OK <= code < REDIRECT_LIMIT
    ended = _end_attempt(record, now, Cause.SUCCEEDED if good else Cause.FINISHED, event.message)
    ended["data"] = event.data
    ended["output_blob_attempt"] = record.attempt if event.in_blob else None
    state = State.SUCCEEDED if good else State.FAILED
    return Step(_finish(record, now, state, code, event.message, ended), Delete())


def _raise(record: JobRecord, event: Raised, now: datetime, jitter: float) -> Step:
    cause = Cause.INVALID if event.invalid else Cause.ERROR
    ended = _end_attempt(record, now, cause, event.message, event.job_state)
    if event.invalid:
        failed = _finish(record, now, State.FAILED, INVALID_CODE, event.message, ended)
        return Step(failed, Delete())
    return _count_error(
        record, now, (ERROR_CODE, event.message), event.retry_seconds, jitter, ended
    )


def _count_error(
    record: JobRecord,
    now: datetime,
    last: tuple[int, str],
    retry_seconds: float | None,
    jitter: float,
    ended: Changes,
) -> Step:
    """Retry, or fail with the code and message of the `last` error."""
    code, message = last
    errors = ended["errors"] = record.errors + 1
    if errors >= record.limits.max_errors and record.cancel_requested_time is None:
        return Step(_finish(record, now, State.FAILED, code, message, ended), Delete())
    if retry_seconds is None:
        retry_seconds = backoff_seconds(record.limits, errors, jitter)
    return _again(record, now, State.WAITING, retry_seconds, message, ended)


def _crash(record: JobRecord, event: Crashed, now: datetime) -> Step:
    cause = Cause.OUT_OF_MEMORY if event.out_of_memory else Cause.CRASH
    ended = _end_attempt(record, now, cause, event.message)
    crashes = ended["crashes"] = record.crashes + 1
    if crashes >= record.limits.max_crashes and record.cancel_requested_time is None:
        failed = _finish(record, now, State.FAILED, ERROR_CODE, event.message, ended)
        return Step(failed, Delete())
    return _again(record, now, State.QUEUED, 0.0, event.message, ended)


def _again(
    record: JobRecord,
    now: datetime,
    state: State,
    delay_seconds: float,
    message: str | None,
    ended: Changes,
) -> Step:
    """Put a job back, unless somebody has asked for its end in the meantime."""
    if record.cancel_requested_time is not None:
        return _cancel(record, now, Delete(), ended)
    not_before = now + timedelta(seconds=delay_seconds) if delay_seconds > 0 else None
    again = revised(record, now, state=state, not_before_time=not_before, message=message, **ended)
    return Step(again, Release(delay_until(not_before, now), record.priority))


def _request_cancel(record: JobRecord, now: datetime) -> Step:
    if record.state is State.CANCELLED or (
        record.state is State.RUNNING and record.cancel_requested_time is not None
    ):
        return Step(record, NoAction())
    if record.is_finished:
        raise JobStateError(f"job {record.uuid} has {record.state} already")
    requested = revised(record, now, cancel_requested_time=now)
    if record.state is State.RUNNING:
        return Step(requested, NoAction())
    # The queue entry stays: its id may be out of date, and a finished job's entry is dropped
    # anyway.
    return _cancel(requested, now, NoAction())


def _cancel(record: JobRecord, now: datetime, action: Action, ended: Changes | None = None) -> Step:
    cancelled = _finish(record, now, State.CANCELLED, CANCELLED_CODE, "cancelled", ended)
    return Step(cancelled, action)


def _replay(record: JobRecord, now: datetime) -> Step:
    if not record.is_finished:
        raise JobStateError(f"job {record.uuid} is {record.state}: only a finished job is replayed")
    fresh = revised(
        record,
        now,
        state=State.QUEUED,
        result_code=UNFINISHED,
        message=None,
        data=None,
        output_blob_attempt=None,
        job_state=None,
        not_before_time=None,
        finished_time=None,
        cancel_requested_time=None,
        errors=0,
        crashes=0,
        continuations=0,
        replays=record.replays + 1,
        entry_id=None,
    )
    return Step(fresh, Put(0, record.priority))


def _end_attempt(
    record: JobRecord,
    now: datetime,
    cause: Cause,
    message: str | None,
    job_state: dict[str, Any] | None = None,
) -> Changes:
    """Return what the end of its attempt changes in the record."""
    ended = replace(record.attempts[-1], ended_time=now, cause=cause, message=message)
    changes: Changes = {"attempts": (*record.attempts[:-1], ended)}
    if job_state is not None:
        changes["job_state"] = job_state
    return changes


def _finish(
    record: JobRecord,
    now: datetime,
    state: State,
    code: int,
    message: str | None,
    ended: Changes | None = None,
) -> JobRecord:
    return revised(
        record,
        now,
        state=state,
        result_code=code,
        message=message,
        finished_time=now,
        not_before_time=None,
        **(ended or {}),
    )
