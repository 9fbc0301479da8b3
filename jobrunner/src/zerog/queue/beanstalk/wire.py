"""beanstalkd's protocol as pure functions: commands to bytes, bytes to replies. No I/O.

Source: `doc/protocol.txt` of beanstalkd 1.12/1.13. A reply is one line, and for some a
body of the length that the line gives, ended by CR LF.
"""

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ParamSpec, TypeVar

from zerog.model.errors import (
    InvalidTubeNameError,
    QueueRefusedError,
    QueueUnavailableError,
)
from zerog.model.limits import MAX_ENTRY_ID
from zerog.queue.port import MAX_TUBES, TTR_SECONDS, EntryStats, ServerStats, TubeStats

P = ParamSpec("P")
T = TypeVar("T")

#: beanstalkd's priority is a 32-bit number, 0 most urgent. Ours are spread, so that a later
#: version has room between them.
PRIORITY_STEP = 100
#: The longest delay that beanstalkd can express, about 136 years.
MAX_ENTRY_DELAY_SECONDS = 2**32 - 1
#: No reply has a longer line or body; more means that the other side is not a beanstalkd.
MAX_LINE_BYTES = 1024
MAX_REPLY_BYTES = 2**30
_WITH_BODY = {b"RESERVED": 2, b"FOUND": 2, b"OK": 1}
_CRLF = b"\r\n"
#: What beanstalkd allows in a tube's name.
_TUBE = re.compile(r"[A-Za-z0-9+/;.$_()][A-Za-z0-9+/;.$_()-]{0,199}")
REFUSALS = {
    b"DRAINING": "the queue server is draining and takes no new entries",
    b"JOB_TOO_BIG": "the entry is larger than the queue server accepts",
    b"OUT_OF_MEMORY": "the queue server is out of memory",
}
_RESERVED_ANSWERS = (b"RESERVED", b"TIMED_OUT", b"DEADLINE_SOON", b"NOT_FOUND")


@dataclass(frozen=True, slots=True)
class Reply:
    """One reply: its first word, the rest of the line, and the body where it has one."""

    word: bytes
    args: tuple[bytes, ...] = ()
    body: bytes = b""


class ProtocolError(QueueUnavailableError):
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
        if (len(self._buffer) if end < 0 else end) - start > MAX_LINE_BYTES:
            raise ProtocolError("a reply without an end: is this a beanstalkd?")
        if end < 0:
            return None
        word, *args = bytes(self._buffer[start:end]).split(b" ")
        end += len(_CRLF)
        if word not in _WITH_BODY:
            return Reply(word, tuple(args)), end
        if len(args) != _WITH_BODY[word] or not args[-1].isdigit():
            raise ProtocolError(f"a reply that beanstalkd does not give: {word!r} {args!r}")
        if int(args[-1]) > MAX_REPLY_BYTES:
            raise ProtocolError("a reply that is longer than any of beanstalkd's")
        body_end = end + int(args[-1])
        if len(self._buffer) < body_end + len(_CRLF):
            return None
        if self._buffer[body_end : body_end + len(_CRLF)] != _CRLF:
            raise ProtocolError("a reply's body is longer than it says")
        reply = Reply(word, tuple(args), bytes(self._buffer[end:body_end]))
        return reply, body_end + len(_CRLF)


def encode_put(body: str, priority: int, delay_seconds: int) -> bytes:
    """Encode `put`."""
    data = encode_body(body)
    line = b"put %d %d %d %d\r\n" % (
        to_server_priority(priority),
        to_server_delay(delay_seconds),
        TTR_SECONDS,
        len(data),
    )
    return line + data + _CRLF


def encode_release(entry_id: int, priority: int, delay_seconds: int) -> bytes:
    """Encode `release`."""
    return encode_for(
        "release", entry_id, to_server_priority(priority), to_server_delay(delay_seconds)
    )


def encode_for(command: str, entry_id: int, *args: int) -> bytes:
    """Encode a command about one entry."""
    return encode(command, to_server_id(entry_id), *args)


def encode_tube(command: str, tube: str) -> bytes:
    """Encode a command about one tube."""
    return encode(command, check_tube(tube))


def encode_pause(tube: str, seconds: int) -> bytes:
    """Encode `pause-tube`."""
    return encode("pause-tube", check_tube(tube), to_server_delay(seconds))


def encode(command: str, *args: str | int) -> bytes:
    """Encode a command whose arguments are numbers or checked names."""
    return " ".join([command, *map(str, args)]).encode("ascii") + _CRLF


def encode_body(body: str) -> bytes:
    """Encode a body. What is not text becomes `?`, which no reader takes for a UUID."""
    return body.encode("utf-8", "replace")


def decode_body(body: bytes) -> str:
    """Decode a body, which any program may have put."""
    return body.decode("utf-8", "replace")


def check_tube(tube: str) -> str:
    """Return the name if it can be a tube's, or raise `InvalidTubeNameError`."""
    if not _TUBE.fullmatch(tube):
        raise InvalidTubeNameError(f"{tube[:200]!r} cannot be a tube's name")
    return tube


def to_server_id(entry_id: int) -> int:
    """Return the id, or 0 if the server cannot have given it: no entry has the id 0."""
    assert isinstance(entry_id, int), f"{entry_id!r} is not a whole number"
    return entry_id if 0 <= entry_id <= MAX_ENTRY_ID else 0


def to_server_priority(priority: int) -> int:
    """Map our priority to beanstalkd's; one outside 0 to 9 counts as the nearest."""
    assert isinstance(priority, int), f"{priority!r} is not a whole number"
    return min(9, max(0, priority)) * PRIORITY_STEP


def to_server_delay(seconds: int) -> int:
    """Return the nearest delay that beanstalkd can express.

    A job that becomes ready too early because its delay was cut is not due yet: the worker that
    reserves it delays it again.
    """
    assert isinstance(seconds, int), f"{seconds!r} is not a whole number"
    return min(MAX_ENTRY_DELAY_SECONDS, max(0, seconds))


def from_server_priority(number: int) -> int:
    """Map beanstalkd's priority to ours; a foreign one to the nearest."""
    return min(9, max(0, number // PRIORITY_STEP))


def entry_id(reply: Reply) -> int:
    """Return the entry's id from a reply. `ProtocolError` if there is none."""
    if not reply.args or not reply.args[0].isdigit():
        raise ProtocolError(f"a reply without an entry's id: {reply.word!r} {reply.args!r}")
    return check_entry_id(int(reply.args[0]))


def check_entry_id(number: int) -> int:
    """Return an id that a record can note. `ProtocolError` for one that no server counts up to."""
    if number > MAX_ENTRY_ID:
        raise ProtocolError(f"{number} is not the id of an entry")
    return number


def parse_mapping(body: bytes) -> dict[str, str]:
    """Read the body of a `stats` reply: a YAML mapping of plain scalars, one a line."""
    result = {}
    for line in body.decode("utf-8", "replace").splitlines()[1:]:
        name, found, value = line.partition(": ")
        if found:
            result[name.strip()] = value.strip().strip('"')
    return result


def parse_list(body: bytes) -> list[str]:
    """Read the body of a `list-tubes` reply, at most `MAX_TUBES` of them."""
    lines = body.split(b"\n", MAX_TUBES + 1)[1 : MAX_TUBES + 1]
    names = [line.decode("utf-8", "replace").removeprefix("- ").strip() for line in lines]
    return [name for name in names if name]


def check(reply: Reply, *expected: bytes) -> Reply:
    """Return the reply if its word is expected; an error of ours otherwise."""
    if reply.word in expected:
        return reply
    if reply.word in REFUSALS:
        raise QueueRefusedError(REFUSALS[reply.word])
    raise ProtocolError(f"the queue server answered {reply.word!r}")


def read_id(reply: Reply) -> int:
    """Read the reply to `put`. An entry that the server had to bury was put, too."""
    return entry_id(check(reply, b"INSERTED", b"BURIED"))


def found(*good: bytes) -> Callable[[Reply], bool]:
    """Return a reader of replies that are one of these words, or else `NOT_FOUND`."""
    return lambda reply: check(reply, *good, b"NOT_FOUND").word != b"NOT_FOUND"


def read_entry(reply: Reply) -> tuple[int, str] | None:
    """Read the id and body that a reserve or a peek found."""
    if reply.word != b"FOUND" and check(reply, *_RESERVED_ANSWERS).word != b"RESERVED":
        return None
    return entry_id(reply), decode_body(reply.body)


def read_entry_stats(reply: Reply) -> EntryStats | None:
    """Read the reply to `stats-job`, None for an entry that does not exist."""
    return entry_stats(parse_mapping(reply.body)) if found(b"OK")(reply) else None


def read_tube_stats(reply: Reply) -> TubeStats | None:
    """Read the reply to `stats-tube`, None for a tube that does not exist."""
    return tube_stats(parse_mapping(reply.body)) if found(b"OK")(reply) else None


def read_server_stats(reply: Reply) -> ServerStats:
    """Read the reply to `stats`."""
    return server_stats(parse_mapping(check(reply, b"OK").body))


def read_list(reply: Reply) -> list[str]:
    """Read the reply to `list-tubes`."""
    return parse_list(check(reply, b"OK").body)


def _facts(read: Callable[P, T]) -> Callable[P, T]:
    """Turn what is missing or no number in a `stats` reply into a `ProtocolError`."""

    @functools.wraps(read)
    def checked(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return read(*args, **kwargs)
        except (KeyError, ValueError) as error:
            raise ProtocolError(
                f"values that beanstalkd always reports are missing: {error}"
            ) from error

    return checked


@_facts
def entry_stats(values: Mapping[str, Any]) -> EntryStats:
    """Read the mapping of `stats-job`."""
    return EntryStats(
        id=int(values["id"]),
        tube=str(values["tube"]),
        state=str(values["state"]),
        priority=from_server_priority(int(values["pri"])),
        delay_seconds=int(values["delay"]),
        reserves=int(values["reserves"]),
        releases=int(values["releases"]),
        age_seconds=int(values["age"]),
    )


@_facts
def tube_stats(values: Mapping[str, Any]) -> TubeStats:
    """Read the mapping of `stats-tube`."""
    return TubeStats(
        name=str(values["name"]),
        ready=int(values["current-jobs-ready"]),
        reserved=int(values["current-jobs-reserved"]),
        delayed=int(values["current-jobs-delayed"]),
        buried=int(values["current-jobs-buried"]),
        total=int(values["total-jobs"]),
        deleted=int(values["cmd-delete"]),
        waiting=int(values["current-waiting"]),
        watching=int(values["current-watching"]),
    )


@_facts
def server_stats(values: Mapping[str, Any]) -> ServerStats:
    """Read the mapping of `stats`. Servers before 1.11 do not say whether they drain."""
    return ServerStats(
        # Clients that read numbers where they see digits lose zeroes in front.
        id=str(values["id"]).lstrip("0"),
        draining=str(values.get("draining", "false")).lower() == "true",
    )
