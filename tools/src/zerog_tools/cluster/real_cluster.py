"""A whole Kubernetes on this machine: control plane, name server and nodes that run images.

The control plane runs as in `control_plane`; each node is a machine of its own
(`real/machine.py`) with containerd, kubelet and kube-proxy. Images come from archives, since
there is no registry; volumes are folders of the nodes. Needs root and Debian's packages
(`find_missing_packages`). What it does not prove stands in `docs/explanation/test-layers.md`.
"""

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zerog_tools.cluster import credentials
from zerog_tools.cluster.binaries import Say, ensure_binaries, print_progress
from zerog_tools.cluster.control_plane import SCHEDULER, ControlPlane
from zerog_tools.cluster.forward import forward_by_kubectl
from zerog_tools.cluster.interface import KUBECTL_SECONDS, Cluster
from zerog_tools.cluster.process import ClusterError, ServerProcess, wait_until
from zerog_tools.cluster.real import configuration
from zerog_tools.cluster.real.archive import build_pause_archive
from zerog_tools.cluster.real.machine import Machine, Network
from zerog_tools.cluster.real.node import Node, find_missing_packages

START_SECONDS = 120.0
SAVE_SECONDS = 300.0
PROGRAMS = ("kubectl", SCHEDULER, "kubelet", "kube-proxy", "coredns")
STORAGE_CLASS = "standard"
#: Volumes of each node, and how large each says that it is.
VOLUMES = 6
VOLUME_SIZE = "10Gi"


class MachineUnfitError(Exception):
    """This machine cannot run nodes; the message says what is missing."""


def check_machine() -> None:
    """Raise a `MachineUnfitError` that says what this machine lacks."""
    if os.geteuid() != 0:
        raise MachineUnfitError("nodes need root")
    if missing := find_missing_packages():
        raise MachineUnfitError(f"nodes need `apt-get install {' '.join(missing)}`")


class RealCluster(Cluster):
    """A cluster whose pods are real containers, with the interface of `Cluster`."""

    def __init__(self, name: str = "real", *, nodes: int = 1, say: Say = print_progress) -> None:
        self.name = name
        self.nodes: dict[str, Node] = {}
        self._count = nodes
        self._say = say
        self._network: Network | None = None
        self._folder: Path | None = None
        self._plane: ControlPlane | None = None
        self._binaries: Mapping[str, Path] = {}
        self._name_server: ServerProcess | None = None

    @property
    def control_plane(self) -> ControlPlane:
        """Its control plane."""
        if self._plane is None:
            raise ClusterError(f"cluster {self.name} does not run")
        return self._plane

    @property
    def address(self) -> str:
        """The address at which this machine is reached from nodes and pods."""
        return self.control_plane.layout.address

    @property
    def kubeconfig_path(self) -> Path:
        """A kubeconfig with all rights."""
        return self.control_plane.kubeconfig_path

    def create(self) -> None:
        """Start it and return once its nodes are ready. Idempotent.

        Raises:
            MachineUnfitError: This machine cannot run nodes.
            ClusterError: A part does not start; the message ends with its log.
            GoMissingError, BuildError: Its programs are not built and cannot be.
        """
        if self._plane is not None:
            return
        check_machine()
        self._binaries = ensure_binaries(PROGRAMS, self._say)
        self._folder = Path(tempfile.mkdtemp(prefix=f"real-{self.name}-"))
        try:
            self._network = Network()
            self._start_control_plane(self._folder, self._network)
            self._start_name_server(self._network)
            self._start_nodes(self._folder, self._network)
            self._add_volumes()
            wait_until(self._is_ready, START_SECONDS, "all nodes are ready")
        except BaseException as error:
            # Who interrupts it has nothing to look up.
            self.delete(keep_logs=isinstance(error, Exception))
            raise

    def delete(self, *, keep_logs: bool = False) -> None:
        """End it and remove what it made; it is told where kept logs are. Idempotent."""
        for node in self.nodes.values():
            node.kill()
        self.nodes = {}
        if self._name_server is not None:
            self._name_server.kill()
            self._name_server = None
        if self._plane is not None:
            self._plane.delete(keep_logs=keep_logs)
            self._plane = None
        if self._network is not None:
            self._network.delete()
            self._network = None
        if self._folder is not None:
            for node_folder in self._folder.glob("node-*"):
                for state in ("containerd", "kubelet") if keep_logs else ():
                    shutil.rmtree(node_folder / state, ignore_errors=True)
            if keep_logs:
                self._say(f"the logs of the nodes of {self.name} are in {self._folder}")
            else:
                shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def kubectl(
        self, *arguments: str, stdin: str | None = None, timeout: float = KUBECTL_SECONDS
    ) -> str:
        """Run kubectl with all rights and return what it printed.

        Raises:
            KubectlError: It failed; the message is its own.
        """
        return self.control_plane.kubectl(*arguments, stdin=stdin, timeout=timeout)

    def load_image_archive(self, path: Path) -> None:
        """Give every node the images of an archive."""
        for node in self.nodes.values():
            node.load_archive(path)

    def load_docker_image(self, image: str) -> None:
        """Copy an image of the local docker to the nodes."""
        with tempfile.NamedTemporaryFile(suffix=".tar") as file:
            command = ["docker", "save", "--output", file.name, image]
            subprocess.run(command, check=True, capture_output=True, timeout=SAVE_SECONDS)
            self.load_image_archive(Path(file.name))

    def port_forward(
        self, target: str, remote_port: int, *arguments: str, local_port: int | None = None
    ) -> contextlib.AbstractContextManager[int]:
        """Return a context in which a local port, its value, leads to `pod/x` or `service/x`.

        Further arguments are kubectl's, e.g. `--namespace`, `x`.
        """
        return forward_by_kubectl(
            self._binaries["kubectl"], self.kubeconfig_path, target, remote_port, *arguments,
            local_port=local_port,
        )  # fmt: skip

    def _start_control_plane(self, folder: Path, network: Network) -> None:
        certificate, key = folder / "kubelet-client.crt", folder / "kubelet-client.key"
        credentials.make_client_certificate(certificate, key, credentials.API_SERVER)
        self._plane = ControlPlane(
            self.name,
            scheduler=True,
            address=network.address,
            api_arguments=[
                f"--kubelet-client-certificate={certificate}",
                f"--kubelet-client-key={key}",
                "--kubelet-preferred-address-types=InternalIP",
            ],
            # A lost node is missed in seconds, not in most of a minute.
            controller_arguments=["--node-monitor-grace-period=20s"],
            say=self._say,
        )
        self._plane.create()

    def _start_name_server(self, network: Network) -> None:
        plane, folder = self.control_plane, self.control_plane.layout.folder
        file = folder / "Corefile"
        kubeconfig = plane.kubeconfig_for(credentials.NAME_SERVER)
        file.write_text(
            configuration.build_dns_config(address=network.address, kubeconfig=str(kubeconfig))
        )
        command = [str(self._binaries["coredns"]), "-conf", str(file)]
        self._name_server = ServerProcess("coredns", command, folder / "coredns.log")
        self._name_server.start()

    def _start_nodes(self, folder: Path, network: Network) -> None:
        plane = self.control_plane
        pause = folder / "pause.tar"
        build_pause_archive(pause, configuration.PAUSE_IMAGE)
        for number in range(1, self._count + 1):
            machine = Machine(network, number, folder / f"node-{number}")
            node = Node(
                machine,
                self._binaries,
                kubeconfig=plane.kubeconfig_of_node(machine.name),
                proxy_kubeconfig=plane.kubeconfig_for(credentials.PROXY),
                authority=folder / "kubelet-client.crt",
                dns=network.address,
                pause_archive=pause,
            )
            self.nodes[node.name] = node
            node.start(self._count)

    def _add_volumes(self) -> None:
        """Give each node some volumes, bound when a pod wants one."""
        items: list[dict[str, Any]] = [_build_storage_class()]
        for node in self.nodes.values():
            for number in range(VOLUMES):
                name = f"{node.name}-{number}"
                folder = node.machine.folder / "volumes" / name
                folder.mkdir(parents=True)
                folder.chmod(0o777)
                items.append(_build_volume(name, str(folder), node.name))
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": items})
        self.kubectl("apply", "-f", "-", stdin=text)

    def _is_ready(self) -> bool:
        for node in self.nodes.values():
            node.check()
        if self._name_server is not None:
            self._name_server.check()
        found = json.loads(self.kubectl("get", "nodes", "-o", "json"))["items"]
        ready = [
            item
            for item in found
            for condition in item["status"].get("conditions", [])
            if condition["type"] == "Ready" and condition["status"] == "True"
        ]
        return len(ready) == self._count


def _build_storage_class() -> dict[str, Any]:
    return {
        "apiVersion": "storage.k8s.io/v1",
        "kind": "StorageClass",
        "metadata": {
            "name": STORAGE_CLASS,
            "annotations": {"storageclass.kubernetes.io/is-default-class": "true"},
        },
        "provisioner": "kubernetes.io/no-provisioner",
        "volumeBindingMode": "WaitForFirstConsumer",
    }


def _build_volume(name: str, path: str, node: str) -> dict[str, Any]:
    here = {"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name},
        "spec": {
            "capacity": {"storage": VOLUME_SIZE},
            "accessModes": ["ReadWriteOnce"],
            "persistentVolumeReclaimPolicy": "Retain",
            "storageClassName": STORAGE_CLASS,
            "local": {"path": path},
            "nodeAffinity": {"required": {"nodeSelectorTerms": [{"matchExpressions": [here]}]}},
        },
    }
