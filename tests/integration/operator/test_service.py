"""What people see of a pool's service, and what a pause of its queue does, on a real API server."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from zerog.ledger import controls
from zerog.ledger.tally import minute_key, shard_key
from zerog.model.documents import ControlDocument
from zerog.store import open_datastore
from zerog.store.port import Datastore
from zerog_tools.cluster.process import wait_until

from .conftest import DEADLINE_SECONDS, Stage, build_pool


@pytest.fixture
def store(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'zerog.db'}"


def write(url: str, do: Callable[[Datastore], Coroutine[Any, Any, Any]]) -> None:
    """Do something with the datastore."""

    async def run() -> None:
        opened = await open_datastore(url)
        try:
            await do(opened)
        finally:
            await opened.close()

    asyncio.run(run())


def events(stage: Stage) -> list[str]:
    """Return the reasons of the pool's Events."""
    path = f"/api/v1/namespaces/{stage.namespace}/events"
    found = stage.api.get(path).raise_for_status().json()["items"]
    return [item["reason"] for item in found if item["involvedObject"]["name"] == "media"]


def test_a_pool_does_not_grow_while_its_queue_is_paused_and_says_so(
    stage: Stage, store: str
) -> None:
    pause = ControlDocument("queue", "media", datetime.now(UTC), "ann", "the disk is full")
    write(store, lambda opened: controls.hold(opened, pause))
    stage.put(3)
    first = stage.start_operator(ZEROG_STORE=store)
    stage.apply(build_pool())

    wait_until(
        lambda: stage.condition("Paused").get("reason") == "QueuePaused",
        DEADLINE_SECONDS,
        "the condition is set",
    )
    assert "by ann: the disk is full" in stage.condition("Paused")["message"]
    assert stage.condition("Ready")["status"] == "True"
    decision = stage.status()["lastDecision"]
    assert (decision["replicas"], decision["limitedBy"]) == (0, "pausedQueue")
    assert decision["reason"].startswith("the queue is paused, 3 ready must wait")

    assert "zerog_pods_total{" not in stage.metrics()

    # Another operator, which has not read the pause yet, makes no pods either.
    stage.stop(first)
    stage.start_operator(ZEROG_STORE=store)
    wait_until(
        lambda: "zerog_pool_paused{" in stage.metrics(), DEADLINE_SECONDS, "the pause is read"
    )
    assert "zerog_pods_total{" not in stage.metrics()

    write(store, lambda opened: controls.lift(opened, "queue", "media"))
    stage.wait_for_pods(3)
    wait_until(lambda: "NotPaused" in events(stage), DEADLINE_SECONDS, "its end is told")
    assert sorted(reason for reason in events(stage) if reason.endswith("Paused")) == [
        "NotPaused",
        "QueuePaused",
    ]


def test_whether_jobs_start_in_time_is_seen_in_status_metrics_and_columns(
    stage: Stage, store: str
) -> None:
    counts = {"media Convert": {"started": 100, "w3": 90, "w6": 10, "succeeded": 80, "failed": 7}}
    minute = shard_key(minute_key(time.time() - 120), 0)
    write(store, lambda opened: opened.upsert("stats", minute, counts))
    stage.start_operator(ZEROG_STORE=store)
    stage.apply(build_pool(scaling={"targetStartSeconds": 10}))

    wait_until(lambda: "slo" in stage.status(), DEADLINE_SECONDS, "the share is told")

    assert stage.status()["slo"] == {
        "targetSeconds": 10,
        "attainedLastHour": "0.900",
        "p95Seconds": "20",
    }
    metrics, where = stage.metrics(), f'namespace="{stage.namespace}"'
    assert f'zerog_pool_starts_in_time_ratio{{{where},pool="media"}} 0.9' in metrics
    failed = f'zerog_pool_jobs_ended_last_hour{{{where},outcome="failed",pool="media"}} 7.0'
    assert failed in metrics
    assert "zerog_worker_seconds_total{" in metrics
    header, row = stage.cluster.kubectl("-n", stage.namespace, "get", "zwp").splitlines()
    columns = "NAME READY REASON PAUSED WORKERS DESIRED QUEUED RUNNING IN-TIME AGE"
    assert header.split() == columns.split()
    cells = row.split()
    assert cells[:4] == ["media", "True", "PoolWorks", "False"]
    assert cells[4:-1] == ["0", "0", "0", "0", "0.900"]


def test_jobs_that_nobody_starts_count_as_missed(stage: Stage, store: str) -> None:
    stage.start_operator(ZEROG_STORE=store)
    stage.apply(build_pool(scaling={"targetStartSeconds": 1}))
    stage.put(2)

    wait_until(
        lambda: stage.status().get("slo", {}).get("attainedLastHour") == "0.000",
        DEADLINE_SECONDS,
        "the target is missed",
    )

    assert stage.status()["slo"] == {"targetSeconds": 1, "attainedLastHour": "0.000"}
