"""The control document of a job: what it is, where it stands, and what has been tried.

A `JobRecord` is a frozen value. `zerog.model.life` makes the next one from an event; the ledger
(`zerog.ledger.jobs`) alone stores it, by compare-and-swap. Progress, log lines and large parameters
or outputs live in documents beside it (`zerog.model.documents`), so that the control document
changes a handful of times in a job's life.

msgspec reads and writes it: a field of the wrong type is found when a document is read.
"""

import re
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Annotated, Any, NewType

from msgspec import Meta, Struct
from uuid_utils import uuid7

from zerog.model.labels import LABEL_PATTERN, MAX_JOB_LABELS
from zerog.model.limits import (
    DAY_SECONDS,
    MAX_CODE,
    MAX_COUNT,
    MAX_ENTRY_ID,
    MAX_RETENTION_SECONDS,
    MAX_SECONDS,
    MAX_STATE_BYTES,
    MAX_TRIES,
)
from zerog.model.names import NAME_PATTERN
from zerog.model.origin import RequestId, TraceParent

JobId = NewType("JobId", str)
_JOB_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

#: `resultCode` while a job is not finished.
UNFINISHED = -1
#: Attempts kept in full. A job that continues for weeks would outgrow its document.
MAX_ATTEMPTS_KEPT = 50

Time = Annotated[datetime, Meta(tz=True)]
Count = Annotated[int, Meta(ge=0, le=MAX_COUNT)]
EntryId = Annotated[int, Meta(ge=0, le=MAX_ENTRY_ID)]
#: Every queue in a document has a tube: one with another name would stop whoever asks for it.
QueueName = Annotated[str, Meta(pattern=rf"\A(?:{NAME_PATTERN})\Z")]
Seconds = Annotated[float, Meta(ge=0, le=MAX_SECONDS)]
#: The text of a JSON object, which as objects would take 30 times as much.
JobState = Annotated[str, Meta(max_length=MAX_STATE_BYTES)]
#: See `zerog.model.documents.idempotency_key`.
RememberedKey = Annotated[str, Meta(pattern=r"\A[0-9a-f]{64}\Z")]
Retention = Annotated[float, Meta(ge=0, le=MAX_RETENTION_SECONDS)]
Priority = Annotated[int, Meta(ge=0, le=9)]
Tries = Annotated[int, Meta(ge=1, le=MAX_TRIES)]
ResultCode = Annotated[int, Meta(ge=UNFINISHED, le=MAX_CODE)]
#: `key=value`; see `zerog.model.labels`. A job has its type's and its own.
Label = Annotated[str, Meta(pattern=LABEL_PATTERN)]
Labels = Annotated[tuple[Label, ...], Meta(max_length=MAX_JOB_LABELS)]


class State(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"  # accepted, never started or given back; may start at once
    RUNNING = "running"  # a worker has claimed it
    WAITING = "waiting"  # between attempts: a retry or a continuation, not before its time
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"
    EXPIRED = "expired"  # it did not start in time


FINISHED_STATES = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED, State.EXPIRED})


class Cause(StrEnum):
    """Why an attempt ended."""

    SUCCEEDED = "succeeded"
    CONTINUED = "continued"  # run asked for more
    ERROR = "error"  # an exception, also a Retry signal
    FINISHED = "finished"  # run ended the job itself, with a code
    INVALID = "invalid"  # the parameters do not fit the job class
    TIMEOUT = "timeout"
    CRASH = "crash"  # the child or the worker died
    OUT_OF_MEMORY = "outOfMemory"
    INTERRUPTED = "interrupted"  # drain, eviction, scale-down: costs the job nothing
    CANCELLED = "cancelled"


class WorkerIdentity(Struct, frozen=True, rename="camel", omit_defaults=True):
    """Who runs an attempt. Pod, node and image are known on Kubernetes only."""

    name: str
    pod: str | None = None
    node: str | None = None
    image: str | None = None


class Cost(Struct, frozen=True, rename="camel", omit_defaults=True):
    """What an attempt took of its machine. None: unknown."""

    #: Processor time of its process and of the processes that it waited for.
    cpu_seconds: Seconds | None = None
    #: The most resident memory that its process had, or one that it waited for.
    peak_bytes: Count | None = None


class Attempt(Struct, frozen=True, rename="camel", omit_defaults=True):
    """One run of a job by one worker."""

    number: Count
    worker: WorkerIdentity
    started_time: Time
    ended_time: Time | None = None
    cause: Cause | None = None
    message: str | None = None
    #: How long the job had been due when the attempt began.
    waited_seconds: Seconds | None = None
    #: The queue that it ran in, if the job has left that one since.
    queue: QueueName | None = None
    #: Who wrote its end, if that was not its worker: who took the job over, or the operator.
    ended_by: str | None = None
    #: As in `Cost`.
    cpu_seconds: Seconds | None = None
    peak_bytes: Count | None = None


class Limits(Struct, frozen=True, rename="camel"):
    """A job's budgets and times, copied from its type when it was accepted."""

    max_errors: Tries = 3
    max_crashes: Tries = 3
    #: Delay before the first retry; doubles with each further error.
    backoff_seconds: Seconds = 5.0
    backoff_max_seconds: Seconds = 600.0
    #: None: no limit.
    timeout_seconds: Seconds | None = None
    retain_ok_seconds: Retention = 7 * DAY_SECONDS
    retain_failed_seconds: Retention = 30 * DAY_SECONDS


class JobRecord(Struct, frozen=True, rename="camel"):
    """A job's control document."""

    uuid: JobId
    type: str
    queue: QueueName
    created_time: Time
    #: When the record last changed.
    changed_time: Time
    #: The version of the type that it was accepted by: the hash of its schema.
    schema_hash: str = ""
    state: State = State.QUEUED
    #: 0 first … 9 last. Every re-queue keeps it.
    priority: Priority = 5
    result_code: ResultCode = UNFINISHED
    #: One line for people: why the job stands where it stands.
    message: str | None = None
    limits: Limits = Limits()
    #: Inline when small; else None, and `has_input_blob` says that they are in a blob.
    parameters: dict[str, Any] | None = None
    has_input_blob: bool = False
    data: Any = None
    #: The attempt whose output blob holds the data; None when it is inline.
    output_blob_attempt: Count | None = None
    #: What `run` keeps between attempts.
    job_state: JobState | None = None
    #: Not to be started before.
    not_before_time: Time | None = None
    #: It ends as expired if it has not started by then. A start removes this.
    expires_time: Time | None = None
    started_time: Time | None = None
    finished_time: Time | None = None
    cancel_requested_time: Time | None = None
    #: Runs so far. It only grows, over replays too: it is the fencing number.
    attempt: Count = 0
    #: Errors, crashes and continuations since the job was accepted or replayed.
    errors: Count = 0
    crashes: Count = 0
    continuations: Count = 0
    replays: Count = 0
    #: The queue that it left for one with more memory. A job moves once, so that no two queues can
    #: pass it to each other for ever.
    moved_from: QueueName | None = None
    #: Where the Idempotency-Key that it came with is remembered: the key of a `Remembered`.
    idempotency_key: RememberedKey | None = None
    #: The request that it came with, and the span in which it was asked for.
    request_id: RequestId | None = None
    trace_parent: TraceParent | None = None
    #: The job is one of many: it has a trace of its own, which is linked to that span.
    own_trace: bool | None = None
    #: The queue entry that stands for the job, when known. See `zerog.ledger.repair`.
    entry_id: EntryId | None = None
    #: The last attempts, oldest first.
    attempts: Annotated[tuple[Attempt, ...], Meta(max_length=MAX_ATTEMPTS_KEPT)] = ()
    #: Why the last attempt of a finished job ended; None if it had none.
    cause: Cause | None = None
    labels: Labels = ()

    @property
    def is_finished(self) -> bool:
        return self.state in FINISHED_STATES

    @property
    def current_attempt(self) -> Attempt | None:
        """The attempt that runs now, None unless the job is running."""
        return self.attempts[-1] if self.state is State.RUNNING and self.attempts else None


def new_job_id() -> JobId:
    """Make a UUIDv7: ids order by the time of their making."""
    return JobId(str(uuid7()))


def is_job_id(text: str) -> bool:
    """Whether a text from outside has the form of a job's UUID (canonical, lower case)."""
    return _JOB_ID.fullmatch(text) is not None


@lru_cache(maxsize=1024)
def format_time(time: datetime) -> str:
    """RFC 3339 in UTC with microseconds: fixed width, so that texts order as times do."""
    if time.tzinfo is not UTC:
        time = time.astimezone(UTC)
    # Much faster than strftime.
    return time.isoformat(timespec="microseconds")[:-6] + "Z"


def parse_time(text: str) -> datetime:
    """Read what `format_time` wrote, or any RFC 3339 time with an offset. `ValueError`
    otherwise."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone; write e.g. 2026-01-31T12:00:00Z")
    try:
        return time if time.tzinfo is UTC else time.astimezone(UTC)
    except OverflowError:  # at either end of the calendar
        raise ValueError(f"{text!r} is not a time in UTC") from None
