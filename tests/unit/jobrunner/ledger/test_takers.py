"""A queue that jobs move to for more memory should have a worker, or a pool that starts one."""

from datetime import UTC, datetime

import pytest
from tests.store.memory import MemoryDatastore

from zerog.ledger.takers import has_takers, warn_of_no_takers
from zerog.model.documents import PoolDocument, WorkerDocument, write

START = datetime(2026, 1, 1, tzinfo=UTC)


async def test_a_worker_or_a_pool_takes_jobs_from_a_queue() -> None:
    store = MemoryDatastore()
    worker = WorkerDocument("w", ["mail"], ["Mail"], 1, [], "running", START, START, 1)
    await store.upsert("workers", "w", write(worker))
    pool = PoolDocument("shop", "large", "large", 0, 9, "as wanted", "True", "")
    await store.upsert("pools", pool.key, write(pool))

    found = [await has_takers(store, queue) for queue in ("mail", "large", "larger")]

    assert found == [True, True, False]


async def test_a_job_that_moved_to_nobody_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    await warn_of_no_takers(MemoryDatastore(), "a-uuid", "large")

    assert "a-uuid has moved to the queue large" in caplog.text
