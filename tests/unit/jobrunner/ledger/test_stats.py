"""Counts by minute: what is counted, added once, expires, and how history reads."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from msgspec.structs import replace
from tests.store.memory import MemoryDatastore

from zerog.ledger.stats import (
    KEEP_SECONDS,
    MAX_MINUTES_HELD,
    SHARDS,
    Stats,
    history_of,
    minute_key,
    read_history,
    shard_key,
    share_within,
    waited_seconds,
)
from zerog.model.errors import AmbiguousWriteError, DatastoreUnavailableError
from zerog.model.record import Attempt, Cause, JobRecord, State, WorkerIdentity, new_job_id
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
    return Stats(store, clock, shard=0)


def job(state: State, *, ran: float | None = None) -> JobRecord:
    attempts: tuple[Attempt, ...] = ()
    if ran is not None:
        ended = NOW + timedelta(seconds=ran)
        attempts = (Attempt(1, WorkerIdentity("w"), NOW, ended, Cause.SUCCEEDED),)
    return JobRecord(
        new_job_id(), "T", "media", NOW, NOW, state=state, attempts=attempts, attempt=len(attempts)
    )


def running() -> JobRecord:
    attempt = Attempt(1, WorkerIdentity("w"), NOW)
    return replace(job(State.RUNNING), attempts=(attempt,), attempt=1)


def start(stats: Stats, waited: float) -> None:
    """Count the start of a job, and how many seconds it had waited."""
    stats.count(job(State.QUEUED), running(), NOW + timedelta(seconds=waited))


def end(stats: Stats, state: State, *, ran: float) -> None:
    """Count the end of an attempt."""
    stats.count(running(), job(state, ran=ran), NOW)


async def history(store: BadStore, clock: Clock, minutes: int = 3) -> dict[str, Any]:
    _, queues = await read_history(store, clock.now, minutes)
    return {name: item.counts for name, item in queues.items()}


async def test_what_happened_is_found_in_its_minute(
    store: BadStore, stats: Stats, clock: Clock
) -> None:
    stats.accepted("media")
    start(stats, 2.0)
    clock.now += 60
    end(stats, State.SUCCEEDED, ran=4)
    end(stats, State.WAITING, ran=4)
    stats.count(job(State.QUEUED), job(State.CANCELLED), NOW)
    await stats.flush()

    times, queues = await read_history(store, clock.now, 3)

    assert times == ["2026-01-31T11:59Z", "2026-01-31T12:00Z", "2026-01-31T12:01Z"]
    media = queues["media"]
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
        process = Stats(store, clock)
        process.accepted("media")
        await process.flush()
        process.accepted("media")
        await process.flush()

    assert (await history(store, clock))["media"]["accepted"] == [0, 0, 6]


async def test_a_thousand_processes_spread_over_the_shards_of_a_minute(
    store: BadStore, clock: Clock
) -> None:
    for _ in range(1000):
        process = Stats(store, clock)
        process.accepted("media")
        await process.flush()

    writes = Counter(store.keys)
    assert set(writes) == {shard_key(minute_key(clock.now), number) for number in range(SHARDS)}
    # 125 each on average: six standard deviations above.
    assert max(writes.values()) < 188
    assert (await history(store, clock))["media"]["accepted"] == [0, 0, 1000]


async def test_a_process_writes_one_document_a_minute_and_readers_read_all_shards(
    store: BadStore, clock: Clock
) -> None:
    process = Stats(store, clock, shard=3)
    for queue in ("a", "b", "c"):
        process.accepted(queue)
        await process.flush()

    assert set(store.keys) == {shard_key(minute_key(clock.now), 3)}
    await history(store, clock, minutes=60)
    assert store.read == [60 * SHARDS]


async def test_a_minute_vanishes_by_itself(store: BadStore, stats: Stats, clock: Clock) -> None:
    stats.accepted("media")
    await stats.flush()
    key = minute_key(clock.now)

    clock.now += KEEP_SECONDS + 1

    assert await store.get("stats", key) is None


async def test_counts_wait_for_a_store_that_is_away(
    store: BadStore, stats: Stats, clock: Clock
) -> None:
    store.error = DatastoreUnavailableError("away")
    stats.accepted("media")
    await stats.flush()
    clock.now += 60
    stats.accepted("media")
    await stats.flush()

    store.error = None
    await stats.flush()

    assert (await history(store, clock))["media"]["accepted"] == [0, 1, 1]


async def test_a_minute_that_somebody_removed_is_made_anew(
    store: BadStore, stats: Stats, clock: Clock
) -> None:
    stats.accepted("media")
    await stats.flush()
    await store.remove("stats", minute_key(clock.now))

    stats.accepted("media")
    await stats.flush()
    await stats.flush()

    assert (await history(store, clock))["media"]["accepted"] == [0, 0, 1]


async def test_a_store_that_is_away_is_asked_once_a_flush(
    store: BadStore, stats: Stats, clock: Clock
) -> None:
    store.error = DatastoreUnavailableError("away")
    for queue in ("a", "b", "c"):
        stats.accepted(queue)

    await stats.flush()

    assert store.tries == 1


async def test_counts_that_cannot_be_kept_do_not_stop_the_others(
    store: BadStore, stats: Stats, clock: Clock
) -> None:
    await store.insert("stats", minute_key(clock.now), {"a": {"accepted": "many"}})
    stats.accepted("a")
    stats.accepted("b")

    await stats.flush()
    stored = await store.get("stats", minute_key(clock.now))

    assert stored is not None
    assert stored.document["b"] == {"accepted": 1}


async def test_a_write_that_may_have_happened_is_not_repeated(
    store: BadStore, stats: Stats, clock: Clock
) -> None:
    store.error = AmbiguousWriteError("who knows")
    stats.accepted("media")
    await stats.flush()

    store.error = None
    await stats.flush()

    assert (await history(store, clock))["media"]["accepted"] == [0, 0, 1]


async def test_a_store_that_stays_away_does_not_fill_memory(
    store: BadStore, stats: Stats, clock: Clock
) -> None:
    store.error = DatastoreUnavailableError("away")
    for _ in range(MAX_MINUTES_HELD + 30):
        stats.accepted("media")
        await stats.flush()
        clock.now += 60

    store.error = None
    await stats.flush()

    counts = (await history(store, clock, 300))["media"]["accepted"]
    assert sum(counts) == MAX_MINUTES_HELD


async def test_more_counts_than_one_patch_may_hold_are_all_written(
    store: BadStore, stats: Stats, clock: Clock
) -> None:
    waits = (0.01, 0.05, 0.2, 0.5, 2, 5, 20, 50, 200, 500, 2000, 5000)
    for wait in waits:
        start(stats, wait)
    for state in (State.SUCCEEDED, State.FAILED, State.CANCELLED, State.WAITING):
        end(stats, state, ran=1)
    stats.accepted("media")
    await stats.flush()

    stored = await store.get("stats", minute_key(clock.now))

    assert stored is not None
    counts = stored.document["media"]
    assert [counts[f"w{number}"] for number in range(len(waits))] == [1] * len(waits)
    assert counts["started"] == len(waits)


async def test_a_flush_that_is_cancelled_keeps_what_it_had_not_begun(
    store: BadStore, stats: Stats, clock: Clock
) -> None:
    blocked = asyncio.Event()

    async def block(*_: Any, **__: Any) -> str:
        blocked.set()
        await asyncio.Event().wait()
        return ""

    stats.accepted("a")
    stats.accepted("b")
    original, store.patch = store.patch, block  # type: ignore[method-assign]
    task = asyncio.create_task(stats.flush())
    await asyncio.wait_for(blocked.wait(), 5)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    store.patch = original  # type: ignore[method-assign]
    await stats.flush()

    assert list(await history(store, clock)) == ["b"]


async def test_a_change_within_an_attempt_counts_nothing(
    store: BadStore, stats: Stats, clock: Clock
) -> None:
    """Neither does a note of an entry, or the cause that a finished attempt is given later."""
    finished = job(State.SUCCEEDED, ran=1)
    stats.count(running(), replace(running(), job_state='{"a":1}'), NOW)
    stats.count(job(State.QUEUED), job(State.QUEUED), NOW)
    stats.count(finished, finished, NOW)
    await stats.flush()

    assert await history(store, clock) == {}


async def test_a_replay_is_accepted_again(store: BadStore, stats: Stats, clock: Clock) -> None:
    finished = job(State.SUCCEEDED, ran=1)
    stats.count(finished, replace(finished, state=State.QUEUED, replays=1), NOW)
    await stats.flush()

    assert (await history(store, clock))["media"]["accepted"] == [0, 0, 1]


def test_a_job_waits_from_when_it_was_due() -> None:
    queued = replace(job(State.QUEUED), changed_time=NOW)
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
    key = minute_key(NOW.timestamp())
    document = {"bad": counts, "zerog.EVIL;$(x)": {"started": 1}, "good": {"started": 2}}
    await store.upsert("stats", key, document)

    _, queues = await read_history(store, NOW.timestamp(), 2)

    assert {name: found.counts["started"] for name, found in queues.items()} == {"good": [0, 2]}


async def test_a_minute_that_is_no_document_hides_no_other(store: BadStore, stats: Stats) -> None:
    store.damage("stats", minute_key(NOW.timestamp()), b"[]")
    await store.upsert("stats", minute_key(NOW.timestamp() - 60), {"good": {"started": 2}})

    stats.accepted("good")
    await stats.flush()

    _, queues = await read_history(store, NOW.timestamp(), 2)
    assert queues["good"].counts["started"] == [2, 0]


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
