"""A pod that was killed for its memory: its job's record says so and goes to the larger queue."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from zerog.ledger.codec import read_record, write_record
from zerog.model import events, life
from zerog.model.record import Cause, JobRecord, State, WorkerIdentity, new_job_id
from zerog.store import open_datastore
from zerog_tools.cluster.control_plane import ControlPlane
from zerog_tools.cluster.fake_stages import PREFIX, Fate
from zerog_tools.cluster.process import wait_until

from .conftest import DEADLINE_SECONDS, Stage, build_pool


@pytest.fixture(scope="session")
def cluster(fake_cluster: ControlPlane) -> ControlPlane:
    """The cluster in which `namespace` is: one whose pods get on."""
    return fake_cluster


@pytest.fixture(scope="session")
def control_plane(cluster: ControlPlane) -> ControlPlane:
    """The same, for `stage`."""
    return cluster


async def insert(url: str, record: JobRecord) -> None:
    store = await open_datastore(url)
    try:
        assert await store.insert("jobs", record.uuid, write_record(record))
    finally:
        await store.close()


async def read(url: str, uuid: str) -> JobRecord:
    store = await open_datastore(url)
    try:
        stored = await store.get("jobs", uuid)
        assert stored is not None
        return read_record(stored.document)
    finally:
        await store.close()


@pytest.mark.timeout(300)
def test_the_job_of_a_pod_that_was_killed_for_its_memory_moves_and_says_why(
    stage: Stage, tmp_path: Path
) -> None:
    url = f"sqlite:///{tmp_path / 'zerog.db'}"
    stage.start_operator(ZEROG_STORE=url)
    larger = {"queue": "media-large"}
    stage.apply(build_pool(minReplicas=1, maxReplicas=1, onOutOfMemory=larger))
    (pod,) = stage.wait_for_pods(1)
    wait_until(lambda: stage.status().get("readyReplicas"), DEADLINE_SECONDS, "it is ready")
    environment = {item["name"]: item.get("value") for item in pod["spec"]["containers"][0]["env"]}
    name, now = pod["metadata"]["name"], datetime.now(UTC)
    job = JobRecord(new_job_id(), "Noop", "media", now, now)
    asyncio.run(insert(url, life.step(job, events.Claimed(WorkerIdentity(name), 1), now).record))

    stage.cluster.kubectl(
        "annotate", "pod", name, "-n", stage.namespace, "--overwrite", f"{PREFIX}/fate={Fate.OOM}"
    )

    def has_moved() -> JobRecord | None:
        record = asyncio.run(read(url, job.uuid))
        return record if record.moved_from is not None else None

    moved = wait_until(has_moved, DEADLINE_SECONDS, "the job moves")
    assert (moved.queue, moved.moved_from, moved.state) == ("media-large", "media", State.QUEUED)
    assert moved.crashes == 0
    assert moved.attempts[0].cause is Cause.OUT_OF_MEMORY
    assert "OutOfMemory: exit code 137" in (moved.attempts[0].message or "")
    assert environment["ZEROG_LARGER_QUEUE"] == "media-large"
    told = stage.cluster.kubectl("get", "events", "-n", stage.namespace)
    assert f"{name}: exit code 137; a job that it ran goes to the queue media-large, once" in told
