"""Types that no worker of the pool's queue knows: in the pool's status, from the datastore."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

from zerog.ledger.types import register
from zerog.model.documents import TypeDocument, WorkerDocument, write
from zerog.store import open_datastore
from zerog_tools.cluster.process import wait_until

from .conftest import DEADLINE_SECONDS, Stage, build_pool


async def note(url: str, worker: str, *types: str) -> None:
    """Write what a worker of the queue `media` that knows these types writes, and a job."""
    now = datetime.now(UTC)
    document = WorkerDocument(worker, ["media"], list(types), 1, [], "running", now, now, 1)
    job = {"uuid": "1", "type": "Scale", "queue": "media", "state": "queued"}
    store = await open_datastore(url)
    try:
        await register(store, [TypeDocument("Scale", "media", {})], now)
        await store.upsert("jobs", "1", job)
        await store.upsert("workers", worker, write(document))
    finally:
        await store.close()


def test_a_pool_names_the_types_that_nobody_serves_until_a_worker_knows_them(
    stage: Stage, tmp_path: Path
) -> None:
    store = f"sqlite:///{tmp_path / 'zerog.db'}"
    asyncio.run(note(store, "old", "Crop"))
    stage.start_operator(ZEROG_STORE=store)
    stage.apply(build_pool())

    wait_until(
        lambda: stage.condition("TypesServed").get("reason") == "TypesUnserved",
        DEADLINE_SECONDS,
        "the condition is set",
    )

    assert "Scale" in stage.condition("TypesServed")["message"]
    assert stage.condition("Ready")["status"] == "True"
    labels = f'namespace="{stage.namespace}",pool="media"'
    assert f"zerog_pool_unserved_types{{{labels}}} 1.0" in stage.metrics()

    asyncio.run(note(store, "new", "Scale"))
    wait_until(
        lambda: stage.condition("TypesServed")["status"] == "True",
        DEADLINE_SECONDS,
        "a worker knows the type",
    )
