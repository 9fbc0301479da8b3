"""Where a job's documents are and what those beside its record hold. Keys are built here only.

    jobs         <uuid>                         the control document (`zerog.model.record`)
    progress     <uuid>                         `Progress`
    progress     repair                         `RepairState`
    events       <uuid>::<attempt>::<chunk>     `LogChunk`
    blobs        <uuid>::in                     `Input`
    blobs        <uuid>::out::<attempt>         `Output`
    idempotency  <sha-256 of the client's key>  `Remembered`
    types        <type name>                    `TypeDocument`: what a worker image registered
    workers      <worker name>                  `WorkerDocument`, expires after its last beat
    stats        <minute>::<shard>              {"<queue> <type>": {"<count>": n}}, expires
    stats        totals                         what the minutes come to (`zerog.ledger.totals`)
    tallies      <process>                      `zerog.ledger.tally.Tally`, expires
    pools        <namespace>::<pool>            `PoolDocument`, written by the operator, expires
    waiters      <uuid>                         `Waiters`, expires (`zerog.ledger.waiters`)
    controls     queue::<queue>                 `ControlDocument`: the queue is paused
    controls     worker::<worker name>          `ControlDocument`: the worker drains; expires

A line of a log is in chunk `number // LINES_PER_CHUNK`, so a reader finds each line without a
counter: it asks for the next chunk until one is missing.

`read` and `write` are the only way between these types and the store's plain documents: a wrong
field is found when a document is read.
"""

import hashlib
from collections.abc import Sequence
from typing import Annotated, Any, Literal, TypeVar, cast

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import force_setattr, replace

from zerog.model.errors import UnreadableDocumentError
from zerog.model.labels import MAX_LABELS
from zerog.model.limits import LINES_PER_CHUNK, MAX_REASON_CHARS
from zerog.model.names import MAX_WORKER_NAME
from zerog.model.record import (
    Count,
    JobId,
    Label,
    Priority,
    QueueName,
    Retention,
    Seconds,
    Time,
    Tries,
)
from zerog.model.schemas import schema_hash

T = TypeVar("T")
ControlKind = Literal["queue", "worker"]
#: A caller's name in a control; a longer one is cut.
MAX_CALLER_CHARS = 200


class _Document(Struct, frozen=True, rename="camel"):
    """What all documents share: names in camelCase."""


class Progress(_Document, frozen=True):
    """What an attempt reported last."""

    attempt: Count
    completeness: Annotated[float, Meta(ge=0, le=1)]
    updated_time: Time


#: Where `RepairState` is: no job has this key.
REPAIR_KEY = "repair"


class RepairState(_Document, frozen=True):
    """Where repair stands, so that another process can continue there."""

    #: The queue's server that jobs are compared with, and when repair saw it first.
    server: str
    since_time: Time
    #: When the full pass began that is under way, and the last job that it looked at.
    begun_time: Time | None = None
    after: str = ""
    #: When the last full pass ended. None: the server is not known to be looked through.
    ended_time: Time | None = None


class LogLine(_Document, frozen=True, omit_defaults=True):
    """One line of a job's log."""

    #: Its number in the attempt's log, from 0.
    seq: Count
    time: Time
    level: str
    message: str
    #: What came with it: the text of a JSON object, which as objects would take 30 times as much.
    #: In logs of earlier versions it is the object.
    data: str | dict[str, Any] | None = None
    #: What wrote it: a logger's name, `stdout`, `stderr`, or `output`, past Python. None: `ctx`.
    logger: str | None = None


class LogChunk(_Document, frozen=True):
    """Consecutive lines of an attempt's log."""

    lines: list[LogLine]


class Input(_Document, frozen=True):
    """Parameters that are too large for the record."""

    parameters: dict[str, Any]


class Output(_Document, frozen=True):
    """Output data that is too large for the record."""

    data: Any


class Remembered(_Document, frozen=True):
    """The jobs that a client's Idempotency-Key stands for."""

    uuids: list[JobId]
    #: What two requests with one key must share.
    fingerprint: str
    #: Jobs that ran to their end and may have been forgotten since: they never run again.
    ended: dict[JobId, bool] = {}


#: A keyword in a type's schema: keywords that are left to the class, or true: all of them.
UNCHECKED = "x-zerog-unchecked"


class TypeDocument(_Document, frozen=True):
    """A version of a job type as its worker registered it: what the API needs to accept its jobs.

    A version is told from the type's others by the hash of its schema. Stored is the newest one,
    which has the others with it.
    """

    name: str
    queue: QueueName
    #: The JSON Schema of its parameters.
    schema: dict[str, Any]
    description: str = ""
    priority: Priority = 5
    max_errors: Tries = 3
    max_crashes: Tries = 3
    backoff_seconds: Seconds = 5.0
    backoff_max_seconds: Seconds = 600.0
    timeout_seconds: Seconds | None = None
    retain_ok_seconds: Retention = 7 * 86400.0
    retain_failed_seconds: Retention = 30 * 86400.0
    #: Whether what its jobs print goes into their logs.
    log_output: bool = True
    #: What its jobs are labelled with.
    labels: Annotated[list[Label], Meta(max_length=MAX_LABELS)] = []
    #: When it became the newest version.
    introduced_time: Time | None = None
    #: When it was registered last, or seen at a worker.
    seen_time: Time | None = None
    #: `schema_hash` of the schema: versions whose hashes are equal take the same parameters.
    schema_hash: str = ""
    #: The JSON Schema of its output, where its class says what `run` returns.
    output_schema: dict[str, Any] | UnsetType = UNSET
    #: What the operator made the worker's pod from; not set outside Kubernetes.
    template_hash: str | UnsetType = UNSET
    #: Of the stored document: the type's other versions, the last introduced first.
    others: "list[TypeDocument] | UnsetType" = UNSET

    def __post_init__(self) -> None:
        if not self.schema_hash:
            force_setattr(self, "schema_hash", schema_hash(self.schema))

    @property
    def key(self) -> str:
        """Where it is stored."""
        return self.name

    @property
    def versions(self) -> "list[TypeDocument]":
        """All versions of the stored type, the last introduced first."""
        return [replace(self, others=UNSET), *self.others] if self.others else [self]

    @classmethod
    def of_versions(cls, versions: "Sequence[TypeDocument]") -> "TypeDocument":
        """Return what is stored of a type's versions, the last introduced first."""
        newest, *others = versions
        return replace(newest, others=others or UNSET)


class RunningJob(_Document, frozen=True):
    """A job that a worker holds: it vouches for it."""

    uuid: JobId
    type: str
    slot: Count
    attempt: Count
    started_time: Time


class WorkerDocument(_Document, frozen=True):
    """What a worker says of itself, every few seconds."""

    name: str
    queues: list[QueueName]
    types: list[str]
    slots: Count
    running: list[RunningJob]
    #: `running` or `draining`.
    state: str
    started_time: Time
    updated_time: Time
    #: Raised with each write. An observer sees by it that the worker lives.
    beat: Count
    host: str = ""
    pid: Count = 0
    pod: str | None = None
    node: str | None = None
    image: str | None = None
    #: Which server of the queue it hears its own tube on, see `zerog.queue.port.ServerStats.id`.
    #: Empty: none.
    queue_server: str = ""
    #: Which version of each type it takes jobs of, by `schema_hash`. Fewer than `types` while it
    #: drains.
    takes: dict[str, str] = {}

    @property
    def key(self) -> str:
        """Where it is stored."""
        return self.name


class PoolDocument(_Document, frozen=True, omit_defaults=True):
    """What the operator says of a pool, for people."""

    namespace: str
    name: str
    queue: QueueName
    min_replicas: Count
    max_replicas: Count
    #: Why it has as many workers as it has.
    decision: str
    #: Status of its condition Ready: `True`, `False` or `Unknown`.
    ready: str
    #: What that condition says.
    message: str
    # Counts of its status; None while the operator does not know them.
    replicas: Count | None = None
    ready_replicas: Count | None = None
    desired_replicas: Count | None = None
    starting: Count | None = None
    retiring: Count | None = None
    busy: Count | None = None

    @property
    def key(self) -> str:
        """Where it is stored."""
        return f"{self.namespace}::{self.name}"


#: Processes that are listed as waiting for one job: more replicas of the API than anybody runs.
MAX_WAITERS = 32


class Waiters(_Document, frozen=True):
    """The processes that wait for a job, by name; the one that said so last comes last."""

    processes: Annotated[
        list[Annotated[str, Meta(max_length=MAX_WORKER_NAME)]], Meta(max_length=MAX_WAITERS)
    ]


class ControlDocument(_Document, frozen=True):
    """That a queue is paused, or that a worker drains. The document's existence says so; what it
    holds is for people."""

    kind: ControlKind
    name: str
    since: Time | None = None
    #: The caller of the API; None where callers are not known.
    by: Annotated[str, Meta(max_length=MAX_CALLER_CHARS)] | None = None
    reason: Annotated[str, Meta(max_length=MAX_REASON_CHARS)] | None = None

    @property
    def key(self) -> str:
        """Where it is stored."""
        return control_key(self.kind, self.name)


#: The one field of what a store holds in place of a JSON object: why that cannot be read.
UNREADABLE = "$unreadable"
#: Of a schema's hash, what people are shown.
SHORT_HASH_DIGITS = 6


def version_name(name: str, version: str) -> str:
    """Return what people call a version of a type, e.g. `media.convert@3fa9c1`."""
    return f"{name}@{version[:SHORT_HASH_DIGITS]}"


def read(document: dict[str, Any], kind: type[T], key: str = "") -> T:
    """Read a stored document. `UnreadableDocumentError` says which field does not fit."""
    try:
        if UNREADABLE in document:
            raise ValueError(document[UNREADABLE])
        return msgspec.convert(document, kind)
    except (msgspec.ValidationError, ValueError, RecursionError) as error:
        name = f"{kind.__name__} {key}".strip()
        raise UnreadableDocumentError(f"the document {name} cannot be read: {error}") from error


def write(value: Struct) -> dict[str, Any]:
    """Return the plain document of a value."""
    return cast(dict[str, Any], msgspec.to_builtins(value))


def log_key(uuid: JobId, attempt: int, chunk: int) -> str:
    """Return the key of a chunk of an attempt's log; `chunk` counts from 0."""
    return f"{uuid}::{attempt}::{chunk}"


def chunk_of(seq: int) -> int:
    """Return the chunk that a line is in."""
    return seq // LINES_PER_CHUNK


def input_key(uuid: JobId) -> str:
    """Return the key of the parameters' blob."""
    return f"{uuid}::in"


def output_key(uuid: JobId, attempt: int) -> str:
    """Return the key of an output blob: one per attempt, so that a stale one overwrites nothing."""
    return f"{uuid}::out::{attempt}"


def control_key(kind: ControlKind, name: str) -> str:
    """Return the key of what holds a queue or a worker."""
    return f"{kind}::{name}"


def idempotency_key(client_key: str) -> str:
    """Return the key for a client's Idempotency-Key, whatever characters and length that has."""
    return hashlib.sha256(client_key.encode("utf-8", "surrogatepass")).hexdigest()
