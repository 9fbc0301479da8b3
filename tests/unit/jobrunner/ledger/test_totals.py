"""What has been counted since the beginning: minutes are added once, and none is missed."""

import pytest
from tests.store.memory import MemoryDatastore

from zerog.ledger import totals
from zerog.ledger.counts import Counts, JobKind, sum_up
from zerog.ledger.tally import KEEP_SECONDS, kind_key, minute_key, shard_key
from zerog.ledger.totals import KEY, MAX_KINDS, SETTLED_SECONDS, Totals, add_minutes, bounded

MEDIA = JobKind("media", "T")
NOON = 1_800_000_000.0


class Clocked:
    """A store whose documents expire by the test's time."""

    def __init__(self) -> None:
        self.now = NOON
        self.store = MemoryDatastore(lambda: self.now)

    async def count(self, succeeded: int, seconds_ago: float = 0.0, shard: int = 0) -> None:
        """Let jobs have succeeded some time ago."""
        key = shard_key(minute_key(self.now - seconds_ago), shard)
        document = {kind_key(MEDIA): {"succeeded": succeeded}}
        await self.store.insert("stats", key, document, expire_seconds=KEEP_SECONDS - seconds_ago)

    async def read(self) -> int:
        """Read the totals as a process does that has just been started."""
        return (await Totals().read(self.store, self.now)).get(MEDIA, {}).get("succeeded", 0)


@pytest.fixture
def clocked() -> Clocked:
    return Clocked()


async def test_totals_are_the_settled_minutes_and_those_after_them(clocked: Clocked) -> None:
    await clocked.count(1, SETTLED_SECONDS + 600)
    await clocked.count(20, SETTLED_SECONDS - 120)
    await clocked.count(300, shard=3)

    for _ in range(6):
        assert await clocked.read() == 321
        await add_minutes(clocked.store, clocked.now)

    stored = await clocked.store.get("stats", KEY)
    assert stored is not None
    assert stored.document["counts"] == {"media T": {"succeeded": 1}}


async def test_totals_never_fall_while_minutes_settle_and_are_forgotten(clocked: Clocked) -> None:
    last, reader = 0, Totals()
    for step in range(100):
        await clocked.count(1, shard=step % 8)
        await add_minutes(clocked.store, clocked.now)
        counts = await reader.read(clocked.store, clocked.now)
        assert counts[MEDIA]["succeeded"] == step + 1 >= last
        assert await clocked.read() == step + 1
        last = step + 1
        clocked.now += 600

    assert last * 600 > 2 * KEEP_SECONDS


async def test_two_processes_add_a_minute_once(clocked: Clocked) -> None:
    await clocked.count(5, SETTLED_SECONDS + 600)
    stale = await clocked.store.get("stats", KEY)

    for _ in range(12):
        await add_minutes(clocked.store, clocked.now)
        await add_minutes(clocked.store, clocked.now)

    assert stale is None
    assert await clocked.read() == 5


async def test_totals_that_cannot_be_read_begin_anew(clocked: Clocked) -> None:
    await clocked.count(5)
    await clocked.store.insert("stats", KEY, {"through": 7})

    assert await clocked.read() == 5
    await add_minutes(clocked.store, clocked.now)
    assert await clocked.read() == 5


def test_too_many_kinds_are_counted_together_and_nothing_is_lost() -> None:
    many: dict[JobKind, Counts] = {
        JobKind("media", f"T{number}"): {"failed": 2} for number in range(MAX_KINDS + 50)
    }

    found = bounded([many])
    again = bounded([found, {JobKind("media", "T-other"): {"failed": 1}}])

    assert len(found) == len(again) == MAX_KINDS + 1
    assert found[JobKind(totals.OTHERS, totals.OTHERS)] == {"failed": 100}
    assert sum(counts["failed"] for counts in again.values()) == 2 * (MAX_KINDS + 50) + 1
    assert sum_up([found]) == found
