"""How worker, nursery and children talk: typed frames over socket pairs. Pure.

A frame is a length (4 bytes, big-endian) and a JSON object whose field `op` names its type. A
child runs other people's code, so its bytes are not trusted. A frame is bounded by its type before
it is held: one that is longer than `MAX_SMALL_BYTES` must begin with the name of a type that may
be. Whatever does not fit its type is a `FrameError`, and ends the process that sent it. Values of
a job stay JSON text where they are only passed on, because as objects they take 30 times as much.

Every frame of a run names that run (`run_name`): one that belongs to another run, e.g. from a
process that a job forked and left behind, is dropped by the worker.

    worker → child     RunFrame  CheckFrame  CancelFrame  ExitFrame
    child → worker     ProgressFrame  LineFrame  SpanFrame  StateFrame  EndFrame  CheckedFrame
    worker → nursery   ForkFrame  KillFrame  PingFrame
    nursery → worker   ImportingFrame  FailedFrame  TypesFrame
                       ForkedFrame  RefusedFrame  DiedFrame  PongFrame

The API has a nursery, too, where it is given job modules: its children check parameters and run
nothing (`zerog.child.desk`).
"""

import struct
from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar, get_args

import msgspec
from msgspec import Meta, Struct

from zerog.model import jsontext
from zerog.model.documents import TypeDocument
from zerog.model.errors import ZeroGError
from zerog.model.events import RunEnd
from zerog.model.limits import (
    EXTRA_LINES,
    MAX_DATA_BYTES,
    MAX_DOCUMENT_BYTES,
    MAX_LINE_CHARS,
    MAX_LINE_DATA_BYTES,
    MAX_LOG_LINES,
    MAX_LOGGER_CHARS,
    MAX_STATE_BYTES,
)
from zerog.model.origin import TraceParent
from zerog.model.record import Count, JobId, JobState, Seconds, Time
from zerog.sdk.faults import MAX_FAULTS, Fault

#: Parameters or an output, a state, and what is around them.
MAX_FRAME_BYTES = MAX_DOCUMENT_BYTES + 1024 * 1024
#: Most frames: a line with the longest text and the most data takes 58 KiB.
MAX_SMALL_BYTES = 64 * 1024
#: Of what a child answers that only checks: more than `MAX_FAULTS` of the longest faults take.
MAX_CHECKED_BYTES = 256 * 1024
#: A state is a text in a text: each of its quotes takes two bytes.
MAX_STATE_TEXT_BYTES = 2 * MAX_STATE_BYTES + 2
#: Exit codes of a child that could not go on: its own fault, or its pipe is closed.
EXIT_UNEXPECTED, EXIT_NO_PIPE = 230, 231
_LENGTH = struct.Struct(">I")
#: Descriptors that come with a `ForkFrame`.
FDS_OF_CHILD = 2
#: This many bytes of a frame show its type.
_HEAD_BYTES = 24
#: Years that every time zone can show.
_FIRST_YEAR, _LAST_YEAR = 1970, 9998

F = TypeVar("F")

Level = Annotated[str, Meta(pattern="^(info|warning|error)$")]
Completeness = Annotated[float, Meta(ge=0, le=1)]
Seq = Annotated[int, Meta(ge=0, le=MAX_LOG_LINES + EXTRA_LINES)]
#: A cut text says how long it was.
Text = Annotated[str, Meta(max_length=MAX_LINE_CHARS + 100)]
Name = Annotated[str, Meta(max_length=1000)]
Logger = Annotated[str, Meta(max_length=MAX_LOGGER_CHARS)]
#: A line's data, as the text of a JSON object.
DataText = Annotated[str, Meta(max_length=MAX_LINE_DATA_BYTES)]
Nanoseconds = Annotated[int, Meta(ge=0, le=2**63 - 1)]
SpanKindName = Literal["INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER"]
SpanStatusName = Literal["UNSET", "OK", "ERROR"]
Pid = Annotated[int, Meta(gt=0, lt=2**31)]
Bytes = Annotated[int, Meta(ge=0, le=2**62)]


class FrameError(ZeroGError):
    """The other side of the pipe does not speak in frames."""


class _Frame(Struct, frozen=True, rename="camel", tag_field="op"):
    """What all frames share: the field that names the type."""

    #: How long the JSON may be.
    max_bytes: ClassVar[int] = MAX_SMALL_BYTES


# worker → child


class RunFrame(_Frame, frozen=True, tag="run"):
    """Run a job."""

    max_bytes: ClassVar[int] = MAX_FRAME_BYTES

    run: str
    uuid: JobId
    attempt: int
    type: str
    parameters: dict[str, Any]
    state: JobState | None = None
    #: When the attempt will be ended, None without a timeout.
    deadline: Time | None = None
    #: The span that the run is part of.
    trace_parent: TraceParent | None = None


class ReceivedRun(_Frame, frozen=True, tag="run"):
    """A `RunFrame` as the child reads it: the parameters stay JSON, which pydantic validates."""

    max_bytes: ClassVar[int] = MAX_FRAME_BYTES

    run: str
    uuid: JobId
    attempt: int
    type: str
    parameters: msgspec.Raw
    state: JobState | None = None
    deadline: Time | None = None
    trace_parent: TraceParent | None = None


class CheckFrame(_Frame, frozen=True, tag="check"):
    """Say what a job's class finds wrong with parameters. Nothing is run."""

    max_bytes: ClassVar[int] = MAX_FRAME_BYTES

    run: str
    type: str
    parameters: dict[str, Any]


class ReceivedCheck(_Frame, frozen=True, tag="check"):
    """A `CheckFrame` as the child reads it."""

    max_bytes: ClassVar[int] = MAX_FRAME_BYTES

    run: str
    type: str
    parameters: msgspec.Raw


class CancelFrame(_Frame, frozen=True, tag="cancel"):
    """End this run, if it is the one that runs. `why` is a `zerog.worker.verdict.Stop`."""

    run: str
    why: str


class ExitFrame(_Frame, frozen=True, tag="exit"):
    """Leave."""


# child → worker


class ProgressFrame(_Frame, frozen=True, tag="progress"):
    """How much is done."""

    run: Name
    completeness: Completeness


class LineFrame(_Frame, frozen=True, tag="line", omit_defaults=True):
    """A line of the job's log."""

    run: Name
    seq: Seq
    time: Time
    level: Level
    message: Text
    data: DataText | None = None
    logger: Logger | None = None


class SpanFrame(_Frame, frozen=True, tag="span", omit_defaults=True):
    """A span of OpenTelemetry that the job has ended."""

    run: Name
    name: Text
    #: Who made it: the name of a tracer.
    tracer: Logger
    #: `traceparent`s.
    itself: TraceParent
    parent: TraceParent | None
    #: Nanoseconds since 1970.
    start: Nanoseconds
    end: Nanoseconds
    kind: SpanKindName = "INTERNAL"
    status: SpanStatusName = "UNSET"
    description: Text | None = None
    #: A JSON object.
    attributes: DataText = "{}"
    #: A JSON array of events, each with name, time and attributes.
    events: DataText = "[]"


class StateFrame(_Frame, frozen=True, tag="state"):
    """The state that the job saves on the way."""

    max_bytes: ClassVar[int] = MAX_STATE_TEXT_BYTES + 1024

    run: Name
    state: JobState


class EndFrame(_Frame, frozen=True, tag="end"):
    """How the run ended. Nothing of this run follows."""

    max_bytes: ClassVar[int] = MAX_FRAME_BYTES

    run: Name
    end: RunEnd
    #: Why the process cannot run another job, e.g. a thread was left; None if it can.
    spoiled: Text | None = None
    rss_bytes: Bytes = 0
    #: What the run took; None: unknown.
    cpu_seconds: Seconds | None = None
    peak_bytes: Bytes | None = None
    #: Processor time of the process until now.
    total_cpu_seconds: Seconds = 0.0


class CheckedFrame(_Frame, frozen=True, tag="checked"):
    """The answer to a check."""

    max_bytes: ClassVar[int] = MAX_CHECKED_BYTES

    run: Name
    #: What is wrong with the parameters; None if that is unknown.
    faults: Annotated[list[Fault], Meta(max_length=MAX_FAULTS)] | None
    #: Why it is unknown, e.g. a validator that raised an `OSError`.
    reason: Text = ""
    #: Whether the check has changed the process, so that it needs to be replaced.
    spoiled: bool = False


# worker → nursery


class ForkFrame(_Frame, frozen=True, tag="fork"):
    """Fork a child. `ticket` comes back in the answer.

    With the frame come its end of the pipe, and the one for what it prints: `FDS_OF_CHILD`.
    """

    ticket: int


class KillFrame(_Frame, frozen=True, tag="kill"):
    """Send a signal to a child."""

    pid: int
    signal: int


class PingFrame(_Frame, frozen=True, tag="ping"):
    """Answer, to show that you are not frozen."""


# nursery → worker


class ImportingFrame(_Frame, frozen=True, tag="importing"):
    """The import of a module begins: if the nursery dies now, this module ended it."""

    module: Text


class FailedFrame(_Frame, frozen=True, tag="failed"):
    """A module cannot be imported."""

    module: Text
    error: Text
    #: The nursery ends, and must be started without this module.
    fatal: bool = False


class TypesFrame(_Frame, frozen=True, tag="types"):
    """Every module was tried; these are the job types of those that can be imported."""

    max_bytes: ClassVar[int] = MAX_FRAME_BYTES

    types: list[TypeDocument]


class ForkedFrame(_Frame, frozen=True, tag="forked"):
    """The child of a ticket runs."""

    ticket: Count
    pid: Pid


class RefusedFrame(_Frame, frozen=True, tag="refused"):
    """There is no child for a ticket."""

    ticket: Count
    error: Text


class DiedFrame(_Frame, frozen=True, tag="died"):
    """A child is dead, and so is everything that it started."""

    pid: Pid
    #: As `subprocess` counts: negative for a signal.
    exitcode: Annotated[int, Meta(ge=-255, le=255)]
    #: Whether the kernel killed it for memory; None if nobody can tell.
    oom: bool | None
    max_rss_bytes: Bytes
    #: Processor time of its whole life; None: unknown.
    cpu_seconds: Seconds | None = None
    #: Whether it lived until the worker asked for a SIGKILL.
    killed: bool = False


class PongFrame(_Frame, frozen=True, tag="pong"):
    """The answer to a ping."""


ToChild = RunFrame | CheckFrame | CancelFrame | ExitFrame
ReceivedByChild = ReceivedRun | ReceivedCheck | CancelFrame | ExitFrame
FromChild = ProgressFrame | LineFrame | SpanFrame | StateFrame | EndFrame | CheckedFrame
ToNursery = ForkFrame | KillFrame | PingFrame
FromNursery = (
    ImportingFrame | FailedFrame | TypesFrame | ForkedFrame | RefusedFrame | DiedFrame | PongFrame
)


def run_name(uuid: JobId, attempt: int) -> str:
    """Return the name of one run of a job."""
    return f"{uuid}:{attempt}"


def encode(frame: _Frame) -> bytes:
    """Encode a frame. `ValueError` if it has no JSON form or is too large."""
    try:
        body = msgspec.json.encode(frame)
    # A value of a job may raise anything when it is looked at.
    except Exception as error:
        raise ValueError(f"no JSON form: {type(error).__name__}: {error}") from error
    if len(body) > frame.max_bytes:
        raise ValueError(f"{len(body)} bytes are more than the {frame.max_bytes} of a frame")
    return _LENGTH.pack(len(body)) + body


class FrameReader(Generic[F]):
    """Cuts a stream of bytes into frames of the given types, however the bytes arrive."""

    def __init__(self, kinds: Any, max_bytes: int = MAX_FRAME_BYTES) -> None:
        self._buffer = bytearray()
        self._decoder: msgspec.json.Decoder[F] = msgspec.json.Decoder(kinds)
        #: How the longer types begin, and how long each may be.
        self._limits = {
            _head(kind): min(kind.max_bytes, max_bytes)
            for kind in get_args(kinds)
            if kind.max_bytes > MAX_SMALL_BYTES
        }
        self._most = max(self._limits.values(), default=MAX_SMALL_BYTES)

    def feed(self, data: bytes) -> Iterator[F]:
        """Take in bytes, yield the frames that are complete. `FrameError` at one that is not one.

        Frames before a wrong one are yielded, and each is yielded once.
        """
        buffer = self._buffer
        buffer += data
        start = 0
        try:
            while len(buffer) - start >= _LENGTH.size:
                (length,) = _LENGTH.unpack_from(buffer, start)
                begin = start + _LENGTH.size
                end = begin + length
                if length > MAX_SMALL_BYTES:
                    self._check_length(length, buffer[begin : begin + _HEAD_BYTES])
                if len(buffer) < end:
                    break
                body = bytes(buffer[begin:end])
                start = end
                yield self._decode(body)
        finally:
            del buffer[:start]

    def _check_length(self, length: int, head: bytearray) -> None:
        limit = self._most
        if len(head) == _HEAD_BYTES:
            limits = (most for begin, most in self._limits.items() if head.startswith(begin))
            limit = next(limits, MAX_SMALL_BYTES)
        if length > limit:
            raise FrameError(f"a frame of {length} bytes, at most {limit} are read")

    def _decode(self, body: bytes) -> F:
        try:
            if len(body) > MAX_SMALL_BYTES and body.startswith(_head(EndFrame)):
                _check_end(body)
            frame = self._decoder.decode(body)
            _check(frame)
            return frame
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise FrameError(f"an invalid frame: {error}") from error


def _head(kind: type[_Frame]) -> bytes:
    return b'{"op":"%s"' % str(kind.__struct_config__.tag).encode()


class _Values(Struct):
    """The values of a job in its end, which are not read yet."""

    data: msgspec.Raw = msgspec.Raw()
    state: msgspec.Raw = msgspec.Raw()


class _End(Struct):
    end: _Values


def _check_end(body: bytes) -> None:
    """Refuse a long end before it becomes objects."""
    values = msgspec.json.decode(body, type=_End).end
    for value, most in ((values.data, MAX_DATA_BYTES), (values.state, MAX_STATE_TEXT_BYTES)):
        if len(bytes(value)) > most:
            raise ValueError(f"a value of {len(bytes(value))} bytes, at most {most} are allowed")


def _check(frame: Any) -> None:
    """Check what a type cannot say. `ValueError` if it does not fit."""
    match frame:
        case LineFrame():
            _check_line(frame.time, frame.data)
        case StateFrame():
            _check_state(frame.state)
        case EndFrame():
            _check_state(getattr(frame.end, "state", None))
        case _:
            pass


def _check_state(state: JobState | None) -> None:
    if state is None:
        return
    if len(state.encode()) > MAX_STATE_BYTES:
        raise ValueError("a state that is too long")
    jsontext.check_object(state)


def _check_line(time: datetime, data: str | None) -> None:
    if not _FIRST_YEAR <= time.year <= _LAST_YEAR:
        raise ValueError(f"the year {time.year}")
    if data is None:
        return
    # It will stand in a line of an event stream.
    if len(data.encode()) > MAX_LINE_DATA_BYTES or "\n" in data or "\r" in data:
        raise ValueError("data in more than one line, or too long")
    jsontext.check_object(data)
