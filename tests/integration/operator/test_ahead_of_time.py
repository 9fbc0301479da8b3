"""Workers before they are needed: for delayed jobs that fall due, and in windows."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from zerog.model.names import tube_name
from zerog.model.record import format_time
from zerog.queue.port import QueueConnection
from zerog.store import open_datastore
from zerog_tools.cluster.control_plane import ControlPlane
from zerog_tools.cluster.fake_stages import PREFIX
from zerog_tools.cluster.process import wait_until

from .conftest import DEADLINE_SECONDS, Stage, build_pool

#: How long the first pod takes to start, and later ones are expected to; they take none.
START_SECONDS = 25
#: Time enough to see that no pod is made yet, and then for a pod to start on a busy machine.
DELAY_SECONDS = START_SECONDS + 15


@pytest.fixture(scope="session")
def cluster(fake_cluster: ControlPlane) -> ControlPlane:
    """The cluster in which `namespace` is: one whose pods get on."""
    return fake_cluster


@pytest.fixture(scope="session")
def control_plane(cluster: ControlPlane) -> ControlPlane:
    """The same, for `stage`."""
    return cluster


def build_slow_pool(start_seconds: int, **spec: Any) -> dict[str, Any]:
    container = {"name": "worker", "image": "acme:1"}
    annotations = {f"{PREFIX}/start-delay": f"{start_seconds}s"}
    template = {"metadata": {"annotations": annotations}, "spec": {"containers": [container]}}
    return build_pool(template=template, **spec)


async def delay_job(url: str) -> None:
    """Write what the API writes of a delayed job."""
    due = datetime.now(UTC) + timedelta(seconds=DELAY_SECONDS)
    job = {"state": "queued", "queue": "media", "notBeforeTime": format_time(due)}
    store = await open_datastore(url)
    try:
        await store.insert("jobs", "1", {"uuid": "1", **job})
    finally:
        await store.close()


async def put_delayed(connection: QueueConnection) -> None:
    await connection.put(tube_name("media"), "0" * 36, delay_seconds=DELAY_SECONDS)


def is_delayed(stage: Stage) -> bool:
    """Whether beanstalkd holds the job back still."""

    async def look(connection: QueueConnection) -> tuple[int, int]:
        (stats,) = await connection.tube_stats_many([tube_name("media")])
        return stats.ready, stats.delayed

    return bool(stage.queue(look) == (0, 1))


def count_ready(stage: Stage) -> int:
    return int(stage.status().get("readyReplicas", 0))


def test_a_worker_is_ready_before_the_job_is_due_and_is_not_made_at_once(
    stage: Stage, tmp_path: Path
) -> None:
    store = f"sqlite:///{tmp_path / 'zerog.db'}"
    stage.start_operator(ZEROG_STORE=store)
    stage.apply(build_slow_pool(START_SECONDS, minReplicas=1))
    wait_until(lambda: count_ready(stage) == 1, 2 * DEADLINE_SECONDS, "a start was measured")
    stage.apply(build_slow_pool(0))
    wait_until(lambda: stage.status()["desiredReplicas"] == 0, DEADLINE_SECONDS, "none is wanted")
    stage.cluster.kubectl("delete", "pods", "--all", "-n", stage.namespace, "--wait=false")
    stage.wait_for_pods(0)

    asyncio.run(delay_job(store))
    stage.queue(put_delayed)
    stage.wait_for_looks()
    made_at_once = len(stage.pods())
    wait_until(lambda: count_ready(stage) == 1, 2 * DEADLINE_SECONDS, "a worker is ready")

    assert is_delayed(stage)
    assert made_at_once == 0
    assert "1 delayed and due before a new pod" in stage.status()["lastDecision"]["reason"]


def test_an_open_window_has_its_workers_and_a_bad_one_is_named(stage: Stage) -> None:
    always = {"cron": "* * * * *", "durationSeconds": 3600, "minReplicas": 2}
    stage.start_operator()
    stage.apply(build_pool(windows=[always]))

    wait_until(lambda: count_ready(stage) == 2, DEADLINE_SECONDS, "two are ready")
    assert "window * * * * * UTC is open until" in stage.status()["lastDecision"]["reason"]

    stage.apply(build_pool(windows=[always, {**always, "timeZone": "Mars/Olympus"}]))

    wait_until(
        lambda: stage.condition("Ready").get("reason") == "InvalidSpec",
        DEADLINE_SECONDS,
        "it is told",
    )
    assert "spec.windows[1].timeZone 'Mars/Olympus'" in stage.condition("Ready")["message"]
    assert len(stage.pods()) == 2
