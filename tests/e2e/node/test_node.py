"""The real nodes do what nodes do: containers, addresses, names, volumes, memory limits."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from zerog_tools.cluster.interface import KubectlError
from zerog_tools.cluster.process import wait_until
from zerog_tools.cluster.real.configuration import PAUSE_IMAGE
from zerog_tools.cluster.real_cluster import RealCluster

DEADLINE_SECONDS = 300.0


@pytest.fixture(scope="session")
def cluster(real_cluster: RealCluster) -> RealCluster:
    """The cluster in which `namespace` is."""
    return real_cluster


def build_pod(name: str, command: str, **spec: Any) -> dict[str, Any]:
    """Return a pod that runs a line of busybox's shell."""
    container = {
        "name": "main",
        "image": PAUSE_IMAGE,
        "imagePullPolicy": "Never",
        "command": ["/busybox", "sh", "-c", command],
        **spec.pop("container", {}),
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": name}},
        "spec": {"terminationGracePeriodSeconds": 1, "containers": [container], **spec},
    }


class Place:
    """A namespace of the cluster, and what a test does in it."""

    def __init__(self, cluster: RealCluster, namespace: str) -> None:
        self.cluster = cluster
        self.namespace = namespace

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        return self.cluster.kubectl("-n", self.namespace, *arguments, stdin=stdin)

    def apply(self, *objects: dict[str, Any]) -> None:
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        self.kubectl("apply", "-f", "-", stdin=text)

    def status(self, pod: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.kubectl("get", "pod", pod, "-o", "json"))["status"]
        return found

    def wait_for_phase(self, pod: str, phase: str) -> None:
        wait_until(
            lambda: self.status(pod).get("phase") == phase, DEADLINE_SECONDS, f"{pod} is {phase}"
        )


@pytest.fixture
def place(real_cluster: RealCluster, namespace: str) -> Iterator[Place]:
    """A new namespace; its pods are gone afterwards."""
    made = Place(real_cluster, namespace)
    yield made
    made.kubectl("delete", "pods", "--all", "--force", "--grace-period=0")


def test_a_pod_finds_and_reaches_another_on_another_node_by_name(place: Place) -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "server"},
        "spec": {"selector": {"app": "server"}, "clusterIP": "None"},
    }
    # The static busybox cannot look names up for its other commands.
    find = (
        f"/busybox nslookup server.{place.namespace}.svc.cluster.local"
        " | /busybox awk '/^Name/ {found = 1} found && /^Address/ {print $2}'"
    )
    reach = f"until ip=$({find}) && /busybox ping -c1 -W1 $ip; do /busybox sleep 0.2; done"

    place.apply(
        service,
        build_pod("server", "/busybox sleep 600", nodeName="node-1"),
        build_pod("caller", reach, nodeName="node-2", restartPolicy="Never"),
    )

    place.wait_for_phase("caller", "Succeeded")
    assert place.status("server")["podIP"] in place.kubectl("logs", "caller")


def test_commands_and_ports_reach_into_a_pod(place: Place) -> None:
    place.apply(build_pod("server", "exec /busybox httpd -f -p 8080 -h /"))
    place.wait_for_phase("server", "Running")

    assert "42" in place.kubectl("exec", "server", "--", "/busybox", "echo", "42")
    with place.cluster.port_forward("pod/server", 8080, "-n", place.namespace) as port:
        assert port > 0


def test_a_pod_that_takes_more_memory_than_it_may_is_killed_for_it(place: Place) -> None:
    greedy = build_pod(
        "greedy",
        "a=x; while :; do a=$a$a; done",
        restartPolicy="Never",
        container={"resources": {"limits": {"memory": "32Mi"}}},
    )

    place.apply(greedy)

    place.wait_for_phase("greedy", "Failed")
    (container,) = place.status("greedy")["containerStatuses"]
    assert container["state"]["terminated"]["reason"] == "OOMKilled"


def test_a_volume_keeps_its_data_when_its_pod_is_replaced(place: Place) -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }
    volumes = {
        "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}],
        "restartPolicy": "Never",
    }
    mount = {"volumeMounts": [{"name": "data", "mountPath": "/data"}]}

    place.apply(claim, build_pod("one", "echo kept >/data/file", **volumes, container=mount))
    place.wait_for_phase("one", "Succeeded")
    place.apply(build_pod("two", "/busybox cat /data/file", **volumes, container=mount))

    place.wait_for_phase("two", "Succeeded")
    assert place.kubectl("logs", "two").strip() == "kept"


def test_an_image_that_no_node_has_is_said_to_be_missing(place: Place) -> None:
    pod = build_pod("wrong", "true")
    pod["spec"]["containers"][0] |= {"image": "localhost/missing:1"}

    place.apply(pod)

    def is_told() -> bool:
        found = place.status("wrong").get("containerStatuses", [{}])[0].get("state", {})
        return bool(found.get("waiting", {}).get("reason") == "ErrImageNeverPull")

    wait_until(is_told, DEADLINE_SECONDS, "the reason is told")
    with pytest.raises(KubectlError):
        place.kubectl("exec", "wrong", "--", "true")
