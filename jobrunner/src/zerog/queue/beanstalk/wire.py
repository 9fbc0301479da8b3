"""beanstalkd's protocol as pure functions: commands to bytes, bytes to replies. No I/O.

Source: `doc/protocol.txt` of beanstalkd 1.12/1.13. A reply is one line, and for some a
body of the length that the line gives, ended by CR LF.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from zerog.model.errors import QueueError, QueueRefusedError
from zerog.queue.port import EntryStats, ServerStats, TubeStats

P = ParamSpec("P")
T = TypeVar("T")

#: beanstalkd's priority is a 32-bit number, 0 most urgent. Ours are spread, so that a later
#: version has room between them.
PRIORITY_STEP = 100
MAX_DELAY_SECONDS = 2**32 - 1
#: No line of a reply is longer; more means that the other side is no beanstalkd.
MAX_LINE_BYTES = 1024
_WITH_BODY = {b"RESERVED": 2, b"FOUND": 2, b"OK": 1}
_CRLF = b"\r\n"


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply: its first word, the rest of the line, and the body where it has one."""

    word: bytes
    args: tuple[bytes, ...] = ()
    body: bytes = b""


class ProtocolError(QueueError):
    """The server's reply is not one of beanstalkd's."""


class ReplyReader:
    """Cuts a stream of bytes into replies, however the bytes arrive."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Reply]:
        """Take in bytes, return the replies that are complete. `ProtocolError` if they are none."""
        self._buffer += data
        replies = []
        start = 0
        while (reply_end := self._next(start)) is not None:
            reply, start = reply_end
            replies.append(reply)
        del self._buffer[:start]
        return replies

    def _next(self, start: int) -> tuple[Reply, int] | None:
        end = self._buffer.find(_CRLF, start)
        if end < 0:
            if len(self._buffer) - start > MAX_LINE_BYTES:
                raise ProtocolError("a reply without an end: is this a beanstalkd?")
            return None
        word, *args = bytes(self._buffer[start:end]).split(b" ")
        end += len(_CRLF)
        if word not in _WITH_BODY:
            return Reply(word, tuple(args)), end
        if len(args) != _WITH_BODY[word] or not args[-1].isdigit():
            raise ProtocolError(f"a reply that beanstalkd does not give: {word!r} {args!r}")
        body_end = end + int(args[-1])
        if len(self._buffer) < body_end + len(_CRLF):
            return None
        if self._buffer[body_end : body_end + len(_CRLF)] != _CRLF:
            raise ProtocolError("a reply's body is longer than it says")
        reply = Reply(word, tuple(args), bytes(self._buffer[end:body_end]))
        return reply, body_end + len(_CRLF)


def encode_put(body: bytes, priority: int, delay_seconds: int, ttr_seconds: int) -> bytes:
    """Encode `put`. `ValueError` for a priority outside 0..9 or an impossible delay."""
    line = b"put %d %d %d %d\r\n" % (
        to_server_priority(priority),
        _delay(delay_seconds),
        ttr_seconds,
        len(body),
    )
    return line + body + _CRLF


def encode_release(entry_id: int, priority: int, delay_seconds: int) -> bytes:
    """Encode `release`."""
    return b"release %d %d %d\r\n" % (
        entry_id,
        to_server_priority(priority),
        _delay(delay_seconds),
    )


def encode(command: str, *args: str | int) -> bytes:
    """Encode a command whose arguments are numbers or checked names."""
    return " ".join([command, *map(str, args)]).encode("ascii") + _CRLF


def to_server_priority(priority: int) -> int:
    """Map our priority to beanstalkd's."""
    if not 0 <= priority <= 9:
        raise ValueError(f"priority {priority} is not one of 0 (first) to 9 (last)")
    return priority * PRIORITY_STEP


def from_server_priority(number: int) -> int:
    """Map beanstalkd's priority to ours; a foreign one to the nearest."""
    return min(9, max(0, number // PRIORITY_STEP))


def _delay(seconds: int) -> int:
    if not 0 <= seconds <= MAX_DELAY_SECONDS:
        raise ValueError(f"a delay of {seconds} s is not possible")
    return seconds


def entry_id(reply: Reply) -> int:
    """Return the entry's id from a reply. `ProtocolError` if there is none."""
    if not reply.args or not reply.args[0].isdigit():
        raise ProtocolError(f"a reply without an entry's id: {reply.word!r} {reply.args!r}")
    return int(reply.args[0])


def parse_mapping(body: bytes) -> dict[str, str]:
    """Read the body of a `stats` reply: a YAML mapping of plain scalars, one a line."""
    result = {}
    for line in body.decode("utf-8", "replace").splitlines()[1:]:
        name, found, value = line.partition(": ")
        if found:
            result[name.strip()] = value.strip().strip('"')
    return result


def parse_list(body: bytes) -> list[str]:
    """Read the body of a `list-tubes` reply."""
    lines = body.decode("utf-8", "replace").splitlines()[1:]
    return [line.removeprefix("- ").strip() for line in lines if line.strip()]


def check(reply: Reply, *expected: bytes) -> Reply:
    """Return the reply if its word is expected; an error of ours otherwise."""
    if reply.word in expected:
        return reply
    match reply.word:
        case b"DRAINING":
            raise QueueRefusedError("the queue server is draining and takes no new entries")
        case b"JOB_TOO_BIG":
            raise QueueRefusedError("the entry is larger than the queue server accepts")
        case b"OUT_OF_MEMORY":
            raise QueueRefusedError("the queue server is out of memory")
        case _:
            raise ProtocolError(f"the queue server answered {reply.word!r}")


def _facts(read: Callable[P, T]) -> Callable[P, T]:
    """Turn what is missing or no number in a `stats` reply into a `ProtocolError`."""

    @functools.wraps(read)
    def checked(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return read(*args, **kwargs)
        except (KeyError, ValueError) as error:
            raise ProtocolError(
                f"facts that beanstalkd always gives are missing: {error}"
            ) from error

    return checked


@_facts
def entry_stats(entry_id: int, values: Mapping[str, Any]) -> EntryStats:
    """Read the mapping of `stats-job`."""
    return EntryStats(
        id=entry_id,
        tube=str(values["tube"]),
        state=str(values["state"]),
        priority=from_server_priority(int(values["pri"])),
        age_seconds=int(values["age"]),
        delay_seconds=int(values["delay"]),
        time_left_seconds=int(values["time-left"]),
        reserves=int(values["reserves"]),
        releases=int(values["releases"]),
    )


@_facts
def tube_stats(tube: str, values: Mapping[str, Any]) -> TubeStats:
    """Read the mapping of `stats-tube`."""
    return TubeStats(
        name=tube,
        ready=int(values["current-jobs-ready"]),
        reserved=int(values["current-jobs-reserved"]),
        delayed=int(values["current-jobs-delayed"]),
        buried=int(values["current-jobs-buried"]),
        total=int(values["total-jobs"]),
        deleted=int(values["cmd-delete"]),
        waiting=int(values["current-waiting"]),
    )


@_facts
def server_stats(values: Mapping[str, Any]) -> ServerStats:
    """Read the mapping of `stats`. Servers before 1.11 do not say whether they drain."""
    return ServerStats(
        id=str(values["id"]),
        version=str(values["version"]),
        uptime_seconds=int(values["uptime"]),
        binlog=int(values["binlog-current-index"]) > 0,
        draining=str(values.get("draining", "false")).lower() == "true",
    )
