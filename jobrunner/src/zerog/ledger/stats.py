"""Counts of what happens in queues, minute by minute, kept in the datastore for some hours.

They equal the records: each change of a job's record is counted once, also if the process that
made it dies at any moment (`zerog.ledger.tally`, `zerog.ledger.recount`). Only `accepted` may lack
what an API process had not added yet when it was killed: to write ahead of each POST would cost
more than it tells.

Every process counts in memory, which costs a job next to nothing, and adds its counts to a
document of the minute every few seconds. A minute has a few such documents, its shards, whatever
the number of jobs and processes: each process adds to one of them, readers add them up, and they
vanish by themselves. So the history is whole after a restart, is the same whichever process is
asked, and needs no other program.
"""

import asyncio
import contextlib
import logging
import random
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from msgspec import Struct

from zerog.ledger import counts, tally
from zerog.ledger.counts import COUNTS, RUNS, WAITS, Counts, JobKind, mean
from zerog.ledger.tally import (
    BUCKET_SECONDS,
    KEEP_SECONDS,
    SHARDS,
    ChangeNote,
    ClaimNote,
    Tally,
    kind_of,
    minute_key,
    shard_key,
)
from zerog.ledger.usage import Usage, usage_of
from zerog.model.documents import read
from zerog.model.errors import DatastoreError, UnreadableDocumentError
from zerog.model.record import JobId, JobRecord, QueueName
from zerog.store.port import Datastore, Document

__all__ = ["BUCKET_SECONDS", "KEEP_SECONDS", "PastMinutes", "QueueMinutes", "Stats", "read_history"]

log = logging.getLogger(__name__)

#: Counts are added to the datastore this often.
FLUSH_SECONDS = 5.0
#: What is not settled is written again this often, as a sign of life.
SIGN_OF_LIFE_SECONDS = 15.0


class _KindMinute(Struct):
    """What a minute's document holds of a kind."""

    queue: QueueName
    type: str
    counts: Counts


class Stats:
    """The counts of one process. `run` adds them to the datastore."""

    def __init__(self, store: Datastore, *, worker: str = "", shard: int | None = None) -> None:
        """`worker` is the name in the attempts that this process makes, if it is a worker.
        `shard` is the one to add to; None: any, so that processes spread over all."""
        shard = random.randrange(SHARDS) if shard is None else shard
        self._store = store
        self._tally = Tally(secrets.token_hex(6), worker, shard)
        self._lock = asyncio.Lock()
        self._saving: set[asyncio.Task[None]] = set()
        #: Notes that were made, and how many of them the stored tally has.
        self._noted = self._saved = 0
        self._is_stored = self._is_behind = False
        self._flushes_since_save = 0
        #: Hears of what is counted. None: nobody shows this process's own counts.
        self.listener: Callable[[Sequence[counts.Fact]], None] | None = None

    @classmethod
    def resume(cls, store: Datastore, found: Tally) -> "Stats":
        """Return the counts of a process that is dead, to be added in its place."""
        stats = cls(store)
        stats._tally, stats._is_stored = found, True
        return stats

    @property
    def tally(self) -> Tally:
        """What is not added yet."""
        return self._tally

    def accepted(self, record: JobRecord) -> None:
        """Count a job that was accepted."""
        self._add([counts.accepted(record)])

    async def note_claims(self, uuids: Iterable[JobId], now: datetime) -> None:
        """Write down that jobs are about to be claimed. Raises what the store raises.

        What is written to the store from now on is never there without this note.
        """
        for uuid in uuids:
            self._tally.claims.setdefault(uuid, ClaimNote(now))
        await self._save_first()

    def forget_claim(self, uuid: str) -> None:
        """Take back that a job is to be claimed, unless it was."""
        note = self._tally.claims.get(JobId(uuid))
        if note is not None and not note.started:
            del self._tally.claims[JobId(uuid)]

    def lost(self, record: JobRecord, now: datetime) -> None:
        """Count an attempt whose job another worker has taken over."""
        kind = JobKind(record.queue, record.type)
        self._add([counts.Fact(now, kind, {"lost": 1})])

    def end_claim(self, uuid: JobId) -> None:
        """Take note that this process has nothing more to write about a job that it claimed."""
        self._tally.claims.pop(uuid, None)

    async def note_change(self, before: JobRecord, after: JobRecord) -> None:
        """Write down what a change is about to count, unless the note of a claim covers it.

        Raises what the store raises.
        """
        if self._covers(before, after):
            if self._is_behind:  # the claim's note was not written
                await self._save()
            return
        facts = [fact for fact in counts.of_change(before, after) if "accepted" not in fact.counts]
        if not facts:
            return
        self.forget_change(after.uuid, after.changed_time)
        stored = [(fact.time, (fact.kind.queue, fact.kind.type), fact.counts) for fact in facts]
        self._tally.changes.append(ChangeNote(after.uuid, after.changed_time, stored))
        await self._save_first()

    def forget_change(self, uuid: str, time: datetime) -> None:
        """Take back that a change is to be made."""
        self._tally.changes = [
            note for note in self._tally.changes if (note.uuid, note.time) != (uuid, time)
        ]

    def _covers(self, before: JobRecord, after: JobRecord) -> bool:
        """Whether what a change counts can be read from its attempt, if this process dies."""
        begins_or_ends = after.attempt > before.attempt or before.current_attempt is not None
        return (
            begins_or_ends
            and after.uuid in self._tally.claims
            and after.attempts[-1].worker.name == self._tally.worker
        )

    def count(self, before: JobRecord, after: JobRecord) -> None:
        """Count what a change of a job's record was."""
        facts = counts.of_change(before, after)
        if not facts:
            return
        self._add(facts)
        if self._tally.changes:
            self.forget_change(after.uuid, after.changed_time)
        note = self._tally.claims.get(after.uuid)
        if note is None:
            return
        if after.attempt > before.attempt:
            note.started = after.attempt
        elif note.started == after.attempt:
            del self._tally.claims[after.uuid]

    def _add(self, facts: Sequence[counts.Fact]) -> None:
        self._tally.add(facts)
        if self.listener is not None:
            self.listener(facts)

    async def run(self) -> None:
        """Add the counts every few seconds until cancelled; then `flush` adds the rest."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            try:
                await self.flush()
            except Exception:  # counts are for people: nothing about them must end the process
                log.exception("counts wait")

    async def flush(self) -> None:
        """Add the counts to their minutes. What could not be added is kept for next time."""
        self._tally.cut()
        self._flushes_since_save += 1
        try:
            if self._tally.held or self._tally.sending:
                await tally.send(self._store, self._tally)
                self._is_stored, self._flushes_since_save = True, 0
            if not self._is_stored:
                return
            if self._tally.is_settled:
                await self._store.remove("tallies", self._tally.key)
                self._is_stored = False
            elif self._flushes_since_save * FLUSH_SECONDS >= SIGN_OF_LIFE_SECONDS:
                await self._save()
        except DatastoreError as error:
            log.info("counts wait for the datastore: %s", error)

    async def _save_first(self) -> None:
        """See to it that no later write is there without what is noted now."""
        self._noted += 1
        if not self._store.writes_in_order:
            await self._save_together(self._noted)
            return
        if self._is_behind:
            await self._save()
            return
        saving = asyncio.create_task(self._save(may_wait=True), name="tally")
        self._saving.add(saving)
        saving.add_done_callback(self._end_saving)
        await asyncio.sleep(0)  # now it has been asked for, and shares the next transaction

    async def _save_together(self, noted: int) -> None:
        """Write the tally, unless another one's write has this note too."""
        async with self._lock:
            if self._saved < noted:
                now_noted = self._noted
                await self._save()
                self._saved = now_noted

    async def _save(self, *, may_wait: bool = False) -> None:
        self._is_stored, self._flushes_since_save = True, 0
        try:
            await tally.save(self._store, self._tally, may_wait=may_wait)
        except DatastoreError:
            self._is_behind = True
            raise
        self._is_behind = False

    def _end_saving(self, task: "asyncio.Task[None]") -> None:
        self._saving.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            log.warning("the counts of this process are not written down: %s", error)


@dataclass(frozen=True, slots=True)
class QueueMinutes:
    """What happened in one queue; each list has one item a minute, oldest first."""

    counts: dict[str, list[int]]
    #: Of the attempts that began: mean, and what 95 in 100 stayed below. None: nothing began.
    wait_mean_seconds: list[float | None]
    wait_95_seconds: list[float | None]
    #: Mean of the attempts that ended. None: nothing ended.
    run_mean_seconds: list[float | None]


@dataclass(frozen=True, slots=True)
class PastMinutes:
    """What happened in the last minutes."""

    #: The minutes' beginnings, this one last.
    minutes: list[str]
    queues: dict[str, QueueMinutes]
    #: What the types of each queue took in all these minutes.
    usage: list[Usage]


async def read_history(store: Datastore, now: float, minutes: int) -> PastMinutes:
    """Return what happened in the last minutes. Raises what the store raises."""
    keys = minute_keys(now, minutes)
    by_kind = await read_minutes(store, keys)
    found = [counts.by_queue(minute) for minute in by_kind]
    queues = sorted({queue for minute in found for queue in minute})
    histories = {queue: history_of([minute.get(queue, {}) for minute in found]) for queue in queues}
    return PastMinutes(keys, histories, usage_of(counts.sum_up(by_kind)))


def minute_keys(now: float, minutes: int) -> list[str]:
    """Return how the last minutes are called, this one last. Pure."""
    return [minute_key(now - BUCKET_SECONDS * back) for back in reversed(range(minutes))]


def minutes_after(minute: str, until: str) -> list[str]:
    """Return how the minutes are called that come after one, up to another one. Pure."""
    first, last = (_seconds_of(each) // BUCKET_SECONDS for each in (minute, until))
    return [minute_key(number * BUCKET_SECONDS) for number in range(first + 1, last + 1)]


def _seconds_of(minute: str) -> int:
    return int(datetime.strptime(minute, "%Y-%m-%dT%H:%MZ").replace(tzinfo=UTC).timestamp())


async def read_minutes(store: Datastore, minutes: Sequence[str]) -> list[dict[JobKind, Counts]]:
    """Return the counts of each of these minutes by kind. One read."""
    shards = [[shard_key(key, shard) for shard in range(SHARDS)] for key in minutes]
    stored = await store.get_many("stats", [key for several in shards for key in several])
    return [
        counts.sum_up([readable(stored[key].document) for key in several if key in stored])
        for several in shards
    ]


def readable(document: Document) -> dict[JobKind, Counts]:
    """Return the counts of the kinds whose counts can be read. Pure."""
    found = {}
    for key, counted in document.items():
        if key == tally.MARKS:
            continue
        queue, name = kind_of(key)
        with contextlib.suppress(UnreadableDocumentError):
            kind = read({"queue": queue, "type": name, "counts": counted}, _KindMinute)
            found[JobKind(kind.queue, kind.type)] = kind.counts
    return found


def history_of(minutes: Sequence[Mapping[str, int]]) -> QueueMinutes:
    """Turn a queue's counts, minute by minute, into its history. Pure."""
    return QueueMinutes(
        {name: [item.get(name, 0) for item in minutes] for name in COUNTS},
        [mean(item.get(WAITS.total, 0), item.get("started", 0)) for item in minutes],
        [WAITS.quantile(item, 0.95) for item in minutes],
        [mean(item.get(RUNS.total, 0), item.get("ended", 0)) for item in minutes],
    )
