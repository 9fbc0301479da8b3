"""A pool whose pods stand in Kueue's line: the real Kueue 0.17 with a quota of five."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.cluster.fixtures import start_or_skip

from zerog_tools.cluster.control_plane import ControlPlane
from zerog_tools.cluster.fake_nodes import FakeNodes
from zerog_tools.cluster.fake_stages import PREFIX, Fate
from zerog_tools.cluster.kueue import QUEUE_LABEL, Kueue
from zerog_tools.cluster.process import wait_until

from ..conftest import DEADLINE_SECONDS, Stage, build_pool

QUOTA, WANTED = 5, 9


@pytest.fixture(scope="module")
def cluster(request: pytest.FixtureRequest, own_clusters: None) -> Iterator[ControlPlane]:
    """A cluster with a scheduler, fake nodes and Kueue."""
    made = ControlPlane("kueue", scheduler=True)
    start_or_skip(made, request)
    failed_before = request.session.testsfailed
    try:
        with FakeNodes(made), Kueue(made):
            yield made
    finally:
        made.delete(keep_logs=request.session.testsfailed > failed_before)


@pytest.fixture(scope="module")
def control_plane(cluster: ControlPlane) -> ControlPlane:
    """The same, for `stage`."""
    return cluster


def build_queued_pool(**spec: Any) -> dict[str, Any]:
    containers = [{"name": "worker", "image": "acme:1"}]
    labels = {QUEUE_LABEL: "workers"}
    return build_pool(
        template={"metadata": {"labels": labels}, "spec": {"containers": containers}},
        **spec,
    )


def list_gated(stage: Stage) -> list[str]:
    """Return the uids of the pods that stand in the line."""
    return [pod["metadata"]["uid"] for pod in stage.pods() if pod["spec"].get("schedulingGates")]


def list_ready(stage: Stage) -> list[dict[str, Any]]:
    return [
        pod
        for pod in stage.pods()
        for condition in pod["status"].get("conditions", ())
        if condition["type"] == "Ready" and condition["status"] == "True"
    ]


def test_workers_run_within_the_quota_and_the_others_follow_without_losing_their_place(
    stage: Stage,
) -> None:
    Kueue(stage.cluster).make_queue(stage.namespace, "workers", QUOTA)
    stage.start_operator()
    stage.apply(build_queued_pool())
    stage.put(WANTED)
    wait_until(lambda: len(list_ready(stage)) == QUOTA, DEADLINE_SECONDS, "five run")
    wait_until(
        lambda: stage.status().get("waitingForNode") == WANTED - QUOTA, DEADLINE_SECONDS, "in line"
    )
    condition = stage.condition("WaitingForNodes")
    assert (condition["status"], condition["reason"]) == ("True", "SchedulingGated")
    assert stage.condition("Ready")["status"] == "True"
    stage.wait_for_looks(10)
    line = list_gated(stage)
    assert len(line) == WANTED - QUOTA
    assert len(stage.pods()) == WANTED

    for place in range(1, len(line) + 1):
        # What a worker does that takes a retire token.
        first = [pod for pod in list_ready(stage) if pod["metadata"]["uid"] not in line]
        name = first[0]["metadata"]["name"]
        change = f"{PREFIX}/fate={Fate.SUCCEED}"
        stage.cluster.kubectl("annotate", "pod", name, "-n", stage.namespace, change)

        def has_followed(place: int = place) -> bool:
            runs = {pod["metadata"]["uid"] for pod in list_ready(stage)}
            return len(runs & set(line)) == place and len(runs) == QUOTA

        wait_until(has_followed, DEADLINE_SECONDS, f"{place} of the line run")

    there = {pod["metadata"]["uid"] for pod in stage.pods()}
    assert there >= set(line)
