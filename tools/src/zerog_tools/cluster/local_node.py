"""A node whose pods run as processes of this machine: real workers under a real API server.

It starts the agent of `node/agent.py` and lets a test freeze it, cut its power and bring
it back. What takes the place of an image is an `Image`: how its program starts here.
"""

import os
import secrets
import signal
import sys
from collections.abc import Mapping

from zerog_tools.cluster.control_plane import ControlPlane
from zerog_tools.cluster.node.image import Image, save_image
from zerog_tools.cluster.node.pod import EVICT_ANNOTATION, OOM_ANNOTATION
from zerog_tools.cluster.process import ServerProcess, Startable, find_marked, kill_marked
from zerog_tools.repository import ROOT

#: The agent runs from here, whatever else the tests' own path has.
SOURCES = ROOT / "tools" / "src"
START_SECONDS = 60.0


class LocalNode(Startable):
    """A node of a cluster; `node-1` to `node-8` may join."""

    def __init__(
        self,
        cluster: ControlPlane,
        name: str = "node-1",
        *,
        images: Mapping[str, Image] | None = None,
        capacity: int = 110,
        back_off_seconds: float = 1.0,
    ) -> None:
        """Describe a node; `start` lets it join.

        Args:
            images: What the node has; any other image cannot be pulled.
            capacity: How many pods it takes.
            back_off_seconds: Before the second restart of a container, then doubled; a
                kubelet has 10 s.
        """
        self.name = name
        self.cluster = cluster
        self.folder = cluster.layout.folder / name
        self._options = [f"--capacity={capacity}", f"--back-off-seconds={back_off_seconds}"]
        for image, start in (images or {}).items():
            self.add_image(image, start)

    @property
    def process(self) -> ServerProcess:
        """The agent."""
        return self.cluster.processes[self.name]

    def add_image(self, name: str, image: Image) -> None:
        """Give the node an image; pods that wait for it go on."""
        save_image(self.folder / "images", name, image)

    def start(self) -> None:
        """Start the agent, or start it again, and return once the node is ready."""
        if self.name not in self.cluster.processes:
            command = [
                sys.executable,
                "-m",
                "zerog_tools.cluster.node.agent",
                f"--kubeconfig={self.cluster.kubeconfig_of_node(self.name)}",
                f"--node={self.name}",
                f"--root={self.folder}",
                *self._options,
            ]
            clean = {key: v for key, v in os.environ.items() if not key.startswith("ZEROG_")}
            self.cluster.add_server(self.name, command, {**clean, "PYTHONPATH": str(SOURCES)})
        self.process.start_until(self._is_ready, START_SECONDS)

    def stop(self) -> None:
        """End it as `kill` does: a machine that is gone says nothing."""
        self.kill()

    def kill(self) -> None:
        """Cut its power: the agent and all processes of its pods are gone at once. Idempotent."""
        self.process.kill()
        kill_marked(f"{self.folder}/")

    def freeze(self) -> None:
        """Let it fall silent while its pods run on: no heartbeat, no answer to a deletion."""
        self.process.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Bring it back from its silence."""
        self.process.signal(signal.SIGCONT)

    def kill_for_memory(self, namespace: str, pod: str) -> None:
        """Kill a pod's first container, and say that it was out of memory."""
        self._annotate(namespace, pod, OOM_ANNOTATION, secrets.token_hex(4))

    def evict(self, namespace: str, pod: str, message: str) -> None:
        """Throw a pod out as a node does that is short of something."""
        self._annotate(namespace, pod, EVICT_ANNOTATION, message)

    def read_log(self, namespace: str, pod: str) -> str:
        """Return what all runs of all containers of a pod of this name have written."""
        paths = self.folder.glob(f"pods/{namespace}_{pod}_*/*/*.log")
        ordered = sorted(paths, key=lambda path: path.stat().st_mtime)
        return "".join(path.read_text(errors="replace") for path in ordered)

    def find_processes(self, namespace: str, pod: str) -> list[int]:
        """Return the processes of a pod, the main one first."""
        return sorted(find_marked(f"{self.folder}/pods/{namespace}_{pod}_"))

    def _annotate(self, namespace: str, pod: str, name: str, value: str) -> None:
        self.cluster.kubectl(
            "annotate", "pod", pod, "-n", namespace, "--overwrite", f"{name}={value}"
        )

    def _is_ready(self) -> bool:
        path = '-o=jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}'
        selector = f"--field-selector=metadata.name={self.name}"
        return self.cluster.kubectl("get", "nodes", selector, path) == "True"
