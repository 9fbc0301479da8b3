"""Fake nodes: kwok plays them and their pods, by the stages of `fake_stages`.

Nothing runs in their pods, so there may be thousands; each pod's annotations say what
becomes of it. Put a scheduler into the cluster, or name the node in the pod.
"""

import json

from zerog_tools.cluster.binaries import ensure_binaries
from zerog_tools.cluster.control_plane import ControlPlane
from zerog_tools.cluster.fake_stages import NODE_LABEL, build_configuration
from zerog_tools.cluster.process import Startable, wait_until

START_SECONDS = 60.0


class FakeNodes(Startable):
    """Some fake nodes in a cluster; one set for each cluster."""

    def __init__(self, cluster: ControlPlane, count: int = 1) -> None:
        self.names = [f"fake-{number}" for number in range(1, count + 1)]
        self.cluster = cluster

    def start(self) -> None:
        """Make the nodes and return once they are ready."""
        kwok = ensure_binaries(["kwok"])["kwok"]
        folder = self.cluster.layout.folder
        configuration = folder / "kwok.yaml"
        configuration.write_text(build_configuration())
        command = [
            str(kwok),
            f"--kubeconfig={self.cluster.kubeconfig_path}",
            f"--config={configuration}",
            "--manage-all-nodes=false",
            f"--manage-nodes-with-label-selector={NODE_LABEL}=yes",
            # With leases a restarted kwok would wait for the old one's end.
            "--node-lease-duration-seconds=0",
        ]
        self.cluster.add_server("kwok", command).start()
        if self.names:
            self._make(self.names, {})

    def stop(self) -> None:
        """Stop playing: the nodes get lost, their pods stay as they are. Idempotent."""
        self.cluster.end_server("kwok")

    def add(self, name: str, labels: dict[str, str]) -> None:
        """Make one more node, and return once it is ready."""
        self.names.append(name)
        self._make([name], labels)

    def _make(self, names: list[str], labels: dict[str, str]) -> None:
        metadata = [{"name": name, "labels": {**_LABELS, **labels}} for name in names]
        nodes = [{"apiVersion": "v1", "kind": "Node", "metadata": item} for item in metadata]
        items = {"apiVersion": "v1", "kind": "List", "items": nodes}
        self.cluster.kubectl("apply", "-f", "-", stdin=json.dumps(items))
        wait_until(self._are_ready, START_SECONDS, "the fake nodes are ready")

    def lose(self, name: str) -> None:
        """Let a node fall silent: no heartbeat, and nothing happens to its pods any more."""
        self.cluster.kubectl("label", "node", name, f"{NODE_LABEL}-")

    def find(self, name: str) -> None:
        """Bring a lost node back."""
        self.cluster.kubectl("label", "node", name, f"{NODE_LABEL}=yes")

    def _are_ready(self) -> bool:
        self.cluster.processes["kwok"].check()
        with self.cluster.client() as client:
            items = client.get("/api/v1/nodes").json()["items"]
        ready = {
            item["metadata"]["name"]
            for item in items
            for condition in item.get("status", {}).get("conditions", [])
            if condition["type"] == "Ready" and condition["status"] == "True"
        }
        return ready.issuperset(self.names)


_LABELS = {NODE_LABEL: "yes"}
