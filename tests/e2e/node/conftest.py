"""A place for single pods on the nodes: no ZeroG in it, only an image that the nodes have."""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from zerog_tools.cluster.process import wait_until
from zerog_tools.kind.cluster import KindCluster

DEADLINE_SECONDS = 300.0


class Place:
    """A namespace of the cluster, and what a test does in it."""

    def __init__(self, cluster: KindCluster, namespace: str, image: str) -> None:
        self.cluster = cluster
        self.namespace = namespace
        self._image = image

    def build_pod(self, name: str, command: str, **spec: Any) -> dict[str, Any]:
        """Return a pod that runs a line of bash."""
        container = {
            "name": "main",
            "image": self._image,
            "imagePullPolicy": "Never",
            "command": ["bash", "-c", command],
            **spec.pop("container", {}),
        }
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": {"app": name}},
            "spec": {"terminationGracePeriodSeconds": 1, "containers": [container], **spec},
        }

    def list_workers(self) -> list[str]:
        """Return the names of the nodes that take pods."""
        return [
            node["metadata"]["name"]
            for node in self.cluster.list_nodes()
            if not node["spec"].get("taints")
        ]

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
def place(cluster: KindCluster, images: Mapping[str, str], namespace: str) -> Iterator[Place]:
    """A new namespace; its pods are gone afterwards."""
    made = Place(cluster, namespace, images["worker"])
    yield made
    made.kubectl("delete", "pods", "--all", "--force", "--grace-period=0")
