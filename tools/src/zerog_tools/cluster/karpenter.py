"""The real Karpenter beside a test cluster, with its own simulation of a cloud.

Its provider makes Node objects for the pods that wait; kwok plays them as it plays the other fake
nodes, since they carry their label.
"""

import json
import os
from pathlib import Path

import yaml

from zerog_tools.cluster.binaries import ALL, ensure_binaries
from zerog_tools.cluster.control_plane import ControlPlane
from zerog_tools.cluster.fake_stages import NODE_LABEL
from zerog_tools.cluster.ports import free_port
from zerog_tools.cluster.process import Startable, answers

START_SECONDS = 120.0
_CLASS = {"group": "karpenter.kwok.sh", "kind": "KWOKNodeClass", "name": "default"}


class Karpenter(Startable):
    """Karpenter in a cluster; one for each cluster."""

    def __init__(self, cluster: ControlPlane) -> None:
        self._cluster = cluster
        self._tool = ALL["karpenter"]
        self._health_port, self._metrics_port = free_port(), free_port()

    def start(self) -> None:
        """Install it and return once it is ready to buy nodes."""
        binary = ensure_binaries(["karpenter"])["karpenter"]
        for folder in ("kwok/apis/crds", "pkg/apis/crds"):
            path = self._tool.directory / folder
            self._cluster.kubectl("apply", "--server-side", "-f", str(path))
            for file in path.glob("*.yaml"):
                name = yaml.safe_load(file.read_text())["metadata"]["name"]
                self._cluster.kubectl("wait", "--for=condition=Established", f"crd/{name}")
        self._run(binary)
        self._cluster.kubectl("apply", "--server-side", "-f", "-", stdin=_build_node_pool())

    def stop(self) -> None:
        """End it; its nodes stay. Idempotent."""
        self._cluster.end_server("karpenter")

    def _run(self, binary: Path) -> None:
        env = {
            **os.environ,
            "KUBECONFIG": str(self._cluster.kubeconfig_path),
            "DISABLE_LEADER_ELECTION": "true",
            "HEALTH_PROBE_PORT": str(self._health_port),
            "METRICS_PORT": str(self._metrics_port),
            "SYSTEM_NAMESPACE": "kube-system",
        }
        health = f"http://127.0.0.1:{self._health_port}/readyz"
        self._cluster.add_server("karpenter", [str(binary)], env).start_until(
            lambda: answers(health), START_SECONDS
        )


def _build_node_pool() -> str:
    requirements = [
        {"key": "kubernetes.io/arch", "operator": "In", "values": ["amd64"]},
        {"key": "kubernetes.io/os", "operator": "In", "values": ["linux"]},
        {"key": "karpenter.sh/capacity-type", "operator": "In", "values": ["on-demand"]},
    ]
    template = {
        "metadata": {"labels": {NODE_LABEL: "yes"}},
        "spec": {"requirements": requirements, "nodeClassRef": _CLASS, "expireAfter": "Never"},
    }
    pool = {
        "apiVersion": "karpenter.sh/v1",
        "kind": "NodePool",
        "metadata": {"name": "default"},
        "spec": {
            "template": template,
            "disruption": {"consolidationPolicy": "WhenEmpty", "consolidateAfter": "Never"},
        },
    }
    node_class = {
        "apiVersion": "karpenter.kwok.sh/v1alpha1",
        "kind": _CLASS["kind"],
        "metadata": {"name": _CLASS["name"]},
        "spec": {},
    }
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": [node_class, pool]})
