"""The counts of the last hours over every datastore."""

import time
from datetime import UTC, datetime, timedelta

from zerog.ledger.stats import Stats, minute_key, read_history, shard_key
from zerog.model import events, life
from zerog.model.record import JobRecord, WorkerIdentity, new_job_id
from zerog.store.port import Datastore


def start(stats: Stats, queue: str, waited: float) -> None:
    """Count the start of a job, and how many seconds it had waited."""
    now = datetime(2026, 1, 1, tzinfo=UTC)
    queued = JobRecord(new_job_id(), "T", queue, now, now)
    then = now + timedelta(seconds=waited)
    step = life.step(queued, events.Claimed(WorkerIdentity("w"), 1), then)
    stats.count(queued, step.record, then)


async def test_processes_add_to_the_counts_of_a_queue_whatever_its_name(store: Datastore) -> None:
    now = time.time()
    for shard in (0, 5):
        process = Stats(store, lambda: now, shard=shard)
        for queue in ("media", "a.b-c_d"):
            process.accepted(queue)
            start(process, queue, 0.5)
        await process.flush()

    _, queues = await read_history(store, now, 2)

    assert set(queues) == {"media", "a.b-c_d"}
    for history in queues.values():
        assert history.counts["accepted"] == [0, 2]
        assert history.wait_mean_seconds == [None, 0.5]


async def test_a_minutes_counts_are_made_with_an_expiry_and_kept_by_additions(
    store: Datastore,
) -> None:
    now = time.time()
    stats = Stats(store, lambda: now, shard=1)
    stats.accepted("media")
    await stats.flush()
    assert await store.expire("stats", shard_key(minute_key(now), 1), 3600)

    stats.accepted("media")
    await stats.flush()

    stored = await store.get("stats", shard_key(minute_key(now), 1))
    assert stored is not None
    assert stored.document["media"]["accepted"] == 2
