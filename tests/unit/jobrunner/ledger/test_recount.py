"""A process dies at any moment: what it had not counted is counted from the records, once."""

import asyncio
import contextlib
import random
from typing import Any

import pytest
from tests.ledger.jobs import BEGIN, ME, OTHER, Ledger
from tests.ledger.recounted import count_records, read_counts
from tests.store.memory import MemoryDatastore

from zerog.ledger.codec import read_record
from zerog.ledger.jobs import Jobs
from zerog.ledger.recount import DEAD_SECONDS, Recount
from zerog.ledger.stats import Stats
from zerog.model import events
from zerog.model.documents import WorkerDocument, write
from zerog.model.errors import DatastoreUnavailableError, ZeroGError
from zerog.model.record import Cause, JobId, State

NONE: frozenset[int] = frozenset()


class DeadError(BaseException):
    """The process was killed."""


class MortalStore:
    """A store of which a process makes a number of writes, and then is dead."""

    def __init__(
        self, store: MemoryDatastore, writes: int, *, in_order: bool, faults: frozenset[int]
    ) -> None:
        """Of the writes that are left, those with the numbers of `faults` fail."""
        self._store, self._left, self._faults = store, writes, faults
        self.writes_in_order, self.has_version = in_order, True

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._store, name)
        if name not in ("insert", "replace", "upsert", "patch", "remove"):
            return method

        async def write(*arguments: Any, **options: Any) -> Any:
            if self._left <= 0:
                raise DeadError
            self._left -= 1
            if self._left in self._faults:
                raise DatastoreUnavailableError("away")
            return await method(*arguments, **options)

        return write


ENDS = (
    lambda attempt: events.Returned(attempt),
    lambda attempt: events.Returned(attempt, 418),
    lambda attempt: events.Raised(attempt, "no", retry_seconds=0.0),
    lambda attempt: events.Crashed(attempt, "died"),
    lambda attempt: events.Crashed(attempt, "died", True, "large"),
    lambda attempt: events.Interrupted(attempt, "drained"),
)


async def live(ledger: Ledger, store: Any, uuids: list[JobId], chance: random.Random) -> None:
    """Be a worker, until the store says that it is dead."""
    stats = Stats(store, worker=ME.name)
    jobs = Jobs(store, stats, clock=ledger.time)
    try:
        for _ in range(30):
            batch = chance.sample(uuids, 3)
            with contextlib.suppress(DatastoreUnavailableError):
                await stats.note_claims(batch, ledger.time())
                await asyncio.gather(*[_run(jobs, uuid, chance) for uuid in batch])
            for uuid in batch:
                stats.forget_claim(uuid)
            if chance.random() < 0.3:
                await stats.flush()
        await stats.flush()
    except DeadError:
        pass
    for task in stats._saving:
        task.cancel()


async def _run(jobs: Jobs, uuid: JobId, chance: random.Random) -> None:
    try:
        claimed = await jobs.apply(uuid, events.Claimed(ME, 1))
        if isinstance(claimed.action, events.Keep):
            end = chance.choice(ENDS)(claimed.record.attempt)
            await jobs.apply(uuid, end, claimed.kept)
    except ZeroGError:
        return


async def take_over(ledger: Ledger, uuids: list[JobId]) -> None:
    """End what the dead worker ran, as another one does."""
    stats = Stats(ledger.store, worker=OTHER.name)
    jobs = Jobs(ledger.store, stats, clock=ledger.time)
    for uuid in uuids:
        record = await ledger.read(uuid)
        if record.state is State.RUNNING:
            await jobs.apply(uuid, events.Crashed(record.attempt, "it died", by=OTHER.name))
    await stats.flush()


async def look_until_dead(ledger: Ledger) -> None:
    """Let an observer look for so long that it takes what does not move for dead."""
    now = 0.0
    recount = Recount(ledger.jobs, clock=lambda: now)
    await recount.look()
    now = DEAD_SECONDS
    await recount.look()


@pytest.mark.parametrize("in_order", [True, False])
@pytest.mark.parametrize("takeover_first", [True, False])
@pytest.mark.parametrize("faulty", [True, False])
@pytest.mark.parametrize("writes", [*range(40), *range(41, 300, 7)])
async def test_counts_equal_the_records_wherever_a_worker_dies(
    writes: int, faulty: bool, takeover_first: bool, in_order: bool
) -> None:
    ledger, chance = Ledger(), random.Random(writes)
    uuids = [await ledger.add() for _ in range(12)]
    faults = frozenset(chance.sample(range(300), 30)) if faulty else NONE
    store = MortalStore(ledger.store, writes, in_order=in_order, faults=faults)

    await live(ledger, store, uuids, chance)
    steps = [take_over(ledger, uuids), look_until_dead(ledger)]
    for step in steps if takeover_first else reversed(steps):
        await step

    records = [read_record(item.document) for item in (await ledger.store.scan("jobs")).values()]
    assert await read_counts(ledger.store) == count_records(records)
    assert await ledger.store.scan("tallies") == {}


@pytest.mark.parametrize("writes", range(60))
async def test_who_counts_for_a_dead_worker_may_die_as_well(writes: int) -> None:
    ledger, chance = Ledger(), random.Random(7)
    uuids = [await ledger.add() for _ in range(12)]
    await live(ledger, MortalStore(ledger.store, 90, in_order=True, faults=NONE), uuids, chance)

    now = 0.0
    dying = Jobs(
        MortalStore(ledger.store, writes, in_order=True, faults=NONE),
        Stats(ledger.store),
        clock=ledger.time,
    )
    recount = Recount(dying, clock=lambda: now)
    await recount.look()
    now = DEAD_SECONDS
    try:
        await recount.look()
    except DeadError:
        pass
    await take_over(ledger, uuids)
    await look_until_dead(ledger)

    records = [read_record(item.document) for item in (await ledger.store.scan("jobs")).values()]
    assert await read_counts(ledger.store) == count_records(records)


async def test_a_worker_that_was_only_frozen_counts_nothing_twice() -> None:
    ledger = Ledger()
    uuid = await ledger.add()
    stats = Stats(ledger.store, worker=ME.name)
    jobs = Jobs(ledger.store, stats, clock=ledger.time)
    await stats.note_claims([uuid], ledger.time())
    claimed = await jobs.apply(uuid, events.Claimed(ME, 1))

    await look_until_dead(ledger)
    ledger.store.now += 120
    await jobs.apply(uuid, events.Returned(1), claimed.kept)
    await stats.flush()
    await stats.flush()

    assert await read_counts(ledger.store) == count_records([await ledger.read(uuid)])


async def test_a_process_that_writes_its_tally_is_not_taken_for_dead() -> None:
    ledger = Ledger()
    uuid = await ledger.add()
    stats, now = Stats(ledger.store, worker=ME.name), 0.0
    recount = Recount(ledger.jobs, clock=lambda: now)
    await stats.note_claims([uuid], BEGIN)

    for _ in range(20):
        await recount.look()
        now += DEAD_SECONDS / 4
        await stats.flush()

    assert len(await ledger.store.scan("tallies")) == 1


@pytest.mark.parametrize("shown", [True, False])
async def test_a_change_that_was_about_to_be_made_counts_if_its_record_shows_it(
    shown: bool,
) -> None:
    """A cancel by an API process that dies before or after the write."""
    ledger = Ledger()
    uuid = await ledger.add()
    store = MortalStore(ledger.store, 2 if shown else 1, in_order=False, faults=NONE)
    jobs = Jobs(store, Stats(store), clock=ledger.time)
    try:
        await jobs.apply(uuid, events.CancelRequested())
        await jobs.stats.flush()
    except DeadError:
        pass

    await look_until_dead(ledger)

    record = await ledger.read(uuid)
    assert record.is_finished is shown
    assert await read_counts(ledger.store) == count_records([record])


async def test_an_attempts_queue_is_the_one_that_it_ran_in() -> None:
    ledger = Ledger()
    uuid = await ledger.add()
    await ledger.happen(
        uuid,
        events.Claimed(ME, 1),
        events.Crashed(1, "it needs more", True, "large"),
        events.Claimed(ME, 2),
        events.Returned(2),
    )

    first, second = (await ledger.read(uuid)).attempts

    assert (first.queue, first.cause, second.queue) == ("default", Cause.OUT_OF_MEMORY, None)


async def test_a_tally_that_cannot_be_read_hides_no_other() -> None:
    ledger = Ledger()
    uuid = await ledger.add()
    stats = Stats(ledger.store, worker=ME.name)
    jobs = Jobs(ledger.store, stats, clock=ledger.time)
    await stats.note_claims([uuid], ledger.time())
    await jobs.apply(uuid, events.Claimed(ME, 1))
    await ledger.store.upsert("tallies", "bad", {"key": 5})

    await look_until_dead(ledger)

    assert await read_counts(ledger.store) == count_records([await ledger.read(uuid)])


async def test_a_claim_that_was_never_written_counts_nothing() -> None:
    """Another worker's attempt of the job is that one's to count."""
    ledger = Ledger()
    kept = await ledger.running(OTHER)
    await Stats(ledger.store, worker=ME.name).note_claims([kept.record.uuid], ledger.time())

    await look_until_dead(ledger)

    assert await read_counts(ledger.store) == count_records([kept.record])
    assert await ledger.store.scan("tallies") == {}


async def test_a_worker_that_was_started_again_by_the_same_name_counts_its_own_attempts() -> None:
    """The first one died between its note and its claim, and the other one got the job."""
    ledger = Ledger()
    uuid = await ledger.add()
    await Stats(ledger.store, worker=ME.name).note_claims([uuid], ledger.time())
    document = WorkerDocument(
        ME.name, [], [], 1, [], "running", started_time=ledger.time(), updated_time=BEGIN, beat=1
    )
    await ledger.store.upsert("workers", ME.name, write(document))
    await ledger.stats.note_claims([uuid], ledger.time())
    await ledger.jobs.apply(uuid, events.Claimed(ME, 1))
    await ledger.stats.flush()

    await look_until_dead(ledger)

    assert await read_counts(ledger.store) == count_records([await ledger.read(uuid)])
