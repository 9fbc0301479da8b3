"""Counts of what happens in queues, minute by minute, kept in the datastore for some hours.

Every process counts in memory, which costs a job next to nothing, and adds its counts to
a document of the minute every few seconds. A minute has a few such documents, its shards,
whatever the number of jobs and processes: each process adds to one of them, readers add
them up, and they vanish by themselves. So the history is whole after a restart, is the
same whichever process is asked, and needs no other program.

Counts are added at most once: `incr` is not safe to repeat, so after a write whose outcome
is unknown its counts are let go. They tell people how things go; nothing decides by them.
"""

import asyncio
import contextlib
import logging
import random
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from msgspec import Struct

from zerog.model.documents import read
from zerog.model.errors import (
    AmbiguousWriteError,
    DatastoreError,
    DocumentExistsError,
    DocumentNotFoundError,
    UnreadableDocumentError,
)
from zerog.model.record import Count, JobRecord, QueueName
from zerog.store.port import MAX_PATCH_OPS, Datastore, Document, PatchOp

log = logging.getLogger(__name__)

BUCKET_SECONDS = 60
#: Documents of a minute. 5,000 workers write 1,000 times a second, and a document is stored and
#: replicated whole each time; a reader reads this many for each minute.
SHARDS = 8
#: How long a minute is kept.
KEEP_SECONDS = 6 * 3600.0
#: Counts are added to the datastore at most this often: what is lost when a process is killed.
FLUSH_SECONDS = 5.0
#: Counts that could not be written for so many minutes are let go, so that memory is bounded.
MAX_MINUTES_HELD = 60
#: Upper bounds of the histogram of waiting times, in seconds; one more bucket is above them.
WAIT_BOUNDS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0)
#: What is counted by number. `again` is an attempt that ended without ending its job.
COUNTS = ("accepted", "started", "succeeded", "failed", "cancelled", "expired", "again")


Minute = dict[str, Count]


class _QueueMinute(Struct):
    """What a minute's document holds of a queue."""

    queue: QueueName
    counts: Minute


class Stats:
    """The counts of one process. `run` writes them; the other methods only count."""

    def __init__(
        self,
        store: Datastore,
        clock: Callable[[], float] = time.time,
        *,
        shard: int | None = None,
    ) -> None:
        """`shard` is the one to add to; None: any, so that processes spread over all."""
        self._store = store
        self._clock = clock
        self._shard = random.randrange(SHARDS) if shard is None else shard
        #: Counts not written yet: (minute, queue) → field → number.
        self._held: dict[tuple[str, str], Counter[str]] = {}
        #: The newest minute whose document is known to be there.
        self._made = ""

    def accepted(self, queue: str) -> None:
        """Count a job that was accepted or replayed."""
        self._of(queue)["accepted"] += 1

    def count(self, before: JobRecord, after: JobRecord, now: datetime) -> None:
        """Count what a change of a job's record was."""
        if after.replays > before.replays:
            self.accepted(after.queue)
        if after.attempt > before.attempt:
            self._count_start(after.queue, waited_seconds(before, now))
        elif before.current_attempt is not None and after.current_attempt is None:
            # What ended was of this queue, also if the job goes through another one now.
            self._count_end(before.queue, after)
            self._count_outcome(before.queue, after)
        elif after.is_finished and not before.is_finished:
            self._count_outcome(before.queue, after)

    def _count_start(self, queue: str, waited: float) -> None:
        counts = self._of(queue)
        counts["started"] += 1
        counts["waited"] += round(waited * 1000)
        counts[f"w{bisect_left(WAIT_BOUNDS, waited)}"] += 1

    def _count_end(self, queue: str, record: JobRecord) -> None:
        last = record.attempts[-1]
        if last.ended_time is not None:
            ran = (last.ended_time - last.started_time).total_seconds()
            counts = self._of(queue)
            counts["ended"] += 1
            counts["ran"] += round(max(0.0, ran) * 1000)

    def _count_outcome(self, queue: str, record: JobRecord) -> None:
        self._of(queue)[str(record.state) if record.is_finished else "again"] += 1

    async def run(self) -> None:
        """Write the counts every few seconds until cancelled; then `flush` writes the rest."""
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            try:
                await self.flush()
            except Exception:  # counts are for people: nothing about them must end the process
                log.exception("counts are lost")

    async def flush(self) -> None:
        """Add the counts to their minutes. What surely was not written is kept for next time."""
        for minute, queue in sorted(self._held):
            counts = self._held.pop((minute, queue))
            try:
                await self._add(minute, queue, counts)
            except AmbiguousWriteError:
                continue
            except DocumentNotFoundError:
                self._made = ""  # somebody removed the minute: it is made anew next time
                self._of(queue, minute).update(counts)
            except DatastoreError as error:
                if not error.transient:
                    log.warning("counts of queue %s cannot be kept: %s", queue, error)
                    continue
                self._of(queue, minute).update(counts)
                break  # the others would wait as long, and a worker that stops cannot
        while len(minutes := {minute for minute, _ in self._held}) > MAX_MINUTES_HELD:
            oldest = min(minutes)
            self._held = {key: value for key, value in self._held.items() if key[0] != oldest}

    async def _add(self, minute: str, queue: str, counts: Counter[str]) -> None:
        key = shard_key(minute, self._shard)
        if minute > self._made:
            with contextlib.suppress(DocumentExistsError):
                # Made with its expiry, so that no crash leaves a minute for ever.
                await self._store.insert("stats", key, {}, expire_seconds=KEEP_SECONDS)
            self._made = minute
        ops = [PatchOp("incr", (queue, name), number) for name, number in counts.items() if number]
        for start in range(0, len(ops), MAX_PATCH_OPS):
            part = ops[start : start + MAX_PATCH_OPS]
            await self._store.patch("stats", key, part)
            for op in part:
                del counts[op.path[1]]  # an error of a later part shall not write these again

    def _of(self, queue: str, minute: str | None = None) -> Counter[str]:
        key = (minute or minute_key(self._clock()), queue)
        return self._held.setdefault(key, Counter())


def waited_seconds(record: JobRecord, now: datetime) -> float:
    """Return how long a job that is queued or waits has been due."""
    due = max(record.changed_time, record.not_before_time or record.changed_time)
    return max(0.0, (now - due).total_seconds())


def minute_key(seconds: float) -> str:
    """Return how a moment's minute is called, by which its documents have their keys."""
    return _key_of(int(seconds // BUCKET_SECONDS))


def shard_key(minute: str, shard: int) -> str:
    """Return the key of one of a minute's documents. The first has the minute's own key, which is
    all that an older ZeroG knows."""
    return f"{minute}::{shard}" if shard else minute


@lru_cache(maxsize=2)  # each job asks several times
def _key_of(minute: int) -> str:
    return datetime.fromtimestamp(minute * BUCKET_SECONDS, UTC).strftime("%Y-%m-%dT%H:%MZ")


@dataclass(frozen=True, slots=True)
class QueueMinutes:
    """What happened in one queue; each list has one item a minute, oldest first."""

    counts: dict[str, list[int]]
    #: Of the attempts that began: mean, and what 95 in 100 stayed below. None: nothing began.
    wait_mean_seconds: list[float | None]
    wait_95_seconds: list[float | None]
    #: Mean of the attempts that ended. None: nothing ended.
    run_mean_seconds: list[float | None]


async def read_history(
    store: Datastore, now: float, minutes: int
) -> tuple[list[str], dict[str, QueueMinutes]]:
    """Return the last minutes' beginnings, this one last, and every queue's history."""
    keys = minute_keys(now, minutes)
    found = await read_minutes(store, keys)
    queues = sorted({queue for counts in found for queue in counts})
    return keys, {
        queue: history_of([counts.get(queue, {}) for counts in found]) for queue in queues
    }


def minute_keys(now: float, minutes: int) -> list[str]:
    """Return how the last minutes are called, this one last. Pure."""
    return [minute_key(now - BUCKET_SECONDS * back) for back in reversed(range(minutes))]


async def read_minutes(store: Datastore, minutes: Sequence[str]) -> list[dict[str, Minute]]:
    """Return the counts of each of these minutes by queue. One read."""
    shards = [[shard_key(key, shard) for shard in range(SHARDS)] for key in minutes]
    stored = await store.get_many("stats", [key for several in shards for key in several])
    return [
        sum_up([_readable(stored[key].document) for key in several if key in stored])
        for several in shards
    ]


def sum_up(shards: Iterable[dict[str, Minute]]) -> dict[str, Minute]:
    """Add up what the shards of a minute, or several minutes, hold, queue by queue. Pure."""
    sums: dict[str, Counter[str]] = {}
    for shard in shards:
        for queue, counts in shard.items():
            sums.setdefault(queue, Counter()).update(counts)
    return {queue: dict(counts) for queue, counts in sums.items()}


def _readable(document: Document) -> dict[str, Minute]:
    """Return the counts of the queues whose counts can be read. Pure."""
    found = {}
    for queue, counts in document.items():
        with contextlib.suppress(UnreadableDocumentError):
            found[queue] = read({"queue": queue, "counts": counts}, _QueueMinute).counts
    return found


def history_of(minutes: list[Minute]) -> QueueMinutes:
    """Turn a queue's counts, minute by minute, into its history. Pure."""
    return QueueMinutes(
        {name: [item.get(name, 0) for item in minutes] for name in COUNTS},
        [_mean(item.get("waited", 0), item.get("started", 0)) for item in minutes],
        [wait_quantile(item, 0.95) for item in minutes],
        [_mean(item.get("ran", 0), item.get("ended", 0)) for item in minutes],
    )


def _mean(milliseconds: float, count: int) -> float | None:
    return round(milliseconds / 1000 / count, 4) if count else None


def wait_quantile(counts: Mapping[str, int], share: float) -> float | None:
    """Return how long this share of the starts waited at most; None: nothing began. Pure.

    It is interpolated within the bucket; the open bucket is told by its lower bound.
    """
    sizes = _waits(counts)
    total = sum(sizes)
    if not total:
        return None
    wanted, seen = share * total, 0
    for number, size in enumerate(sizes[:-1]):
        if seen + size >= wanted:
            low = WAIT_BOUNDS[number - 1] if number else 0.0
            return round(low + (WAIT_BOUNDS[number] - low) * (wanted - seen) / size, 4)
        seen += size
    return WAIT_BOUNDS[-1]


def share_within(counts: Mapping[str, int], seconds: float, late: int = 0) -> float | None:
    """Return the share of starts that waited no longer than this; None: nothing began. Pure.

    `late` jobs have not begun, and wait longer already: each is one more that did not make it.
    It is interpolated within a bucket. What is in the open bucket counts as having waited longer.
    """
    sizes = _waits(counts)
    total = sum(sizes) + late
    if not total:
        return None
    within, low = 0.0, 0.0
    for high, size in zip(WAIT_BOUNDS, sizes, strict=False):
        within += size * min(1.0, max(0.0, (seconds - low) / (high - low)))
        low = high
    return within / total


def _waits(counts: Mapping[str, int]) -> list[int]:
    return [counts.get(f"w{number}", 0) for number in range(len(WAIT_BOUNDS) + 1)]
