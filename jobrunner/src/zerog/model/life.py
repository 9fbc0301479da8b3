"""The life of a job: the one place where states change.

`step(record, event, now)` is pure. It returns the next record and what to do with the
queue entry; the ledger stores the record by compare-and-swap *first* and acts on the
entry afterwards, so that a crash between the two leaves an entry too many, which is
harmless, and never one too few.

What always holds, and is tested: only a replay makes a finished job unfinished;
attempts only grow; an event of an attempt that is not the current one is refused;
budgets are kept; priority never changes; no number in an event or a record raises.

    queued ──Claimed──▶ running ──Returned──▶ succeeded | failed
      ▲                   │  ├────Continued, Raised, AttemptTimedOut, Crashed──▶ waiting | failed
      └──Interrupted──────┘  └────AttemptCancelled──▶ cancelled
    queued ──Overdue──▶ expired, if it has never run
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, assert_never

from msgspec import Struct
from msgspec.structs import replace

from zerog.model.documents import TypeDocument
from zerog.model.due import (
    CRASH_BACKOFF,
    delay_until,
    error_pause,
    is_overdue,
    waited_seconds,
)
from zerog.model.errors import JobStateError, StaleAttemptError
from zerog.model.events import (
    OK,
    Action,
    AttemptCancelled,
    AttemptEvent,
    AttemptTimedOut,
    CancelRequested,
    Claimed,
    Continued,
    Crashed,
    Delete,
    Event,
    Interrupted,
    Invalid,
    Keep,
    NoAction,
    Overdue,
    Put,
    PutAside,
    Queued,
    Raised,
    Release,
    Replayed,
    Reported,
    Returned,
    WorkerDied,
)
from zerog.model.labels import label_map, label_texts
from zerog.model.limits import MAX_PAST_MESSAGE_CHARS, bounded, one_line
from zerog.model.origin import NOWHERE, Origin
from zerog.model.record import (
    MAX_ATTEMPTS_KEPT,
    UNFINISHED,
    Attempt,
    Cause,
    Cost,
    JobId,
    JobRecord,
    JobState,
    Limits,
    State,
    format_time,
)

REDIRECT_LIMIT = 400
TIMEOUT_CODE, CANCELLED_CODE, INVALID_CODE, ERROR_CODE = 408, 410, 422, 500
#: Nobody began the job in time.
EXPIRED_CODE = 504

#: Who ends an attempt whose worker's death the cluster has reported.
BY_OPERATOR = "operator"

#: Fields of a record and their new values: the copy is made once, at the end.
Changes = dict[str, Any]


class Step(Struct, frozen=True):
    """The next record, and what to do with the queue entry once it is stored."""

    record: JobRecord
    action: Action


def accept(
    *,
    uuid: JobId,
    job_type: TypeDocument,
    parameters: dict[str, Any],
    now: datetime,
    priority: int | None = None,
    timeout_seconds: float | None = None,
    not_before_time: datetime | None = None,
    origin: Origin = NOWHERE,
    expires_time: datetime | None = None,
    labels: Mapping[str, str] | None = None,
    idempotency_key: str | None = None,
) -> JobRecord:
    """Make the record of a new job from its registered type; the options override the type's."""
    limits = Limits(
        max_errors=job_type.max_errors,
        max_crashes=job_type.max_crashes,
        backoff_seconds=job_type.backoff_seconds,
        backoff_max_seconds=job_type.backoff_max_seconds,
        timeout_seconds=timeout_seconds or job_type.timeout_seconds,
        retain_ok_seconds=job_type.retain_ok_seconds,
        retain_failed_seconds=job_type.retain_failed_seconds,
    )
    return JobRecord(
        uuid=uuid,
        type=job_type.name,
        queue=job_type.queue,
        created_time=now,
        changed_time=now,
        schema_hash=job_type.schema_hash,
        priority=job_type.priority if priority is None else priority,
        limits=limits,
        parameters=parameters,
        not_before_time=not_before_time,
        idempotency_key=idempotency_key,
        request_id=origin.request_id,
        trace_parent=origin.trace_parent,
        own_trace=origin.own_trace,
        expires_time=expires_time,
        labels=_labels(job_type.labels, labels) if job_type.labels or labels else (),
    )


def _labels(of_type: Sequence[str], given: Mapping[str, str] | None) -> tuple[str, ...]:
    return label_texts({**label_map(of_type), **(given or {})})


def step(record: JobRecord, event: Event, now: datetime, *, jitter: float = 0.5) -> Step:
    """Return what an event makes of a job. The record is the same object if nothing changes.

    Raises:
        StaleAttemptError: The event is of an attempt that is not the current one.
        JobStateError: The job's state does not allow the event.
    """
    match event:
        case Claimed():
            return _claim(record, event, now)
        case CancelRequested():
            return _request_cancel(record, now)
        case Overdue():
            return _expire(record, now) if is_overdue(record, now) else Step(record, NoAction())
        case Replayed():
            return _replay(record, now)
        case Queued():
            return _queue(record, event)
        case PutAside():
            return _put_aside(record, event)
        case WorkerDied():
            return _explain(record, event, now)
    if record.state is not State.RUNNING or event.attempt != record.attempt:
        raise StaleAttemptError(
            f"attempt {event.attempt} of job {record.uuid} is over: the job is {record.state}, "
            f"attempt {record.attempt}"
        )
    return _step_of_attempt(_with_cost(record, event.cost), event, now, jitter)


def _with_cost(record: JobRecord, cost: Cost | None) -> JobRecord:
    if cost is None:
        return record
    *past, last = record.attempts
    last = replace(last, cpu_seconds=cost.cpu_seconds, peak_bytes=cost.peak_bytes)
    return replace(record, attempts=(*past, last))


def _step_of_attempt(record: JobRecord, event: AttemptEvent, now: datetime, jitter: float) -> Step:
    match event:
        case Reported():
            return Step(_revised(record, now, job_state=event.state), NoAction())
        case Returned():
            return _return(record, event, now)
        case Continued():
            ended = _end_attempt(record, now, Cause.CONTINUED, None, event.state)
            ended["continuations"] = record.continuations + 1
            return _again(record, now, event.delay_seconds, None, ended)
        case Raised():
            ended = _end_attempt(record, now, Cause.ERROR, event.message, event.state)
            return _count_error(
                record, now, (ERROR_CODE, event.message), event.retry_seconds, jitter, ended
            )
        case Invalid():
            ended = _end_attempt(record, now, Cause.INVALID, event.message)
            failed = _finish(record, now, State.FAILED, INVALID_CODE, event.message, ended)
            return Step(failed, Delete())
        case AttemptTimedOut():
            message = f"ran longer than its timeout of {record.limits.timeout_seconds or 0:g} s"
            ended = _end_attempt(record, now, Cause.TIMEOUT, message, event.state)
            return _count_error(record, now, (TIMEOUT_CODE, message), None, jitter, ended)
        case Crashed():
            return _crash(record, event, now, jitter)
        case Interrupted():
            ended = _end_attempt(
                record, now, Cause.INTERRUPTED, event.message, event.state, event.by
            )
            return _again(record, now, 0.0, event.message, ended, state=State.QUEUED)
        case AttemptCancelled():
            ended = _end_attempt(record, now, Cause.CANCELLED, None)
            return _cancel(record, now, ended)
        case _:
            assert_never(event)


def _claim(record: JobRecord, event: Claimed, now: datetime) -> Step:
    if record.is_finished:
        return Step(record, Delete())
    if record.state is State.RUNNING:
        raise JobStateError(f"job {record.uuid} is running: end attempt {record.attempt} first")
    if event.queue not in (None, record.queue):
        raise JobStateError(f"job {record.uuid} has moved to the queue {record.queue}")
    if record.cancel_requested_time is not None:
        return _cancel(record, now)
    if is_overdue(record, now):
        return _expire(record, now)
    delay = delay_until(record.not_before_time, now)
    if delay:
        return Step(record, Release(delay, record.priority))
    number = record.attempt + 1
    past = map(_shortened, record.attempts)
    waited = round(waited_seconds(record, now), 3)
    begun = Attempt(number, event.worker, now, waited_seconds=waited)
    attempts = (*past, begun)[-MAX_ATTEMPTS_KEPT:]
    claimed = _revised(
        record,
        now,
        state=State.RUNNING,
        attempt=number,
        attempts=attempts,
        entry_id=event.entry_id,
        started_time=record.started_time or now,
        not_before_time=None,
        expires_time=None,
        message=None,
    )
    return Step(claimed, Keep())


def _expire(record: JobRecord, now: datetime) -> Step:
    assert record.expires_time is not None
    message = f"no worker had started it by {format_time(record.expires_time)[:19]}Z"
    return Step(_finish(record, now, State.EXPIRED, EXPIRED_CODE, message), Delete())


def _shortened(attempt: Attempt) -> Attempt:
    """Cut the message of an attempt that is no longer the last one: a record lists many."""
    message = attempt.message
    if message is None or len(message) <= MAX_PAST_MESSAGE_CHARS:
        return attempt
    return replace(attempt, message=f"{message[: MAX_PAST_MESSAGE_CHARS - 1]}…")


def _queue(record: JobRecord, event: Queued) -> Step:
    """Note the entry, unless the job has one that it was not put in place of. A finished job needs
    none."""
    if record.is_finished:
        return Step(record, Delete())
    if record.entry_id not in (None, event.instead_of) or record.entry_id == event.entry_id:
        return Step(record, NoAction())
    # The job itself has not changed: its time stays.
    return Step(replace(record, entry_id=event.entry_id), NoAction())


def _put_aside(record: JobRecord, event: PutAside) -> Step:
    message = one_line(event.message)
    if record.state not in (State.QUEUED, State.WAITING) or record.message == message:
        return Step(record, NoAction())
    # The job itself has not changed: its time stays.
    return Step(replace(record, message=message), NoAction())


def _return(record: JobRecord, event: Returned, now: datetime) -> Step:
    good = OK <= event.code < REDIRECT_LIMIT
    ended = _end_attempt(record, now, Cause.SUCCEEDED if good else Cause.FINISHED, event.message)
    ended["data"] = event.data
    ended["output_blob_attempt"] = None
    state = State.SUCCEEDED if good else State.FAILED
    return Step(_finish(record, now, state, event.code, event.message, ended), Delete())


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
        retry_seconds = error_pause(record.limits, errors, jitter)
    return _again(record, now, retry_seconds, message, ended)


def _crash(record: JobRecord, event: Crashed, now: datetime, jitter: float) -> Step:
    cause = Cause.OUT_OF_MEMORY if event.out_of_memory else Cause.CRASH
    ended = _end_attempt(record, now, cause, event.message, by=event.by)
    if event.out_of_memory and record.cancel_requested_time is None:
        move = _move(record, event.larger_queue, event.message, ended["attempts"])
        if move:
            return Step(_revised(record, now, **{**ended, **move}), Delete())
    crashes = ended["crashes"] = record.crashes + 1
    if crashes >= record.limits.max_crashes and record.cancel_requested_time is None:
        failed = _finish(record, now, State.FAILED, ERROR_CODE, event.message, ended)
        return Step(failed, Delete())
    return _again(record, now, CRASH_BACKOFF.pause(crashes, jitter), event.message, ended)


def _move(
    record: JobRecord, larger_queue: str | None, message: str, attempts: Sequence[Attempt]
) -> Changes:
    """Return what moves a job to a queue with more memory; nothing if it may not move.

    It has no entry then: the one in its old queue is deleted, and repair puts one into its new
    queue. Its crashes are counted anew there.
    """
    if larger_queue in (None, record.queue) or record.moved_from is not None:
        return {}
    moved = f"{message}; moved from the queue {record.queue} to {larger_queue}"
    return {
        "state": State.QUEUED,
        "queue": larger_queue,
        "moved_from": record.queue,
        "attempts": tuple(replace(attempt, queue=record.queue) for attempt in attempts),
        "crashes": 0,
        "entry_id": None,
        "not_before_time": None,
        "message": one_line(moved),
    }


def _again(
    record: JobRecord,
    now: datetime,
    delay_seconds: float,
    message: str | None,
    ended: Changes,
    *,
    state: State = State.WAITING,
) -> Step:
    """Put a job back, unless somebody has asked for its end in the meantime."""
    if record.cancel_requested_time is not None:
        return _cancel(record, now, ended)
    delay_seconds = bounded(delay_seconds)
    not_before = now + timedelta(seconds=delay_seconds) if delay_seconds > 0 else None
    again = _revised(
        record, now, state=state, not_before_time=not_before, message=one_line(message), **ended
    )
    return Step(again, Release(delay_until(not_before, now), record.priority))


def _request_cancel(record: JobRecord, now: datetime) -> Step:
    if record.state is State.CANCELLED or (
        record.state is State.RUNNING and record.cancel_requested_time is not None
    ):
        return Step(record, NoAction())
    if record.is_finished:
        raise JobStateError(f"job {record.uuid} has {record.state} already")
    requested = _revised(record, now, cancel_requested_time=now)
    if record.state is State.RUNNING:
        return Step(requested, NoAction())
    return _cancel(requested, now)


def _cancel(record: JobRecord, now: datetime, ended: Changes | None = None) -> Step:
    cancelled = _finish(record, now, State.CANCELLED, CANCELLED_CODE, "cancelled", ended)
    return Step(cancelled, Delete())


def _replay(record: JobRecord, now: datetime) -> Step:
    if not record.is_finished:
        raise JobStateError(f"job {record.uuid} is {record.state}: only a finished job is replayed")
    fresh = _revised(
        record,
        now,
        state=State.QUEUED,
        result_code=UNFINISHED,
        message=None,
        data=None,
        output_blob_attempt=None,
        job_state=None,
        not_before_time=None,
        expires_time=None,
        finished_time=None,
        cause=None,
        cancel_requested_time=None,
        errors=0,
        crashes=0,
        continuations=0,
        replays=record.replays + 1,
        entry_id=None,
    )
    return Step(fresh, Put(0, record.priority))


def _explain(record: JobRecord, death: WorkerDied, now: datetime) -> Step:
    """Write why a worker died into the attempt that it ran; what is finished stays finished."""
    if record.is_finished:
        return Step(record, NoAction())
    for index, attempt in enumerate(record.attempts):
        if attempt.worker.name != death.worker or attempt.started_time > death.time:
            continue
        if attempt.cause is None and attempt is record.current_attempt and death.certain:
            # Nobody has taken it over. Its entry is free since the worker's connection ended.
            event: AttemptEvent = (
                Interrupted(record.attempt, death.message, by=BY_OPERATOR)
                if death.cause is Cause.INTERRUPTED
                else Crashed(
                    record.attempt,
                    death.message,
                    death.cause is Cause.OUT_OF_MEMORY,
                    death.larger_queue,
                    BY_OPERATOR,
                )
            )
            ended = _step_of_attempt(record, event, now, 0.5)
            return Step(ended.record, NoAction())
        if attempt.cause is Cause.CRASH and attempt.cause is not death.cause:
            return Step(_correct(record, index, death, now), NoAction())
    return Step(record, NoAction())


def _correct(record: JobRecord, index: int, death: WorkerDied, now: datetime) -> JobRecord:
    message = one_line(death.message)
    corrected = replace(record.attempts[index], cause=death.cause, message=message)
    if index < len(record.attempts) - 1:
        corrected = _shortened(corrected)
    attempts = (*record.attempts[:index], corrected, *record.attempts[index + 1 :])
    changes: Changes = {"attempts": attempts}
    if death.cause is Cause.INTERRUPTED:
        changes["crashes"] = max(0, record.crashes - 1)
    if record.state in (State.QUEUED, State.WAITING):
        changes["message"] = message
        if death.cause is Cause.OUT_OF_MEMORY and index == len(record.attempts) - 1:
            changes |= _move(record, death.larger_queue, death.message, attempts)
    return _revised(record, now, **changes)


def _end_attempt(
    record: JobRecord,
    now: datetime,
    cause: Cause,
    message: str | None,
    job_state: JobState | None = None,
    by: str | None = None,
) -> Changes:
    """Return what the end of its attempt changes in the record."""
    last = record.attempts[-1]
    ended = replace(last, ended_time=now, cause=cause, message=one_line(message), ended_by=by)
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
    changes = ended or {}
    attempts = changes.get("attempts", record.attempts)
    return _revised(
        record,
        now,
        state=state,
        result_code=code,
        message=one_line(message),
        finished_time=now,
        not_before_time=None,
        cause=attempts[-1].cause if attempts else None,
        **changes,
    )


def _revised(record: JobRecord, now: datetime, **changes: Any) -> JobRecord:
    return replace(record, changed_time=now, **changes)
