"""A pool in a cluster without nodes, for which the real Karpenter buys them in its simulation."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.cluster.fixtures import start_or_skip

from zerog_operator.marking import BUSY_SECONDS
from zerog_operator.names import KARPENTER_MARK
from zerog_tools.cluster.control_plane import ControlPlane
from zerog_tools.cluster.fake_nodes import FakeNodes
from zerog_tools.cluster.karpenter import Karpenter
from zerog_tools.cluster.process import wait_until

from ..beats import Beats
from ..conftest import DEADLINE_SECONDS, Stage, build_pool

WANTED = 60


@pytest.fixture
def cluster(request: pytest.FixtureRequest, own_clusters: None) -> Iterator[ControlPlane]:
    """A cluster with a scheduler and Karpenter, and no node yet."""
    made = ControlPlane("karpenter", scheduler=True)
    start_or_skip(made, request)
    failed_before = request.session.testsfailed
    try:
        with FakeNodes(made, count=0), Karpenter(made):
            yield made
    finally:
        made.delete(keep_logs=request.session.testsfailed > failed_before)


@pytest.fixture
def control_plane(cluster: ControlPlane) -> ControlPlane:
    """The same, for `stage`."""
    return cluster


def list_nodes(stage: Stage) -> list[str]:
    items = stage.api.get("/api/v1/nodes").raise_for_status().json()["items"]
    return [item["metadata"]["name"] for item in items]


def test_nodes_are_bought_for_workers_that_wait_and_the_same_workers_run_on_them(
    stage: Stage,
) -> None:
    resources = {"requests": {"cpu": "4", "memory": "4Gi"}}
    container = {"name": "worker", "image": "acme:1", "resources": resources}
    stage.start_operator()
    stage.apply(build_pool(template={"spec": {"containers": [container]}}, maxReplicas=WANTED))
    assert list_nodes(stage) == []

    stage.put(WANTED)

    pods = stage.wait_for_pods(WANTED)
    wait_until(
        lambda: stage.status().get("readyReplicas") == WANTED, 3 * DEADLINE_SECONDS, "all run"
    )
    before = {pod["metadata"]["uid"] for pod in pods}
    assert {pod["metadata"]["uid"] for pod in stage.pods()} == before
    assert list_nodes(stage)
    claims = stage.cluster.kubectl("get", "nodeclaims", "-o", "name").split()
    assert len(claims) == len(list_nodes(stage))


#: Nodes that Karpenter made before this change are to be replaced: it calls that drift.
NEW_NODES = {"spec": {"template": {"metadata": {"labels": {"acme.example/round": "2"}}}}}


@pytest.mark.timeout(600)
def test_a_busy_workers_node_is_replaced_only_once_the_worker_is_idle(
    stage: Stage, tmp_path: Path
) -> None:
    store = f"sqlite:///{tmp_path / 'zerog.db'}"
    stage.start_operator(ZEROG_STORE=store)
    stage.apply(build_pool(minReplicas=1, maxReplicas=1))
    (pod,) = stage.wait_for_pods(1)
    wait_until(lambda: stage.status().get("readyReplicas"), 3 * DEADLINE_SECONDS, "it runs")
    beats, uid = Beats(store, pod["metadata"]["name"]), pod["metadata"]["uid"]
    (node,) = list_nodes(stage)

    def is_marked() -> bool:
        beats.send(BUSY_SECONDS)
        return KARPENTER_MARK in stage.pods()[0]["metadata"].get("annotations", {})

    def is_blocked() -> bool:
        beats.send(BUSY_SECONDS)
        told = stage.cluster.kubectl("get", "events", "-A", "-o", "json")
        return any(
            item["reason"] == "DisruptionBlocked" and KARPENTER_MARK in item["message"]
            for item in json.loads(told)["items"]
        )

    def is_replaced() -> bool:
        beats.send()
        return bool(stage.pods()) and all(
            other["metadata"]["uid"] != uid for other in stage.pods()
        )  # fmt: skip

    wait_until(is_marked, DEADLINE_SECONDS, "the busy worker's pod is marked")
    stage.cluster.kubectl(
        "patch", "nodepool", "default", "--type=merge", "-p", json.dumps(NEW_NODES)
    )
    wait_until(is_blocked, 3 * DEADLINE_SECONDS, "Karpenter leaves the node alone")
    assert [item["metadata"]["uid"] for item in stage.pods()] == [uid]
    assert list_nodes(stage) == [node]

    wait_until(is_replaced, 3 * DEADLINE_SECONDS, "the idle worker's node is replaced")
    wait_until(lambda: node not in list_nodes(stage), 2 * DEADLINE_SECONDS, "the node is gone")
