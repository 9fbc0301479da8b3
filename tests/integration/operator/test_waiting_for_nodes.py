"""Pods that wait for a node, before a real scheduler: for one that is bought, or behind a gate."""

import json
import re
from typing import Any

import pytest

from zerog_tools.cluster.control_plane import ControlPlane
from zerog_tools.cluster.fake_nodes import FakeNodes
from zerog_tools.cluster.process import wait_until

from .conftest import DEADLINE_SECONDS, Stage, build_pool

FEW, MANY = 5, 200
GATE = "zerog.dev/test"


@pytest.fixture(scope="session")
def cluster(fake_cluster: ControlPlane) -> ControlPlane:
    """The cluster in which `namespace` is: one whose pods get on."""
    return fake_cluster


@pytest.fixture(scope="session")
def control_plane(cluster: ControlPlane) -> ControlPlane:
    """The same, for `stage`."""
    return cluster


def build_pool_of(pod: dict[str, Any], **spec: Any) -> dict[str, Any]:
    """Return a pool with this in its pods' spec."""
    containers = [{"name": "worker", "image": "acme:1"}]
    return build_pool(template={"spec": {**pod, "containers": containers}}, **spec)


def uids(stage: Stage) -> set[str]:
    return {pod["metadata"]["uid"] for pod in stage.pods()}


def wait_for_ready(stage: Stage, count: int, seconds: float = DEADLINE_SECONDS) -> None:
    def look() -> bool:
        return int(stage.status().get("readyReplicas", 0)) == count

    wait_until(look, seconds, f"{count} are ready")


def wait_for_waiting(stage: Stage, count: int, reason: str) -> dict[str, Any]:
    """Wait until the pool says that this many wait, and return the condition."""

    def look() -> dict[str, Any] | None:
        told = stage.status().get("waitingForNode") == count
        found = stage.condition("WaitingForNodes")
        return found if told and found.get("reason") == reason else None

    return wait_until(look, 2 * DEADLINE_SECONDS, f"{count} wait")


def count(stage: Stage, metric: str) -> int:
    found = re.search(rf"^{re.escape(metric)} (\d+)", stage.metrics(), re.M)
    return int(found[1]) if found else 0


def count_pods(stage: Stage, action: str) -> int:
    labels = f'action="{action}",namespace="{stage.namespace}",pool="media"'
    return count(stage, f"zerog_pods_total{{{labels}}}")


def test_all_pods_of_a_step_of_load_wait_for_nodes_and_run_on_those_that_come(
    stage: Stage, fake_nodes: FakeNodes
) -> None:
    label = {f"only-{stage.namespace}": "yes"}
    stage.start_operator()
    stage.apply(build_pool_of({"nodeSelector": label}, maxReplicas=1000))
    stage.put(FEW)
    told = wait_for_waiting(stage, FEW, "Unschedulable")
    assert told["status"] == "True"
    assert "didn't match Pod's node affinity/selector" in told["message"]

    stage.put(MANY)

    stage.wait_for_pods(FEW + MANY, seconds=2 * DEADLINE_SECONDS)
    before = uids(stage)
    wait_for_waiting(stage, FEW + MANY, "Unschedulable")
    # The step was one decision, and nothing held its pods back.
    labels = f'direction="up",namespace="{stage.namespace}",pool="media"'
    assert count(stage, f"zerog_decisions_total{{{labels}}}") == 1
    stage.wait_for_looks()
    decision = stage.status()["lastDecision"]
    assert "limitedBy" not in decision
    assert stage.condition("Ready")["status"] == "True"

    fake_nodes.add(f"bought-{stage.namespace}", label)

    wait_for_ready(stage, FEW + MANY, 4 * DEADLINE_SECONDS)
    assert uids(stage) == before
    assert (count_pods(stage, "created"), count_pods(stage, "deleted")) == (FEW + MANY, 0)
    wait_until(
        lambda: stage.condition("WaitingForNodes")["status"] == "False", DEADLINE_SECONDS, "told"
    )


def test_pods_behind_a_gate_keep_their_place_and_run_as_they_are_let_through(stage: Stage) -> None:
    stage.start_operator()
    stage.apply(build_pool_of({"schedulingGates": [{"name": GATE}]}))
    stage.put(3)
    told = wait_for_waiting(stage, 3, "SchedulingGated")
    assert "non-empty scheduling gates" in told["message"]
    before = uids(stage)
    stage.wait_for_looks()

    ungated = json.dumps({"spec": {"schedulingGates": None}})
    for number, pod in enumerate(stage.pods(), start=1):
        name = pod["metadata"]["name"]
        stage.cluster.kubectl("patch", "pod", name, "-n", stage.namespace, "-p", ungated)
        wait_for_ready(stage, number)

    assert uids(stage) == before
    assert (count_pods(stage, "created"), count_pods(stage, "deleted")) == (3, 0)


def test_when_fewer_are_wanted_the_youngest_behind_the_gate_go(stage: Stage) -> None:
    stage.start_operator()
    stage.apply(build_pool_of({"schedulingGates": [{"name": GATE}]}, minReplicas=2))
    wait_for_waiting(stage, 2, "SchedulingGated")
    first = uids(stage)
    stage.put(4)
    wait_for_waiting(stage, 4, "SchedulingGated")

    stage.take_all()

    stage.wait_for_pods(2)
    assert uids(stage) == first
