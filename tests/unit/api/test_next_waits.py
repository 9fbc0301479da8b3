"""How long the next job of each queue has been due: what Prometheus may read of it."""

from datetime import UTC, datetime, timedelta

from prometheus_client import generate_latest
from tests.queue.memory import MemoryQueue
from tests.store.memory import MemoryDatastore

from zerog.ledger.codec import write_record
from zerog.model.documents import TypeDocument, write
from zerog.model.names import tube_name
from zerog.model.record import JobRecord, new_job_id
from zerog_api.core.overview import Overview
from zerog_api.core.types import Types
from zerog_api.edge.metrics import Metrics


def lines(metrics: Metrics) -> dict[str, float]:
    found = generate_latest(metrics.registry).decode().splitlines()
    ours = [line for line in found if line.startswith("zerog_queue_next_job_waiting_seconds{")]
    return {line.split('"')[1]: float(line.split()[-1]) for line in ours}


async def test_a_queue_whose_jobs_nobody_takes_shows_how_long_the_next_one_waits() -> None:
    store, queue = MemoryDatastore(), MemoryQueue()
    for name in ("media", "empty"):
        await store.upsert("types", name, write(TypeDocument(name, name, {})))
    due = datetime.now(UTC) - timedelta(hours=2)
    record = JobRecord(new_job_id(), "media", "media", due, due)
    await store.upsert("jobs", record.uuid, write_record(record))
    await queue.put(tube_name("media"), record.uuid)

    waits = await Overview(store, queue, Types(store)).waits()

    assert waits["empty"] == 0.0
    assert 7200 <= waits["media"] < 7300


def test_a_queue_that_is_unknown_now_has_no_value() -> None:
    metrics = Metrics()

    metrics.note_waits({"media": 70.0, "audio": 0.0})
    metrics.note_waits({"media": 80.0})

    assert lines(metrics) == {"media": 80.0}
