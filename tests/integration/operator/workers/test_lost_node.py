"""A node whose power is cut: its job runs elsewhere, and the loss costs the job nothing."""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from zerog_tools.cluster.control_plane import ControlPlane
from zerog_tools.cluster.local_node import LocalNode
from zerog_tools.cluster.node.image import Image
from zerog_tools.cluster.process import wait_until

from ..conftest import DEADLINE_SECONDS, Stage
from .conftest import IMAGE, Works

#: A lost node shows in a cluster after 50 s, and its pods are given up after 300 s more. Here:
GRACE = "--node-monitor-grace-period=6s"
TOLERATION_SECONDS = 1


def tolerate(key: str) -> dict[str, Any]:
    return {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute",
            "tolerationSeconds": TOLERATION_SECONDS}  # fmt: skip


@pytest.fixture
def nodes(own_clusters: None, tmp_path: Path) -> Iterator[tuple[Works, dict[str, LocalNode]]]:
    """A ZeroG on a cluster of its own with two nodes."""
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    with ControlPlane("lost", scheduler=True, controller_arguments=[GRACE]) as cluster:
        made = {
            name: LocalNode(cluster, name, images={IMAGE: Image(env={"PATH": path})})
            for name in ("node-1", "node-2")
        }
        for node in made.values():
            node.start()
        cluster.create_namespace("stage")
        stage = Stage(cluster, "stage", tmp_path)
        stage.prepare()
        works = Works(stage, made["node-1"], tmp_path)
        try:
            yield works, made
        finally:
            works.close()
            stage.close()
            for log in sorted(tmp_path.glob("*.log")):
                print(f"--- {log.name}\n{log.read_text(errors='replace')[-4000:]}")


def test_a_lost_node_costs_its_job_nothing(nodes: tuple[Works, dict[str, LocalNode]]) -> None:
    works, machines = nodes
    stage = works.stage
    works.start_operator(ZEROG_STORE=works.store)
    tolerations = [tolerate("unreachable"), tolerate("not-ready")]
    works.apply(pod={"tolerations": tolerations}, minReplicas=1, maxReplicas=1)
    works.wait_for_types()
    (uuid,) = works.submit(1, 0.1, held=True)
    wait_until(lambda: works.state_of(uuid) == "running", DEADLINE_SECONDS, "it runs")
    lost = works.client.get(uuid)["attempts"][0]["worker"]
    (pod,) = stage.pods()

    machines[pod["spec"]["nodeName"]].kill()

    def attempts() -> list[dict[str, Any]]:
        return list(works.client.info(uuid)["attempts"])

    wait_until(
        lambda: attempts()[0].get("cause") == "interrupted", 3 * DEADLINE_SECONDS, "it is told"
    )
    first = attempts()[0]
    assert first["worker"]["name"] == lost["name"] == pod["metadata"]["name"]
    assert first["message"].startswith("NodeLost: ")
    works.hold.touch()
    works.wait_until_done()
    job = works.client.get(uuid)
    assert (job["state"], job["crashes"], len(job["attempts"])) == ("succeeded", 0, 2)
    assert job["attempts"][1]["worker"]["name"] != lost["name"]
    assert "WorkerNodeLost" in stage.cluster.kubectl("get", "events", "-n", "stage")
    assert "zerog_busy_worker_interrupted_total 0.0" in stage.metrics()
