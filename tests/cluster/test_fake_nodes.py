"""Fake nodes do to their pods what the pods' annotations say."""

import json
from typing import Any

import pytest

from zerog_tools.cluster.control_plane import ControlPlane
from zerog_tools.cluster.fake_nodes import FakeNodes
from zerog_tools.cluster.fake_stages import PREFIX, Fate
from zerog_tools.cluster.process import wait_until

DEADLINE_SECONDS = 60.0


@pytest.fixture(scope="session")
def cluster(fake_cluster: ControlPlane) -> ControlPlane:
    """The cluster in which `namespace` is."""
    return fake_cluster


def make_pod(cluster: ControlPlane, namespace: str, name: str = "pod", **words: str) -> None:
    """Make a pod with annotations of these names."""
    annotations = {f"{PREFIX}/{key.replace('_', '-')}": value for key, value in words.items()}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": namespace, "annotations": annotations},
        "spec": {
            "restartPolicy": "OnFailure",
            "containers": [{"name": "worker", "image": "none.invalid/none"}],
        },
    }
    cluster.kubectl("create", "-f", "-", stdin=json.dumps(pod))


def read_pod(cluster: ControlPlane, namespace: str, name: str = "pod") -> dict[str, Any]:
    """Return a pod's status as one flat table of what tells its state."""
    with cluster.client() as client:
        answer = client.get(f"/api/v1/namespaces/{namespace}/pods/{name}").raise_for_status()
    status = answer.json()["status"]
    container = status.get("containerStatuses", [{}])[0]
    state = container.get("state", {})
    return {
        "phase": status["phase"],
        "reason": status.get("reason"),
        "ready": container.get("ready", False),
        "waits": state.get("waiting", {}).get("reason"),
        "code": state.get("terminated", {}).get("exitCode"),
        "before": container.get("lastState", {}).get("terminated", {}).get("reason"),
        "restarts": container.get("restartCount", 0),
    }


def wait_for(cluster: ControlPlane, namespace: str, **wanted: object) -> dict[str, Any]:
    """Wait until all these tell the pod's state, and return the whole of it."""
    seen: dict[str, Any] = {}

    def look() -> dict[str, Any] | None:
        seen.update(read_pod(cluster, namespace))
        return seen if wanted.items() <= seen.items() else None

    return wait_until(look, DEADLINE_SECONDS, f"{wanted} in {seen}")


@pytest.mark.parametrize(
    ("fate", "wanted"),
    [
        (Fate.RUN, {"phase": "Running", "ready": True}),
        (Fate.UNREADY, {"phase": "Running", "ready": False}),
        (Fate.SUCCEED, {"phase": "Succeeded", "code": 0}),
        (Fate.FAIL, {"phase": "Failed", "code": 3}),
        (Fate.EVICT, {"phase": "Failed", "reason": "Evicted"}),
        (Fate.OOM, {"phase": "Running", "ready": True, "before": "OOMKilled", "restarts": 1}),
        (Fate.CRASH_LOOP, {"waits": "CrashLoopBackOff", "before": "Error", "restarts": 2}),
        (Fate.IMAGE_ERROR, {"phase": "Pending", "waits": "ImagePullBackOff"}),
        (Fate.CONFIG_ERROR, {"phase": "Pending", "waits": "CreateContainerConfigError"}),
    ],
)
def test_a_pod_meets_its_fate(
    cluster: ControlPlane, namespace: str, fate: Fate, wanted: dict[str, object]
) -> None:
    make_pod(cluster, namespace, fate=fate, exit_code="3", restart_delay="300ms")

    wait_for(cluster, namespace, **wanted)


@pytest.mark.parametrize("fate", [Fate.UNREADY, Fate.CRASH_LOOP, Fate.IMAGE_ERROR, Fate.HANG])
def test_a_broken_pod_heals_when_its_fate_is_changed(
    cluster: ControlPlane, namespace: str, fate: Fate
) -> None:
    make_pod(cluster, namespace, fate=fate)
    if fate is not Fate.HANG:
        wait_until(
            lambda: read_pod(cluster, namespace)["waits"] or fate is Fate.UNREADY,
            DEADLINE_SECONDS,
            "the pod is broken",
        )

    cluster.kubectl("annotate", "pod/pod", "-n", namespace, "--overwrite", f"{PREFIX}/fate=run")

    wait_for(cluster, namespace, phase="Running", ready=True)


def test_a_pod_waits_as_long_as_it_says(cluster: ControlPlane, namespace: str) -> None:
    make_pod(cluster, namespace, "late", start_delay="1h")
    make_pod(cluster, namespace)

    wait_for(cluster, namespace, phase="Running")

    assert read_pod(cluster, namespace, "late")["phase"] == "Pending"


def test_a_pod_is_stuck_while_it_terminates_until_it_may_go(
    cluster: ControlPlane, namespace: str
) -> None:
    make_pod(cluster, namespace, stop_delay="never")
    wait_for(cluster, namespace, phase="Running")
    cluster.kubectl("delete", "pod", "pod", "-n", namespace, "--wait=false")
    make_pod(cluster, namespace, "other")
    cluster.kubectl("delete", "pod", "other", "-n", namespace)

    assert read_pod(cluster, namespace)["phase"] == "Running"

    change = f"{PREFIX}/stop-delay=0s"
    cluster.kubectl("annotate", "pod", "pod", "-n", namespace, "--overwrite", change)
    wait_until(
        lambda: not cluster.kubectl("get", "pods", "-n", namespace, "-o", "name"),
        DEADLINE_SECONDS,
        "the pod is gone",
    )


def test_what_no_node_takes_stays_unscheduled_and_says_why(
    cluster: ControlPlane, namespace: str
) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "pod", "namespace": namespace},
        "spec": {"nodeSelector": {"no": "where"}, "containers": [{"name": "a", "image": "a"}]},
    }
    cluster.kubectl("create", "-f", "-", stdin=json.dumps(pod))

    path = '{.status.conditions[?(@.type=="PodScheduled")].message}'
    message = wait_until(
        lambda: cluster.kubectl("get", "pod", "pod", "-n", namespace, f"-o=jsonpath={path}"),
        DEADLINE_SECONDS,
        "the scheduler says why",
    )

    assert "didn't match Pod's node affinity/selector" in message


@pytest.mark.usefixtures("own_clusters")
def test_a_node_that_falls_silent_is_lost_and_its_pods_are_not_ready() -> None:
    grace = "--node-monitor-grace-period=6s"
    with ControlPlane("lost", scheduler=True, controller_arguments=[grace]) as cluster:
        nodes = FakeNodes(cluster, count=2)
        nodes.start()
        make_pod(cluster, "default")
        wait_for(cluster, "default", ready=True)
        name = cluster.kubectl("get", "pod", "pod", "-o", "jsonpath={.spec.nodeName}")

        nodes.lose(name)

        path = '-o=jsonpath={.status.conditions[?(@.type=="Ready")].status}'
        for kind, wanted in ((f"node/{name}", "Unknown"), ("pod/pod", "False")):
            wait_until(
                lambda kind=kind, wanted=wanted: cluster.kubectl("get", kind, path) == wanted,  # type: ignore[misc]
                DEADLINE_SECONDS,
                f"{kind} is {wanted}",
            )
        (other,) = set(nodes.names) - {name}
        assert cluster.kubectl("get", "node", other, path) == "True"
