"""What reads bytes of others, to be fuzzed in process: thousands of inputs a second.

Each decoder refuses an input by the error that its callers expect, or reads something that can be
written and read again. Anything else is an exception, and a complaint.
"""

import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from tests.chaos.hostile import FRAMES, Hostile

from zerog.child.protocol import (
    EndFrame,
    FrameError,
    FrameReader,
    FromChild,
    FromNursery,
    ReceivedByChild,
    encode,
)
from zerog.ledger.codec import read_record, write_record
from zerog.model import documents, events, jsontext, life
from zerog.model.documents import ControlDocument, PoolDocument, TypeDocument, WorkerDocument, write
from zerog.model.errors import JobStateError, QueueError, UnreadableDocumentError
from zerog.model.record import Cause, JobRecord, WorkerIdentity, new_job_id, parse_time
from zerog.queue.beanstalk import wire
from zerog.worker.verdict import Stop, verdict
from zerog_api.edge.reading import asked_of_batch, read_model, read_query
from zerog_api.models import Batch, Hold, Request, RunOptions, Selection
from zerog_api.models.request import InfoQuery, ListQuery, NoQuery, StatsQuery, WaitQuery
from zerog_api.problems import Problem

NOW = parse_time("2026-01-01T00:00:00Z")
UUID = new_job_id()
#: Every type of stored document but the record.
KINDS = [
    kind
    for kind in vars(documents).values()
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct) and kind.__name__[0] != "_"
    and kind.__module__ == documents.__name__
]  # fmt: skip
#: What documents of the small collections look like.
STORED: dict[str, Any] = {
    "types": write(TypeDocument("odd0", "later", {"type": "object", "properties": {
        "n": {"type": "integer", "minimum": 0, "multipleOf": 3, "maximum": 9}}})),
    "workers": write(WorkerDocument("odd0", ["later"], ["odd0"], 1, [], "running", NOW, NOW, 5)),
    "pools": write(PoolDocument("n", "odd0", "later", 0, 9, "as wanted", "True", "", busy=1)),
    "controls": write(ControlDocument("queue", "odd0", NOW, "ada", "because")),
}  # fmt: skip


@dataclass(frozen=True)
class Decoder:
    """Something that reads bytes of others."""

    #: What it reads, in the figure.
    name: str
    #: Makes an input.
    throw: Callable[[Hostile], bytes]
    #: Reads it, and returns whether it was accepted. Raises what nobody expects.
    read: Callable[[bytes], bool]
    #: Inputs with nothing wrong in them.
    samples: Sequence[bytes]


# Frames


NURSERY: list[Any] = [
    {"op": "importing", "module": "jobs"},
    {"op": "failed", "module": "jobs", "error": "ImportError", "fatal": False},
    {"op": "types", "types": [{"name": "T", "queue": "default", "schema": {"type": "object"}}]},
    {"op": "forked", "ticket": 1, "pid": 2},
    {"op": "refused", "ticket": 1, "error": "no"},
    {"op": "died", "pid": 2, "exitcode": -9, "oom": None, "maxRssBytes": 1, "killed": True},
    {"op": "pong"},
]
ORDERS: list[Any] = [
    {"op": "run", "run": "r", "uuid": UUID, "attempt": 1, "type": "T", "parameters": {"x": 1},
     "state": '{"x":1}', "deadline": "2026-01-01T00:00:00Z"},
    {"op": "check", "run": "r", "type": "T", "parameters": {"x": 1}},
    {"op": "cancel", "run": "r", "why": "cancel"},
    {"op": "exit"},
]  # fmt: skip


def framed(body: bytes) -> bytes:
    """Return a body with its length."""
    return struct.pack(">I", len(body)) + body


def _frames(kinds: Any, samples: list[Any], *, written: bool) -> Decoder:
    """Return the decoder of one end of a pipe. `written`: we write what it reads, too."""

    def throw(hostile: Hostile) -> bytes:
        first, second, third = hostile.random.choices(samples, k=3)
        bodies = [to_json(first), hostile.document(second), to_json(third)]
        data = b"".join(map(framed, bodies))
        return hostile.damaged(data) if hostile.random.random() < 0.2 else data

    def read(data: bytes) -> bool:
        frames, accepted = read_frames(kinds, data, len(data))
        pieces = read_frames(kinds, data, 1 + len(data) // 8)
        assert (frames, accepted) == pieces, "pieces are read otherwise"
        for frame in frames if written else []:
            assert read_frames(kinds, encode(frame), 2**30) == ([frame], True), frame
            _check_texts(frame)
            if isinstance(frame, EndFrame):
                for stop in (None, Stop.TIMEOUT):
                    _take_step(RUNNING, verdict(frame.end, 1, stop))
        return accepted

    return Decoder("frames", throw, read, [framed(to_json(sample)) for sample in samples])


def _check_texts(frame: Any) -> None:
    """Check what travels as the text of a JSON object, and is only passed on."""
    for part in (frame, getattr(frame, "end", None)):
        for name in ("state", "data"):
            text = getattr(part, name, None)
            if isinstance(text, str) and (name == "state" or part is frame):
                jsontext.check_object(text)


def read_frames(kinds: Any, data: bytes, size: int) -> tuple[list[Any], bool]:
    """Read frames from pieces of some size. Return them, and whether nothing was refused."""
    reader: FrameReader[Any] = FrameReader(kinds)
    frames: list[Any] = []
    try:
        for start in range(0, len(data), max(1, size)):
            # What is complete before a wrong one counts, so not a list of it.
            frames.extend(reader.feed(data[start : start + size]))
    except FrameError:
        return frames, False
    return frames, True


def to_json(value: Any) -> bytes:
    """Return the compact JSON that processes write."""
    return msgspec.json.encode(value)


# Records


CLAIM = events.Claimed(WorkerIdentity("w-1"), 7)
DEATH = events.WorkerDied("w-1", NOW, Cause.OUT_OF_MEMORY, "killed", True, "larger")


def _running() -> JobRecord:
    record = JobRecord(UUID, "T", "default", NOW, NOW, parameters={"x": 1}, job_state='{"x":1}')
    return life.step(record, CLAIM, NOW).record


RUNNING = _running()
FINISHED = life.step(RUNNING, events.Returned(1, 200, {"x": 1}), NOW).record
WAITING = life.step(RUNNING, events.Raised(1, "no", retry_seconds=5), NOW).record
#: Bodies of documents, as the store has them.
DOCUMENTS: list[Any] = [
    *map(write_record, [RUNNING, WAITING, FINISHED]),
    {"attempt": 1, "completeness": 0.5, "updatedTime": "2026-01-01T00:00:00Z"},
    {"server": "1", "sinceTime": "2026-01-01T00:00:00Z", "after": UUID},
    {"lines": [{"seq": 0, "time": "2026-01-01T00:00:00Z", "level": "info", "message": "m",
                "data": '{"x":1}'}]},
    {"parameters": {"x": 1}},
    {"data": {"x": 1}},
    {"uuids": [UUID], "fingerprint": "f", "accepted": True},
    {"processes": ["api-1"]},
    *STORED.values(),
]  # fmt: skip


def _throw_document(hostile: Hostile) -> bytes:
    return hostile.document(hostile.random.choice(DOCUMENTS))


def _read_document(data: bytes) -> bool:
    """Read a body as every kind of document, since what is stored where is not ours to say."""
    try:
        document = jsontext.loads(data)
        # 1e999 is read as infinite, and cannot be written: no process of ours stores it.
        jsontext.dumps(document)
    except ValueError:
        return False
    if not isinstance(document, dict):
        return False
    accepted = [_read_as(kind, document) for kind in KINDS]
    return _read_as_record(document) or any(accepted)


def _read_as(kind: type[Any], document: dict[str, Any]) -> bool:
    try:
        value = documents.read(document, kind)
    except UnreadableDocumentError:
        return False
    stored = jsontext.loads(jsontext.dumps(documents.write(value)))
    assert documents.read(stored, kind) == value, value
    return True


def _read_as_record(document: dict[str, Any]) -> bool:
    try:
        record = read_record(document)
    except UnreadableDocumentError:
        return False
    _check_stored(record)
    for event in _possible(record.attempt):
        _take_step(record, event)
    return True


def _possible(attempt: int) -> list[events.Event]:
    """Return what may happen next to a job whose record came from somewhere."""
    return [
        CLAIM, DEATH, events.CancelRequested(), events.Replayed(), events.Queued(8),
        events.PutAside("no"), events.Returned(attempt, 200, 1), events.Continued(attempt, 5),
        events.Raised(attempt, "no"), events.Crashed(attempt, "dead", True, "larger"),
        events.Interrupted(attempt, "drained"), events.AttemptTimedOut(attempt),
    ]  # fmt: skip


def _take_step(record: JobRecord, event: events.Event) -> None:
    try:
        after = life.step(record, event, NOW)
    except JobStateError:
        return
    _check_stored(after.record)
    if isinstance(after.action, events.Release | events.Put):
        assert 0 <= after.action.delay_seconds <= wire.MAX_ENTRY_DELAY_SECONDS, after


def _check_stored(record: JobRecord) -> None:
    stored = jsontext.loads(jsontext.dumps(write_record(record)))
    assert read_record(stored) == record, record


# Replies of beanstalkd


STATS = (
    b"---\nid: 7\ntube: t\nstate: ready\npri: 500\ndelay: 0\nreserves: 0\nreleases: 0\nage: 1\n"
    b"name: t\ncurrent-jobs-ready: 1\ncurrent-jobs-reserved: 0\ncurrent-jobs-delayed: 0\n"
    b"current-jobs-buried: 0\ntotal-jobs: 1\ncmd-delete: 0\ncurrent-waiting: 0\n"
    b"current-watching: 0\ndraining: false\n"
)
REPLIES = [
    b"INSERTED 7\r\n", b"BURIED 7\r\n", b"RESERVED 1 4\r\nb\r\ny\r\n", b"TIMED_OUT\r\n",
    b"NOT_FOUND\r\n", b"DEADLINE_SOON\r\n", b"OK 25\r\n---\n- default\n- zerog.x\n\n\r\n",
    b"OK %d\r\n%s\r\n" % (len(STATS), STATS), b"FOUND 2 0\r\n\r\n", b"DRAINING\r\n",
]  # fmt: skip
READERS: list[Callable[[wire.Reply], Any]] = [
    wire.read_id, wire.read_entry, wire.read_entry_stats, wire.read_tube_stats,
    wire.read_server_stats, wire.read_list,
]  # fmt: skip


def _throw_replies(hostile: Hostile) -> bytes:
    replies = hostile.random.choices(REPLIES, k=3)
    return hostile.damaged(b"".join(replies))


def _read_replies(data: bytes) -> bool:
    try:
        replies = wire.ReplyReader().feed(data)
    except wire.ProtocolError:
        return False
    accepted = [_read_reply(read, reply) for reply in replies for read in READERS]
    return any(accepted)


def _read_reply(read: Callable[[wire.Reply], Any], reply: wire.Reply) -> bool:
    try:
        read(reply)
    except QueueError:
        return False
    return True


# Requests


BODIES: list[Any] = [
    {"jobs": [{"type": "T", "parameters": {"x": 1}, "priority": 1, "delay": 1.0, "timeout": 1.0},
              {"type": "T", "parameters": {}, "startAt": "2026-01-01T00:00:00Z"}]},
    {"filter": {"state": "queued", "type": ["A", "B"], "uuids": UUID}, "limit": 1},
    {"filter": {"queue": "default"}},
    {"reason": "because"},
]  # fmt: skip
QUERIES = [
    "priority=1&delay=1.5&timeout=3", "startAt=2026-01-01T00:00:00Z", "limit=5&cursor=abc",
    "type=A&type=B&state=queued&queue=default", "wait=5", "minutes=5", "limit=1&cursor=1-5",
]  # fmt: skip


IN_BODIES: list[type[Request]] = [Batch, Selection, Hold]
IN_QUERIES: list[type[Request]] = [
    NoQuery, RunOptions, ListQuery, InfoQuery, WaitQuery, StatsQuery,
]  # fmt: skip


def _throw_body(hostile: Hostile) -> bytes:
    return hostile.document(hostile.random.choice(BODIES))


def _read_body(data: bytes) -> bool:
    try:
        value = jsontext.loads_embeddable(data)
    except ValueError:
        return False
    accepted = [_answers(model, lambda model: _read_model(model, value)) for model in IN_BODIES]
    return any(accepted)


def _read_model(model: type[Request], value: Any) -> None:
    read = read_model(model, value, only_first=model is Batch)
    if isinstance(read, Batch):
        asked_of_batch(read, NOW)


def _throw_query(hostile: Hostile) -> bytes:
    query = hostile.random.choice(QUERIES)
    name, _, value = query.partition("=")
    if hostile.random.random() < 0.5:
        query = f"{name}={hostile.number_text()}&{value}"
    return hostile.damaged(query.encode())


def _read_query(data: bytes) -> bool:
    # Tornado gives what came after the question mark as text of one character a byte.
    text = data.decode("latin-1")
    accepted = [_answers(model, lambda model: read_query(model, text)) for model in IN_QUERIES]
    return any(accepted)


def _answers(model: type[Request], read: Callable[[type[Request]], object]) -> bool:
    try:
        read(model)
    except Problem as problem:
        document = problem.to_document()
    else:
        return True
    assert 400 <= document["status"] < 500, document
    jsontext.dumps(document)
    return False


DECODERS = [
    _frames(FromChild, FRAMES, written=True),
    _frames(FromNursery, NURSERY, written=True),
    _frames(ReceivedByChild, ORDERS, written=False),
    Decoder("documents", _throw_document, _read_document, list(map(to_json, DOCUMENTS))),
    Decoder("replies", _throw_replies, _read_replies, REPLIES[:1]),
    Decoder("bodies", _throw_body, _read_body, list(map(to_json, BODIES))),
    Decoder("queries", _throw_query, _read_query, [query.encode() for query in QUERIES]),
]
