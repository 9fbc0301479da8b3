"""Many pods at once, and pods that nodes do not get to run: on a scheduler and played nodes."""

from typing import Any

import pytest

from zerog.model.names import mailbox_tube_name
from zerog_tools.cluster.control_plane import ControlPlane
from zerog_tools.cluster.fake_stages import PREFIX, Fate
from zerog_tools.cluster.process import wait_until

from .conftest import DEADLINE_SECONDS, Stage, build_pool

MANY = 50


@pytest.fixture(scope="session")
def cluster(fake_cluster: ControlPlane) -> ControlPlane:
    """The cluster in which `namespace` is: one whose pods get on."""
    return fake_cluster


@pytest.fixture(scope="session")
def control_plane(cluster: ControlPlane) -> ControlPlane:
    """The same, for `stage`."""
    return cluster


def build_fated_pool(fate: Fate, image: str = "acme:1", **spec: Any) -> dict[str, Any]:
    """Return a pool of whose pods this becomes."""
    container = {"name": "worker", "image": image}
    annotations = {f"{PREFIX}/fate": str(fate)}
    template = {"metadata": {"annotations": annotations}, "spec": {"containers": [container]}}
    return build_pool(template=template, **spec)


def count_ready(stage: Stage) -> int:
    return int(stage.status().get("readyReplicas", 0))


def count_image(stage: Stage, image: str) -> int:
    return [pod["spec"]["containers"][0]["image"] for pod in stage.pods()].count(image)


def test_fifty_pods_follow_a_step_of_load_in_one_decision_and_go_by_tokens(stage: Stage) -> None:
    stage.start_operator()
    stage.apply(build_pool(maxReplicas=MANY))
    wait_until(lambda: stage.status() or None, DEADLINE_SECONDS, "a status")

    stage.put(MANY)

    wait_until(lambda: count_ready(stage) == MANY, 2 * DEADLINE_SECONDS, "all are ready")
    assert f"0 → {MANY}:" in stage.cluster.kubectl("get", "events", "-n", stage.namespace)
    before = {pod["metadata"]["uid"] for pod in stage.pods()}
    assert len(before) == MANY

    stage.take_all()

    wait_until(lambda: stage.tokens() == MANY, DEADLINE_SECONDS, "a token for each")
    assert {pod["metadata"]["uid"] for pod in stage.pods()} == before


def test_a_rollout_to_an_image_that_is_not_there_leaves_the_old_workers_alone(
    stage: Stage,
) -> None:
    stage.start_operator()
    stage.apply(build_fated_pool(Fate.RUN, minReplicas=2))
    wait_until(lambda: count_ready(stage) == 2, DEADLINE_SECONDS, "two are ready")
    old = {pod["metadata"]["uid"] for pod in stage.pods()}

    stage.apply(build_fated_pool(Fate.IMAGE_ERROR, "acme:wrong", minReplicas=2))

    wait_until(
        lambda: "ImagePull" in stage.condition("Scaling").get("reason", ""),
        DEADLINE_SECONDS,
        "the reason is told",
    )
    stage.wait_for_looks()
    there = {pod["metadata"]["uid"] for pod in stage.pods()}
    assert old < there
    assert len(there) == 3  # one more is tried, and it stays to be seen

    stage.apply(build_fated_pool(Fate.RUN, "acme:right", minReplicas=2))

    # No process runs in the old ones that would obey: they stay, retiring.
    wait_until(lambda: count_image(stage, "acme:right") == 2, DEADLINE_SECONDS, "new ones are made")
    wait_until(lambda: stage.status().get("retiring") == 2, DEADLINE_SECONDS, "old ones are told")
    assert count_image(stage, "acme:wrong") == 0


TROUBLES = [
    (Fate.IMAGE_ERROR, "ImagePullBackOff", "Back-off pulling image"),
    (Fate.CRASH_LOOP, "CrashLoopBackOff", "back-off 10s restarting failed container"),
    (Fate.CONFIG_ERROR, "CreateContainerConfigError", 'secret "none" not found'),
]


@pytest.mark.parametrize(("fate", "reason", "message"), TROUBLES)
def test_pods_that_do_not_come_are_told_not_followed_by_more_and_heal(
    stage: Stage, fate: Fate, reason: str, message: str
) -> None:
    stage.start_operator()
    stage.apply(build_fated_pool(fate))
    stage.put(3)
    wait_until(
        lambda: stage.condition("Scaling").get("reason") == reason, DEADLINE_SECONDS, "it is told"
    )
    assert message in stage.condition("Scaling")["message"]
    assert stage.condition("Ready")["status"] == "False"
    wait_until(
        lambda: stage.status()["lastDecision"].get("limitedBy") == "backoff",
        DEADLINE_SECONDS,
        "it backs off",
    )
    assert len(stage.pods()) <= 3

    def heal() -> bool:
        # Those that are there, and those that were tried meanwhile.
        change = f"{PREFIX}/fate={Fate.RUN}"
        stage.cluster.kubectl("annotate", "pods", "--all", "-n", stage.namespace, "--overwrite",
                              change)  # fmt: skip
        return count_ready(stage) == 3

    wait_until(heal, DEADLINE_SECONDS, "all are ready")
    wait_until(lambda: stage.condition("Ready")["status"] == "True", DEADLINE_SECONDS, "it is fine")


def test_workers_of_a_node_that_is_about_to_go_are_replaced_and_told_by_name(stage: Stage) -> None:
    stage.start_operator()
    stage.apply(build_fated_pool(Fate.RUN, minReplicas=1))
    wait_until(lambda: count_ready(stage) == 1, DEADLINE_SECONDS, "one is ready")
    (old,) = stage.pods()
    node = old["spec"]["nodeName"]
    tube = mailbox_tube_name(old["metadata"]["name"])

    def is_told() -> bool:
        return bool(stage.queue(lambda connection: connection.tube_stats(tube)).entries)

    stage.cluster.kubectl("cordon", node)
    try:
        wait_until(is_told, DEADLINE_SECONDS, "it is told by name")
        uids = {pod["metadata"]["uid"] for pod in stage.pods()}
        assert old["metadata"]["uid"] in uids
        (new,) = [pod for pod in stage.pods() if pod["metadata"]["uid"] != old["metadata"]["uid"]]
        assert new["spec"]["nodeName"] != node
    finally:
        stage.cluster.kubectl("uncordon", node)
