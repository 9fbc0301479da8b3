"""The counts that a process has not added to the datastore yet, and how they survive its death.

A process keeps one document, its tally, which is written *before* what it counts:

- `claims`: jobs that a worker is about to claim or has claimed. If it dies, the begin and the end
  of its attempt are read from the record (`zerog.ledger.recount`).
- `changes`: other changes that it is about to make, and what they count. Each has the time that
  the change writes into the record, by which it is known later whether it was made.
- `held`: what was counted and not added yet. `sending`: what is being added.

What is sent is added once, however often it is sent: each process has a mark in the document that
it adds to, and an addition moves the mark. One whose mark has moved already was made.

So a tally may be finished by anybody, also while its process still lives: both would make the
same additions.
"""

import contextlib
import logging
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from msgspec import Struct, field

from zerog.ledger.counts import Counts, Fact, JobKind
from zerog.model.documents import write
from zerog.model.errors import (
    AmbiguousWriteError,
    DatastoreError,
    DocumentExistsError,
    DocumentNotFoundError,
)
from zerog.model.record import Count, JobId, Time
from zerog.store.port import MAX_PATCH_OPS, Datastore, PatchOp

log = logging.getLogger(__name__)

BUCKET_SECONDS = 60
#: Documents of a minute. 5,000 workers write 1,000 times a second, and a document is stored and
#: replicated whole each time; a reader reads this many for each minute.
SHARDS = 8
#: How long a minute is kept.
KEEP_SECONDS = 6 * 3600.0
#: How long a tally outlives its last write. Then its minutes are gone, too.
EXPIRE_SECONDS = KEEP_SECONDS
#: Counts that could not be written for this many minutes are dropped, so that memory is bounded.
MAX_MINUTES_HELD = 60
#: Of this many minutes the marks are remembered. An addition to an older one begins anew.
MAX_MARKS = 15
#: Where a minute's document has the marks. No kind is written like that.
MARKS = "marks"
#: Additions of one patch: the others move the mark.
_ADDITIONS = MAX_PATCH_OPS - 2
#: A part of an addition is sent this often before it is left for the next time.
_TRIES = 3


class ClaimNote(Struct):
    """A job that a worker is about to claim, or has claimed."""

    #: Its attempt does not begin before.
    since: Time
    #: The number of the attempt whose begin has been counted; 0: none has.
    started: Count = 0


class ChangeNote(Struct):
    """A change that is about to be made, and what it counts."""

    uuid: JobId
    #: What the record shows once it is made.
    time: Time
    facts: list[tuple[Time, tuple[str, str], Counts]]


class Addition(Struct):
    """Counts that are added to a minute's document by one patch."""

    minute: str
    kind: tuple[str, str]
    #: What the mark becomes.
    number: Count
    counts: Counts


class Tally(Struct, rename="camel"):
    """A process's document. See the module's docstring."""

    #: Its key, and the mark's name.
    key: str
    #: The worker's name in its attempts; empty: no worker.
    worker: str = ""
    shard: Count = 0
    #: Raised with each write: an observer sees by it that the process lives.
    beat: Count = 0
    claims: dict[JobId, ClaimNote] = field(default_factory=dict)
    changes: list[ChangeNote] = field(default_factory=list)
    #: Minute → kind, as text → counts.
    held: dict[str, dict[str, Counts]] = field(default_factory=dict)
    sending: list[Addition] = field(default_factory=list)
    #: Minute → the last mark there.
    marks: dict[str, Count] = field(default_factory=dict)

    @property
    def is_settled(self) -> bool:
        """Whether nothing is lost if the process dies now."""
        return not (self.claims or self.changes or self.held or self.sending)

    def add(self, facts: Iterable[Fact]) -> None:
        """Hold what facts count."""
        for time, kind, counted in facts:
            minute = self.held.setdefault(minute_key(time.timestamp()), {})
            held = minute.setdefault(kind_key(kind), {})
            for name, number in counted.items():
                held[name] = held.get(name, 0) + number

    def cut(self) -> None:
        """Drop the oldest minutes of too many."""
        for minute in sorted(self.held)[:-MAX_MINUTES_HELD]:
            del self.held[minute]
        needed = {addition.minute for addition in self.sending}
        for minute in sorted(self.marks.keys() - needed)[:-MAX_MARKS]:
            del self.marks[minute]


async def save(store: Datastore, tally: Tally, *, may_wait: bool = False) -> None:
    """Write a process's tally. Raises what the store raises."""
    tally.beat += 1
    document = _document(tally)
    await store.upsert(
        "tallies", tally.key, document, expire_seconds=EXPIRE_SECONDS, may_wait=may_wait
    )


def _document(tally: Tally) -> dict[str, Any]:
    return {name: value for name, value in write(tally).items() if value}


async def send(store: Datastore, tally: Tally) -> None:
    """Add what is held to its minutes. What could not be added is still there afterwards.

    Raises what the store raises; counts that it refuses are dropped.
    """
    if tally.sending:  # left from the last time
        await save(store, tally)
        await _make_all(store, tally)
    for minute in sorted(tally.held):
        if minute not in tally.marks:
            with contextlib.suppress(DocumentExistsError):
                # Made with its expiry, so that no crash leaves a minute for ever.
                key = shard_key(minute, tally.shard)
                await store.insert("stats", key, {}, expire_seconds=KEEP_SECONDS)
            tally.marks[minute] = 0
        tally.sending.extend(_additions(tally, minute))
        del tally.held[minute]
    # From here on anybody can finish it, and nothing was added before.
    await save(store, tally)
    await _make_all(store, tally)


def _additions(tally: Tally, minute: str) -> Iterator[Addition]:
    for key, counts in tally.held[minute].items():
        items = [(name, number) for name, number in counts.items() if number]
        for start in range(0, len(items), _ADDITIONS):
            tally.marks[minute] += 1
            part = dict(items[start : start + _ADDITIONS])
            yield Addition(minute, kind_of(key), tally.marks[minute], part)


async def _make_all(store: Datastore, tally: Tally) -> None:
    while tally.sending:
        await _make(store, tally, tally.sending[0])
        del tally.sending[0]


async def _make(store: Datastore, tally: Tally, addition: Addition) -> None:
    """Make an addition, unless it was made before."""
    key, number = shard_key(addition.minute, tally.shard), addition.number
    kind = kind_key(JobKind(*addition.kind))
    moved = _mark_moves(tally.key, number)
    counted = [PatchOp("incr", (kind, name), count) for name, count in addition.counts.items()]
    for _ in range(_TRIES):
        try:
            await store.patch("stats", key, [*moved, *counted])
            return
        except AmbiguousWriteError:
            continue  # made or not: the mark tells
        except DocumentNotFoundError:  # somebody has removed the minute
            marks = {MARKS: {tally.key: {str(number - 1): 1}}} if number > 1 else {}
            with contextlib.suppress(DocumentExistsError):
                await store.insert("stats", key, marks, expire_seconds=KEEP_SECONDS)
        except DatastoreError as error:
            if error.transient:
                raise
            if await _is_made(store, tally, key, number):
                return
            log.warning("counts of %s cannot be kept: %s", kind, error)
            counted = []
    if counted:
        raise AmbiguousWriteError(f"counts may have been added to {key}")


def _mark_moves(name: str, number: int) -> list[PatchOp]:
    """Return what moves a process's mark to a number, and fails if it is there already.

    A number is added to what is not there, but not to the object that the first addition leaves.
    """
    if number == 1:
        return [PatchOp("incr", (MARKS, name), 1), PatchOp("set", (MARKS, name), {"1": 1})]
    return [
        PatchOp("unset", (MARKS, name, str(number - 1))),
        PatchOp("set", (MARKS, name, str(number)), 1),
    ]


async def _is_made(store: Datastore, tally: Tally, key: str, number: int) -> bool:
    """Whether a process's mark has come to a number, or past it."""
    stored = await store.get("stats", key)
    marks = stored.document.get(MARKS) if stored is not None else None
    mark = marks.get(tally.key) if isinstance(marks, dict) else None
    return isinstance(mark, dict) and any(int(each) >= number for each in mark)


@lru_cache(maxsize=1024)  # each job asks several times
def kind_key(kind: JobKind) -> str:
    """Return what a kind is called in a document: a plain word, which every store patches well."""
    return f"{kind.queue} {kind.type}".replace(".", ":")


def kind_of(key: str) -> tuple[str, str]:
    """Return the queue and the type that `kind_key` made a key of."""
    queue, _, name = key.replace(":", ".").partition(" ")
    return queue, name


def minute_key(seconds: float) -> str:
    """Return how a moment's minute is called, by which its documents have their keys."""
    return _key_of(int(seconds // BUCKET_SECONDS))


def shard_key(minute: str, shard: int) -> str:
    """Return the key of one of a minute's documents."""
    return f"{minute}::{shard}"


@lru_cache(maxsize=2)  # each job asks several times
def _key_of(minute: int) -> str:
    return datetime.fromtimestamp(minute * BUCKET_SECONDS, UTC).strftime("%Y-%m-%dT%H:%MZ")
