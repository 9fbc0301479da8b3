"""The control document of a job: what it is, where it stands, and what has been tried.

A `JobRecord` is a frozen value. Only `zerog.model.life` makes a new one from an old one;
the API, the worker, the reconciler and the CLI store what it returns, by
compare-and-swap. Progress, log lines and large parameters or outputs live in documents
of their own (`zerog.model.documents`), so that the control document changes a handful of
times in a job's life.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from operator import attrgetter
from typing import Any, NewType

from uuid_utils import UUID, uuid7

JobId = NewType("JobId", str)

#: `resultCode` while a job is not finished.
UNFINISHED = -1
#: Attempts kept in full. A job that continues for weeks would outgrow its document.
MAX_ATTEMPTS_KEPT = 50


class State(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"  # accepted, never started or given back; may start at once
    RUNNING = "running"  # a worker has claimed it
    WAITING = "waiting"  # between attempts: a retry or a continuation, not before its time
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_finished(self) -> bool:
        return self in FINISHED_STATES


FINISHED_STATES = frozenset({State.SUCCEEDED, State.FAILED, State.CANCELLED})


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


@dataclass(frozen=True, slots=True)
class WorkerIdentity:
    """Who runs an attempt. Pod, node and image are known on Kubernetes only."""

    name: str
    pod: str | None = None
    node: str | None = None
    image: str | None = None


@dataclass(frozen=True, slots=True)
class Attempt:
    """One run of a job by one worker."""

    number: int
    worker: WorkerIdentity
    started_time: datetime
    ended_time: datetime | None = None
    cause: Cause | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Limits:
    """A job's budgets and times, copied from its type when it was accepted."""

    max_errors: int = 3
    max_crashes: int = 3
    #: Delay before the first retry; doubles with each further error.
    backoff_seconds: float = 5.0
    backoff_max_seconds: float = 600.0
    #: None: no limit.
    timeout_seconds: float | None = None
    retain_ok_seconds: float = 7 * 86400.0
    retain_failed_seconds: float = 30 * 86400.0


@dataclass(frozen=True, slots=True)
class JobRecord:
    """A job's control document."""

    uuid: JobId
    type: str
    queue: str
    created_time: datetime
    #: When the record last changed.
    changed_time: datetime
    state: State = State.QUEUED
    #: 0 first … 9 last. Every re-queue keeps it.
    priority: int = 5
    result_code: int = UNFINISHED
    #: One line for people: why the job stands where it stands.
    message: str | None = None
    limits: Limits = field(default_factory=Limits)
    #: Inline when small; else None, and `has_input_blob` says that they are in a blob.
    parameters: dict[str, Any] | None = None
    has_input_blob: bool = False
    data: Any = None
    #: The attempt whose output blob holds the data; None when it is inline.
    output_blob_attempt: int | None = None
    #: What `run` keeps between attempts.
    job_state: dict[str, Any] | None = None
    #: Not to be started before.
    not_before_time: datetime | None = None
    started_time: datetime | None = None
    finished_time: datetime | None = None
    cancel_requested_time: datetime | None = None
    #: Runs so far. It only grows, over replays too: it is the fencing number.
    attempt: int = 0
    #: Errors, crashes and continuations since the job was accepted or replayed.
    errors: int = 0
    crashes: int = 0
    continuations: int = 0
    replays: int = 0
    #: The queue entry that stands for the job, when known. See `zerog.ledger.repair`.
    entry_id: int | None = None
    #: The last attempts, oldest first, at most `MAX_ATTEMPTS_KEPT`.
    attempts: tuple[Attempt, ...] = ()

    @property
    def is_finished(self) -> bool:
        return self.state.is_finished

    @property
    def current_attempt(self) -> Attempt | None:
        """The attempt that runs now, None unless the job is running."""
        return self.attempts[-1] if self.state is State.RUNNING and self.attempts else None


def new_job_id() -> JobId:
    """Make a UUIDv7: ids order by the time of their making."""
    return JobId(str(uuid7()))


def is_job_id(text: str) -> bool:
    """Whether a text from outside has the form of a job's UUID (canonical, lower case)."""
    try:
        return len(text) == 36 and str(UUID(text)) == text
    except ValueError:
        return False


@lru_cache(maxsize=1024)  # one step writes the same time into several fields
def format_time(time: datetime) -> str:
    """RFC 3339 in UTC with microseconds: fixed width, so that texts order as times do."""
    if time.tzinfo is not UTC:
        time = time.astimezone(UTC)
    # Much faster than strftime, and this is on the path of every job.
    return time.isoformat(timespec="microseconds")[:-6] + "Z"


def parse_time(text: str) -> datetime:
    """Read what `format_time` wrote, or any RFC 3339 time with an offset. `ValueError`
    otherwise."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone; write e.g. 2026-01-31T12:00:00Z")
    return time if time.tzinfo is UTC else time.astimezone(UTC)


_CAMEL = {
    name: "".join([part if i == 0 else part.title() for i, part in enumerate(name.split("_"))])
    for cls in (JobRecord, Attempt, Limits, WorkerIdentity)
    for name in (f.name for f in fields(cls))
}
_TIMES = frozenset(name for name in _CAMEL if name.endswith("_time"))
_NESTED = frozenset({"limits", "worker"})


def to_document(record: JobRecord) -> dict[str, Any]:
    """Write a record as its document: camelCase, None left out."""
    document = _pack(_JOB, record)
    document["attempts"] = [_pack(_ATTEMPT, attempt) for attempt in record.attempts]
    return document


@dataclass(frozen=True, slots=True)
class _Layout:
    """How a dataclass is written: read all fields at once, then name by name."""

    read: Callable[[Any], tuple[Any, ...]]
    #: The document's name of each field, and how its value is written (None: as it is).
    names: tuple[tuple[str, Callable[[Any], Any] | None], ...]

    @classmethod
    def of(cls, dataclass_: type) -> "_Layout":
        names = [f.name for f in fields(dataclass_) if f.name != "attempts"]
        return cls(attrgetter(*names), tuple([(_CAMEL[name], _writer(name)) for name in names]))


def _writer(name: str) -> Callable[[Any], Any] | None:
    if name in _TIMES:
        return format_time
    return _pack_shared if name in _NESTED else None


def _pack(layout: _Layout, value: Any) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for item, (name, write) in zip(layout.read(value), layout.names, strict=True):
        if item is not None:
            document[name] = item if write is None else write(item)
    return document


@lru_cache(maxsize=256)
def _pack_shared(value: Limits | WorkerIdentity) -> dict[str, Any]:
    """Many records have the same limits and worker. Nobody changes the dict."""
    return _pack(_Layout.of(type(value)), value)


_JOB, _ATTEMPT = _Layout.of(JobRecord), _Layout.of(Attempt)


def from_document(document: dict[str, Any]) -> JobRecord:
    """Read a control document. `KeyError`, `TypeError` or `ValueError` if it is not one."""
    values = _unpack(JobRecord, document)
    values["state"] = State(values["state"])
    values["limits"] = Limits(**_unpack(Limits, document["limits"]))
    values["attempts"] = tuple([_attempt(item) for item in document["attempts"]])
    return JobRecord(**values)


def _attempt(document: dict[str, Any]) -> Attempt:
    values = _unpack(Attempt, document)
    values["worker"] = WorkerIdentity(**_unpack(WorkerIdentity, document["worker"]))
    if "cause" in values:
        values["cause"] = Cause(values["cause"])
    return Attempt(**values)


def _unpack(cls: type, document: dict[str, Any]) -> dict[str, Any]:
    values = {}
    for name in cls.__slots__:  # type: ignore[attr-defined]
        item = document.get(_CAMEL[name])
        if item is not None:
            values[name] = parse_time(item) if name in _TIMES else item
    return values


def revised(record: JobRecord, now: datetime, **changes: Any) -> JobRecord:
    """Return the record with changes and the time of them."""
    return replace(record, changed_time=now, **changes)
