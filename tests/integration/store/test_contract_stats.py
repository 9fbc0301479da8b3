"""The counts of the last hours over every datastore."""

import time
from datetime import UTC, datetime, timedelta

import msgspec

from zerog.ledger.stats import Stats, read_history
from zerog.ledger.tally import Tally, minute_key, shard_key
from zerog.model import events, life
from zerog.model.documents import write
from zerog.model.record import JobRecord, WorkerIdentity, new_job_id
from zerog.store.port import Datastore


def queued(queue: str, at: float) -> JobRecord:
    """Return a job that is accepted at this time."""
    now = datetime.fromtimestamp(at, UTC)
    return JobRecord(new_job_id(), "T.of-this", queue, now, now)


def start(stats: Stats, queue: str, at: float, waited: float) -> None:
    """Count the start of a job, and how many seconds it had waited."""
    record = queued(queue, at - waited)
    now = record.changed_time + timedelta(seconds=waited)
    stats.count(record, life.step(record, events.Claimed(WorkerIdentity("w"), 1), now).record)


async def test_processes_add_to_the_counts_of_a_queue_whatever_its_name(store: Datastore) -> None:
    now = time.time()
    for shard in (0, 5):
        process = Stats(store, shard=shard)
        for queue in ("media", "a.b-c_d"):
            process.accepted(queued(queue, now))
            start(process, queue, now, 0.5)
        await process.flush()

    queues = (await read_history(store, now, 2)).queues

    assert set(queues) == {"media", "a.b-c_d"}
    for history in queues.values():
        assert history.counts["accepted"] == [0, 2]
        assert history.wait_mean_seconds == [None, 0.5]


async def test_a_minutes_counts_are_made_with_an_expiry_and_kept_by_additions(
    store: Datastore,
) -> None:
    now = time.time()
    stats = Stats(store, shard=1)
    stats.accepted(queued("media", now))
    await stats.flush()
    assert await store.expire("stats", shard_key(minute_key(now), 1), 3600)

    stats.accepted(queued("media", now))
    await stats.flush()

    stored = await store.get("stats", shard_key(minute_key(now), 1))
    assert stored is not None
    assert stored.document["media T:of-this"]["accepted"] == 2


async def test_counts_that_are_added_twice_count_once(store: Datastore) -> None:
    now = time.time()
    first = Stats(store, shard=1)
    first.accepted(queued("media", now))
    first.accepted(queued("other", now))
    await first.flush()
    first.accepted(queued("media", now))
    sent = first.tally.beat + 1
    again = Stats.resume(store, msgspec.convert(write(first.tally), Tally))

    await first.flush()
    await again.flush()
    await again.flush()

    assert first.tally.beat == sent
    queues = (await read_history(store, now, 2)).queues
    assert {name: sum(found.counts["accepted"]) for name, found in queues.items()} == {
        "media": 2,
        "other": 1,
    }
