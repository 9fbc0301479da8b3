"""How worker, nursery and children talk: typed frames over socket pairs. Pure.

A frame is a length (4 bytes, big-endian) and a JSON object whose field `op` names its type. A
child runs other people's code, so its bytes are not trusted: lengths and numbers are bounded, and
whatever does not fit its type is a `FrameError`.

Every frame of a run names that run (`run_name`): one that belongs to another run, e.g. from a
process that a job forked and left behind, is dropped by the worker.

    worker → child     RunFrame  CheckFrame  CancelFrame  ExitFrame
    child → worker     ProgressFrame  LineFrame  StateFrame  EndFrame  CheckedFrame
    worker → nursery   ForkFrame  KillFrame  PingFrame
    nursery → worker   ImportingFrame  FailedFrame  TypesFrame
                       ForkedFrame  RefusedFrame  DiedFrame  PongFrame

The API has a nursery, too, where it is given job modules: its children check parameters and run
nothing (`zerog.child.desk`).
"""

import struct
from collections.abc import Iterator
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from msgspec import Meta, Struct

from zerog.model.documents import TypeDocument
from zerog.model.errors import ZeroGError
from zerog.model.events import RunEnd
from zerog.model.limits import EXTRA_LINES, MAX_LINE_CHARS, MAX_LOG_LINES
from zerog.model.record import JobId, Time
from zerog.sdk.faults import MAX_FAULTS, Fault

#: Larger than any document, so that an output above the document's limit is refused with a reason.
MAX_FRAME_BYTES = 32 * 1024 * 1024
#: Of what a child answers that only checks: more than `MAX_FAULTS` of the longest faults take.
MAX_CHECKED_BYTES = 256 * 1024
#: Exit codes of a child that could not go on: its own fault, or its pipe is closed.
EXIT_UNEXPECTED, EXIT_NO_PIPE = 230, 231
_LENGTH = struct.Struct(">I")

F = TypeVar("F")

Level = Annotated[str, Meta(pattern="^(info|warning|error)$")]
Completeness = Annotated[float, Meta(ge=0, le=1)]
Seq = Annotated[int, Meta(ge=0, le=MAX_LOG_LINES + EXTRA_LINES)]
#: A cut text says how long it was.
Text = Annotated[str, Meta(max_length=MAX_LINE_CHARS + 100)]


class FrameError(ZeroGError):
    """The other side of the pipe does not speak in frames."""


class _Frame(Struct, frozen=True, rename="camel", tag_field="op"):
    """What all frames share: the field that names the type."""


# worker → child


class RunFrame(_Frame, frozen=True, tag="run"):
    """Run a job."""

    run: str
    uuid: JobId
    attempt: int
    type: str
    parameters: dict[str, Any]
    state: dict[str, Any] | None = None
    #: When the attempt will be ended, None without a timeout.
    deadline: Time | None = None


class ReceivedRun(_Frame, frozen=True, tag="run"):
    """A `RunFrame` as the child reads it: the parameters stay JSON, which pydantic validates."""

    run: str
    uuid: JobId
    attempt: int
    type: str
    parameters: msgspec.Raw
    state: dict[str, Any] | None = None
    deadline: Time | None = None


class CheckFrame(_Frame, frozen=True, tag="check"):
    """Say what a job's class finds wrong with parameters. Nothing is run."""

    run: str
    type: str
    parameters: dict[str, Any]


class ReceivedCheck(_Frame, frozen=True, tag="check"):
    """A `CheckFrame` as the child reads it."""

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

    run: str
    completeness: Completeness


class LineFrame(_Frame, frozen=True, tag="line", omit_defaults=True):
    """A line of the job's log."""

    run: str
    seq: Seq
    time: Time
    level: Level
    message: Text
    data: Any = None


class StateFrame(_Frame, frozen=True, tag="state"):
    """The state that the job saves on the way."""

    run: str
    state: dict[str, Any]


class EndFrame(_Frame, frozen=True, tag="end"):
    """How the run ended. Nothing of this run follows."""

    run: str
    end: RunEnd
    #: Why the process cannot run another job, e.g. a thread was left; None if it can.
    spoiled: str | None = None
    rss_bytes: int = 0


class CheckedFrame(_Frame, frozen=True, tag="checked"):
    """The answer to a check."""

    run: str
    #: What is wrong with the parameters; None if that is unknown.
    faults: Annotated[list[Fault], Meta(max_length=MAX_FAULTS)] | None
    #: Why it is unknown, e.g. a validator that raised an `OSError`.
    reason: Text = ""
    #: Whether the check has changed the process, so that it needs to be replaced.
    spoiled: bool = False


# worker → nursery


class ForkFrame(_Frame, frozen=True, tag="fork"):
    """Fork a child. `ticket` comes back in the answer; the child's socket comes with the frame."""

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

    module: str


class FailedFrame(_Frame, frozen=True, tag="failed"):
    """A module cannot be imported."""

    module: str
    error: str
    #: The nursery ends, and must be started without this module.
    fatal: bool = False


class TypesFrame(_Frame, frozen=True, tag="types"):
    """Every module was tried; these are the job types of those that can be imported."""

    types: list[TypeDocument]


class ForkedFrame(_Frame, frozen=True, tag="forked"):
    """The child of a ticket runs."""

    ticket: int
    pid: int


class RefusedFrame(_Frame, frozen=True, tag="refused"):
    """There is no child for a ticket."""

    ticket: int
    error: str


class DiedFrame(_Frame, frozen=True, tag="died"):
    """A child is dead, and so is everything that it started."""

    pid: int
    #: As `subprocess` counts: negative for a signal.
    exitcode: int
    #: Whether the kernel killed it for memory; None if nobody can tell.
    oom: bool | None
    max_rss_bytes: int
    #: Whether it lived until the worker asked for a SIGKILL.
    killed: bool = False


class PongFrame(_Frame, frozen=True, tag="pong"):
    """The answer to a ping."""


ToChild = RunFrame | CheckFrame | CancelFrame | ExitFrame
ReceivedByChild = ReceivedRun | ReceivedCheck | CancelFrame | ExitFrame
FromChild = ProgressFrame | LineFrame | StateFrame | EndFrame | CheckedFrame
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
    if len(body) > MAX_FRAME_BYTES:
        raise ValueError(f"{len(body)} bytes are more than the {MAX_FRAME_BYTES} of a frame")
    return _LENGTH.pack(len(body)) + body


class FrameReader(Generic[F]):
    """Cuts a stream of bytes into frames of the given types, however the bytes arrive."""

    def __init__(self, kinds: Any, max_bytes: int = MAX_FRAME_BYTES) -> None:
        self._max_bytes = max_bytes
        self._buffer = bytearray()
        self._decoder: msgspec.json.Decoder[F] = msgspec.json.Decoder(kinds)

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
                if length > self._max_bytes:
                    raise FrameError(f"a frame of {length} bytes")
                end = start + _LENGTH.size + length
                if len(buffer) < end:
                    break
                body = bytes(buffer[start + _LENGTH.size : end])
                start = end
                yield self._decode(body)
        finally:
            del buffer[:start]

    def _decode(self, body: bytes) -> F:
        try:
            return self._decoder.decode(body)
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise FrameError(f"a frame that does not fit: {error}") from error
