"""Counts by minute: what is counted, added once, expires, and how history reads."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from tests.store.memory import MemoryDatastore

from zerog.ledger.counts import JobKind, share_within
from zerog.ledger.stats import Stats, history_of, read_history
from zerog.ledger.tally import (
    KEEP_SECONDS,
    MARKS,
    MAX_MINUTES_HELD,
    SHARDS,
    kind_key,
    kind_of,
    minute_key,
    shard_key,
)
from zerog.model.due import waited_seconds
from zerog.model.errors import AmbiguousWriteError, DatastoreUnavailableError
from zerog.model.record import (
    FINISHED_STATES,
    Attempt,
    Cause,
    JobRecord,
    State,
    WorkerIdentity,
    new_job_id,
)
from zerog.store.port import Collection, PatchOp, Stored

NOW = datetime(2026, 1, 31, 12, 0, 30, tzinfo=UTC)


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = NOW.timestamp()

    def __call__(self) -> float:
        return self.now


class BadStore(MemoryDatastore):
    """Fails patches with the given error, after writing if the error is ambiguous."""

    error: Exception | None = None
    tries = 0

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        #: The keys that were patched, and how many were read at once.
        self.keys: list[str] = []
        self.read: list[int] = []

    async def get_many(self, collection: Collection, keys: Sequence[str]) -> dict[str, Stored]:
        self.read.append(len(keys))
        return await super().get_many(collection, keys)

    async def patch(
        self, collection: Collection, key: str, ops: Sequence[PatchOp], **options: Any
    ) -> str:
        self.tries += 1
        self.keys.append(key)
        if isinstance(self.error, AmbiguousWriteError):
            await super().patch(collection, key, ops, **options)
        if self.error is not None:
            raise self.error
        return await super().patch(collection, key, ops, **options)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def store(clock: Clock) -> BadStore:
    return BadStore(clock)


@pytest.fixture
def stats(store: BadStore, clock: Clock) -> Stats:
    return Stats(store, shard=0)


def job(state: State, at: float, queue: str = "media", name: str = "T") -> JobRecord:
    """Return a job that changed last at this time."""
    now = datetime.fromtimestamp(at, UTC)
    finished = now if state in FINISHED_STATES else None
    return JobRecord(
        new_job_id(), name, queue, NOW, now, state=state, finished_time=finished, attempt=0
    )


def accepted(stats: Stats, clock: Clock, queue: str = "media") -> None:
    """Count a job that is accepted now."""
    stats.accepted(job(State.QUEUED, clock.now, queue))


def running(at: float, waited: float = 0.0) -> JobRecord:
    begun = datetime.fromtimestamp(at, UTC)
    attempt = Attempt(1, WorkerIdentity("w"), begun, waited_seconds=waited)
    return replace(job(State.RUNNING, at), attempts=(attempt,), attempt=1)


def start(stats: Stats, clock: Clock, waited: float) -> None:
    """Count the start of a job now, and how many seconds it had waited."""
    stats.count(job(State.QUEUED, clock.now), running(clock.now, waited))


def end(stats: Stats, clock: Clock, state: State, *, ran: float) -> None:
    """Count the end of an attempt now."""
    before = running(clock.now - ran)
    cause = Cause.SUCCEEDED if state is State.SUCCEEDED else Cause.ERROR
    now = datetime.fromtimestamp(clock.now, UTC)
    ended = replace(before.attempts[0], ended_time=now, cause=cause)
    finished = now if state in FINISHED_STATES else None
    stats.count(before, replace(before, state=state, finished_time=finished, attempts=(ended,)))


async def history(store: BadStore, clock: Clock, minutes: int = 3) -> dict[str, Any]:
    found = await read_history(store, clock.now, minutes)
    return {name: item.counts for name, item in found.queues.items()}


async def test_what_happened_is_found_in_its_minute(
    store: BadStore, stats: Stats, clock: Clock
) -> None:
    accepted(stats, clock)
    start(stats, clock, 2.0)
    clock.now += 60
    end(stats, clock, State.SUCCEEDED, ran=4)
    end(stats, clock, State.WAITING, ran=4)
    stats.count(job(State.QUEUED, clock.now), job(State.CANCELLED, clock.now))
    await stats.flush()

    found = await read_history(store, clock.now, 3)

    assert found.minutes == ["2026-01-31T11:59Z", "2026-01-31T12:00Z", "2026-01-31T12:01Z"]
    media = found.queues["media"]
    assert media.counts == {
        "accepted": [0, 1, 0],
        "started": [0, 1, 0],
        "succeeded": [0, 0, 1],
        "failed": [0, 0, 0],
        "cancelled": [0, 0, 1],
        "expired": [0, 0, 0],
        "again": [0, 0, 1],
    }
    assert media.wait_mean_seconds == [None, 2.0, None]
    assert media.run_mean_seconds == [None, None, 4.0]


async def test_processes_add_to_the_same_minute(store: BadStore, clock: Clock) -> None:
    for _ in range(3):
        process = Stats(store)
        accepted(process, clock)
        await process.flush()
        accepted(process, clock)
        await process.flush()

    assert (await history(store, clock))["media"]["accepted"] == [0, 0, 6]


async def test_a_thousand_processes_spread_over_the_shards_of_a_minute(
    store: BadStore, clock: Clock
) -> None:
    for _ in range(1000):
        process = Stats(store)
        accepted(process, clock)
        await process.flush()

    writes = Counter(store.keys)
    assert set(writes) == {shard_key(minute_key(clock.now), number) for number in range(SHARDS)}
    # 125 processes each on average, which patch twice: six standard deviations above.
    assert max(writes.values()) < 2 * 188
    assert (await history(store, clock))["media"]["accepted"] == [0, 0, 1000]


async def test_a_process_writes_one_document_a_minute_and_readers_read_all_shards(
    store: BadStore, clock: Clock
) -> None:
    process = Stats(store, shard=3)
    for queue in ("a", "b", "c"):
        accepted(process, clock, queue)
        await process.flush()

    assert set(store.keys) == {shard_key(minute_key(clock.now), 3)}
    await history(store, clock, minutes=60)
    assert store.read == [60 * SHARDS]


async def test_a_minute_vanishes_by_itself(store: BadStore, stats: Stats, clock: Clock) -> None:
    accepted(stats, clock)
    await stats.flush()
    key = shard_key(minute_key(clock.now), 0)

    clock.now += KEEP_SECONDS + 1

    assert await store.get("stats", key) is None


async def test_counts_wait_for_a_store_that_is_away(
    store: BadStore, stats: Stats, clock: Clock
) -> None:
    store.error = DatastoreUnavailableError("away")
    accepted(stats, clock)
    await stats.flush()
    clock.now += 60
    accepted(stats, clock)
    await stats.flush()

    store.error = None
    await stats.flush()

    assert (await history(store, clock))["media"]["accepted"] == [0, 1, 1]


async def test_a_minute_that_somebody_removed_is_made_anew(
    store: BadStore, stats: Stats, clock: Clock
) -> None:
    accepted(stats, clock)
    await stats.flush()
    await store.remove("stats", shard_key(minute_key(clock.now), 0))

    accepted(stats, clock)
    await stats.flush()
    await stats.flush()

    assert (await history(store, clock))["media"]["accepted"] == [0, 0, 1]


async def test_a_store_that_is_away_is_asked_once_a_flush(
    store: BadStore, stats: Stats, clock: Clock
) -> None:
    store.error = DatastoreUnavailableError("away")
    for queue in ("a", "b", "c"):
        accepted(stats, clock, queue)

    await stats.flush()

    assert store.tries == 1


async def test_counts_that_cannot_be_kept_do_not_stop_the_others(
    store: BadStore, stats: Stats, clock: Clock
) -> None:
    key = shard_key(minute_key(clock.now), 0)
    await store.insert("stats", key, {"a T": {"accepted": "many"}})
    accepted(stats, clock, "a")
    accepted(stats, clock, "b")

    await stats.flush()
    accepted(stats, clock, "b")
    await stats.flush()
    stored = await store.get("stats", key)

    assert stored is not None
    assert stored.document["b T"] == {"accepted": 2}


async def test_a_write_that_may_have_happened_counts_once(
    store: BadStore, stats: Stats, clock: Clock
) -> None:
    store.error = AmbiguousWriteError("who knows")
    accepted(stats, clock)
    await stats.flush()

    store.error = None
    await stats.flush()

    assert (await history(store, clock))["media"]["accepted"] == [0, 0, 1]


async def test_a_store_that_stays_away_does_not_fill_memory(
    store: BadStore, stats: Stats, clock: Clock
) -> None:
    store.error = DatastoreUnavailableError("away")
    for _ in range(MAX_MINUTES_HELD + 30):
        accepted(stats, clock)
        await stats.flush()
        clock.now += 60

    store.error = None
    await stats.flush()

    counts = (await history(store, clock, 300))["media"]["accepted"]
    # One more was being added when the store went away.
    assert sum(counts) == MAX_MINUTES_HELD + 1


async def test_more_counts_than_one_patch_may_hold_are_all_written(
    store: BadStore, stats: Stats, clock: Clock
) -> None:
    waits = (0.01, 0.05, 0.2, 0.5, 2, 5, 20, 50, 200, 500, 2000, 5000)
    for wait in waits:
        start(stats, clock, wait)
    for state in (State.SUCCEEDED, State.FAILED, State.CANCELLED, State.WAITING):
        end(stats, clock, state, ran=1)
    accepted(stats, clock)
    await stats.flush()

    stored = await store.get("stats", shard_key(minute_key(clock.now), 0))

    assert stored is not None
    counts = stored.document["media T"]
    assert [counts[f"w{number}"] for number in range(len(waits))] == [1] * len(waits)
    assert counts["started"] == len(waits)


async def test_a_flush_that_is_cancelled_loses_nothing(
    store: BadStore, stats: Stats, clock: Clock
) -> None:
    blocked = asyncio.Event()

    async def block(*_: Any, **__: Any) -> str:
        blocked.set()
        await asyncio.Event().wait()
        return ""

    accepted(stats, clock, "a")
    accepted(stats, clock, "b")
    original, store.patch = store.patch, block  # type: ignore[method-assign]
    task = asyncio.create_task(stats.flush())
    await asyncio.wait_for(blocked.wait(), 5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    store.patch = original  # type: ignore[method-assign]
    await stats.flush()

    assert list(await history(store, clock)) == ["a", "b"]


async def test_a_change_within_an_attempt_counts_nothing(
    store: BadStore, stats: Stats, clock: Clock
) -> None:
    """Neither does a note of an entry, or the cause that a finished attempt is given later."""
    run, finished = running(clock.now), job(State.SUCCEEDED, clock.now)
    stats.count(run, replace(run, job_state='{"a":1}'))
    stats.count(job(State.QUEUED, clock.now), job(State.QUEUED, clock.now))
    stats.count(finished, finished)
    await stats.flush()

    assert await history(store, clock) == {}


async def test_a_replay_is_accepted_again(store: BadStore, stats: Stats, clock: Clock) -> None:
    finished = job(State.SUCCEEDED, clock.now)
    stats.count(finished, replace(finished, state=State.QUEUED, replays=1))
    await stats.flush()

    assert (await history(store, clock))["media"]["accepted"] == [0, 0, 1]


def test_a_job_waits_from_when_it_was_due() -> None:
    queued = job(State.QUEUED, NOW.timestamp())
    delayed = replace(queued, not_before_time=NOW + timedelta(seconds=50))

    assert waited_seconds(queued, NOW + timedelta(seconds=60)) == 60
    assert waited_seconds(delayed, NOW + timedelta(seconds=60)) == 10
    assert waited_seconds(delayed, NOW) == 0


@pytest.mark.parametrize(
    ("counts", "low", "high"),
    [
        ({"started": 100, "w3": 100}, 0.3, 1.0),
        ({"started": 100, "w0": 90, "w5": 10}, 3.0, 10.0),
        ({"started": 1, "w11": 1}, 3000.0, 3000.0),
    ],
)
def test_a_quantile_lies_in_its_bucket(counts: dict[str, int], low: float, high: float) -> None:
    (told,) = history_of([counts]).wait_95_seconds

    assert told is not None
    assert low <= told <= high


def test_nothing_is_not_zero_seconds() -> None:
    empty = history_of([{}])

    assert (empty.wait_95_seconds, empty.wait_mean_seconds, empty.run_mean_seconds) == (
        [None],
        [None],
        [None],
    )


@pytest.mark.parametrize(
    "counts", [5, None, [], {"started": "many"}, {"started": -1}, {"started": 1e308}, {"w0": []}]
)
async def test_counts_that_cannot_be_read_hide_no_others(store: BadStore, counts: Any) -> None:
    key = shard_key(minute_key(NOW.timestamp()), 0)
    document = {
        "bad T": counts,
        "zerog.EVIL;$(x) T": {"started": 1},
        "no-type": counts,
        MARKS: counts,
        "good T": {"started": 2},
    }
    await store.upsert("stats", key, document)

    queues = (await read_history(store, NOW.timestamp(), 2)).queues

    assert queues["good"].counts["started"] == [0, 2]
    assert not queues.keys() & {"bad", "zerog.EVIL;$(x)", MARKS}


async def test_a_minute_that_is_no_document_hides_no_other(
    store: BadStore, stats: Stats, clock: Clock
) -> None:
    store.damage("stats", shard_key(minute_key(NOW.timestamp()), 0), b"[]")
    key = shard_key(minute_key(NOW.timestamp() - 60), 1)
    await store.upsert("stats", key, {"good T": {"started": 2}})

    accepted(stats, clock, "good")
    await stats.flush()

    queues = (await read_history(store, NOW.timestamp(), 2)).queues
    assert queues["good"].counts["started"] == [2, 0]


def test_a_queues_and_a_types_names_make_a_plain_word() -> None:
    key = kind_key(JobKind("media.large", "video.convert"))

    assert (key, kind_of(key)) == ("media:large video:convert", ("media.large", "video.convert"))


@pytest.mark.parametrize(
    ("counts", "seconds", "late", "share"),
    [
        ({"w3": 3, "w6": 1}, 10.0, 0, 0.75),
        # Half of the class from 10 to 30 s.
        ({"w3": 2, "w6": 2}, 20.0, 0, 0.75),
        ({"w0": 2}, 0.015, 0, 0.5),
        # A job that still waits is missed, also where none has started.
        ({"w3": 3}, 10.0, 1, 0.75),
        ({}, 10.0, 1, 0.0),
        # How long the longest waited nobody knows.
        ({"w11": 1}, 86400.0, 0, 0.0),
        ({}, 10.0, 0, None),
        ({"accepted": 5}, 10.0, 0, None),
    ],
)
def test_the_share_within_a_target_is_interpolated_in_its_class(
    counts: dict[str, int], seconds: float, late: int, share: float | None
) -> None:
    assert share_within(counts, seconds, late) == (share and pytest.approx(share))
