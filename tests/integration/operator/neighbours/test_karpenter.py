"""A pool in a cluster without nodes, for which the real Karpenter buys them in its simulation."""

from collections.abc import Iterator

import pytest
from tests.cluster.control_plane import ControlPlane
from tests.cluster.fake_nodes import FakeNodes
from tests.cluster.fixtures import start_or_skip
from tests.cluster.karpenter import Karpenter
from tests.cluster.process import wait_until

from ..conftest import DEADLINE_SECONDS, Stage, build_pool

WANTED = 60


@pytest.fixture(scope="module")
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


@pytest.fixture(scope="module")
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
