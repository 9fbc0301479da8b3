"""Why a worker died: told in an Event, written into the record of its job, charged to nobody else.

Each death is done to a real worker in the middle of a job; the job then runs to its end elsewhere.
"""

import json
from collections.abc import Callable
from typing import Any

import pytest

from zerog_tools.cluster.local_node import LocalNode
from zerog_tools.cluster.process import signal_marked, wait_until

from ..conftest import DEADLINE_SECONDS, Stage
from .conftest import POOL, QUEUE, Works


def kill_worker(node: LocalNode, stage: Stage, pod: str) -> None:
    signal_marked(f"{node.folder}/pods/{stage.namespace}_{pod}_", 9)


def kill_for_memory(node: LocalNode, stage: Stage, pod: str) -> None:
    node.kill_for_memory(stage.namespace, pod)


def throw_out(node: LocalNode, stage: Stage, pod: str) -> None:
    node.evict(stage.namespace, pod, "The node was low on resource: memory.")


def evict_by_api(node: LocalNode, stage: Stage, pod: str) -> None:
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": pod, "namespace": stage.namespace},
    }
    path = f"/api/v1/namespaces/{stage.namespace}/pods/{pod}/eviction"
    stage.api.post(path, json=eviction).raise_for_status()


def delete(node: LocalNode, stage: Stage, pod: str) -> None:
    stage.cluster.kubectl("delete", "pod", pod, "-n", stage.namespace, "--wait=false")


def delete_by_force(node: LocalNode, stage: Stage, pod: str) -> None:
    stage.cluster.kubectl(
        "delete", "pod", pod, "-n", stage.namespace, "--force", "--grace-period=0"
    )  # fmt: skip


#: What is done, the Event's reason, the cause in the record, its message, crashes that are charged.
DEATHS: list[tuple[Callable[[LocalNode, Stage, str], None], str, str, str, int]] = [
    (kill_worker, "WorkerCrash", "crash", "", 1),
    (kill_for_memory, "WorkerOutOfMemory", "outOfMemory", "OutOfMemory", 1),
    (throw_out, "WorkerEvicted", "interrupted", "low on resource: memory", 0),
    (evict_by_api, "WorkerEvicted", "interrupted", "", 0),
    (delete, "WorkerDeleted", "interrupted", "", 0),
    (delete_by_force, "WorkerDeleted", "interrupted", "the pod was deleted", 0),
]


def running_pod(works: Works, uuid: str) -> str:
    """Wait until a job runs, and return the pod of its worker."""

    def look() -> str | None:
        job = works.client.get(uuid)
        return job["attempts"][-1]["worker"]["name"] if job["state"] == "running" else None

    return wait_until(look, DEADLINE_SECONDS, "the job runs")


def events(stage: Stage) -> list[tuple[str, str]]:
    """Return reason and message of each Event."""
    found = stage.api.get(f"/api/v1/namespaces/{stage.namespace}/events").json()["items"]
    return [(item["reason"], item["message"]) for item in found]


@pytest.mark.parametrize(
    ("die", "event", "cause", "message", "crashes"), DEATHS, ids=[d[0].__name__ for d in DEATHS]
)
def test_the_record_of_a_job_tells_why_its_worker_died(
    works: Works,
    local_node: LocalNode,
    die: Callable[[LocalNode, Stage, str], None],
    event: str,
    cause: str,
    message: str,
    crashes: int,
) -> None:
    stage = works.stage
    works.start_operator(ZEROG_STORE=works.store)
    works.apply(minReplicas=1, maxReplicas=1, drainTimeoutSeconds=1)
    works.wait_for_types()
    (uuid,) = works.submit(1, 0.1, held=True)
    pod = running_pod(works, uuid)

    die(local_node, stage, pod)

    def first_attempt() -> dict[str, Any]:
        return dict(works.client.info(uuid)["attempts"][0])

    wait_until(
        lambda: any(reason == event and pod in text for reason, text in events(stage)),
        DEADLINE_SECONDS,
        "an Event tells why",
    )
    # One that drains would still finish it.
    wait_until(
        lambda: len(works.client.info(uuid)["attempts"]) == 2, DEADLINE_SECONDS, "it runs again"
    )
    wait_until(
        lambda: first_attempt()["cause"] == cause,
        2 * DEADLINE_SECONDS,
        f"the record tells {cause}, not {json.dumps(first_attempt())}",
    )
    works.hold.touch()
    works.wait_until_done()
    job = works.client.get(uuid)
    assert message in (first_attempt().get("message") or "")
    assert (job["state"], job["crashes"]) == ("succeeded", crashes)
    assert len(job["attempts"]) == 2
    assert f'pool="{POOL}"' in stage.metrics()


def test_a_job_that_ran_out_of_memory_is_run_by_the_pool_with_more(
    works: Works, local_node: LocalNode
) -> None:
    works.start_operator(ZEROG_STORE=works.store)
    works.apply(minReplicas=1, maxReplicas=1, onOutOfMemory={"queue": "large"})
    works.apply(name="media-large", queue="large", maxReplicas=1)
    works.wait_for_types()
    (uuid,) = works.submit(1, 0.1, held=True)
    pod = running_pod(works, uuid)

    kill_for_memory(local_node, works.stage, pod)

    wait_until(
        lambda: len(works.client.info(uuid)["attempts"]) == 2, 2 * DEADLINE_SECONDS, "it runs again"
    )
    works.hold.touch()
    works.wait_until_done()
    job = works.client.info(uuid)
    small, large = job["attempts"]
    assert (job["state"], job["queue"], job["movedFrom"]) == ("succeeded", "large", QUEUE)
    assert (small["cause"], job["crashes"]) == ("outOfMemory", 0)
    assert large["worker"]["name"].startswith("media-large-")
