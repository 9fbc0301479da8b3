"""The same interface over kind: a real cluster whose nodes are containers of docker or podman.

Its name, kubeconfig and network are its own, so it never touches anybody's clusters or context.
Nodes reject what would leave the machine (`kind/mounts/reject.sh`), and pods know no names but the
cluster's. There is no registry either: images come from archives.
"""

import argparse
import contextlib
import fcntl
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from zerog_tools.cluster.binaries import (
    BuildError,
    Say,
    cache_folder,
    ensure_binaries,
    print_progress,
)
from zerog_tools.cluster.forward import forward_by_kubectl
from zerog_tools.cluster.go import GoMissingError
from zerog_tools.cluster.interface import KUBECTL_SECONDS, Cluster, run_kubectl
from zerog_tools.cluster.process import ClusterError, wait_until
from zerog_tools.kind import wiring
from zerog_tools.kind.engine import (
    Engine,
    KindMissingError,
    find_engine,
    find_missing_packages,
    find_problem,
)  # fmt: skip
from zerog_tools.kind.image import KIND_IMAGE, ensure_node_image

#: docker and podman pull kind's own image of almost a gigabyte the first time.
CREATE_SECONDS = 900.0
READY_SECONDS = 300.0
#: A busy machine may be too slow for kubeadm's patience once, not twice.
TRIES = 2
MOUNTS = Path(__file__).parent / "mounts"
MOUNTED = "/kind/mounts"
#: What the kubelet of our own image needs on a machine with control groups of version 1.
OWN_KUBELET = {
    "failCgroupV1": False,
    "cgroupDriver": "cgroupfs",
    "oomScoreAdj": 0,
    "maxOpenFiles": 20000,
}


class KindCluster(Cluster):
    """A cluster of one node, or of a control plane and workers."""

    def __init__(self, name: str = "zerog", *, workers: int = 0, say: Say = print_progress) -> None:
        self.name = f"zerog-{name}"
        self._workers = workers
        self._say = say
        self._folder: Path | None = None
        self._lock: IO[str] | None = None
        self._engine: Engine | None = None
        self._binaries: dict[str, Path] = {}

    @property
    def kubeconfig_path(self) -> Path:
        """A kubeconfig with all rights."""
        if self._folder is None:
            raise ClusterError(f"cluster {self.name} does not run")
        return self._folder / "kubeconfig"

    @property
    def engine(self) -> Engine:
        """What its nodes are containers of."""
        if self._engine is None:
            raise ClusterError(f"cluster {self.name} does not run")
        return self._engine

    @property
    def address(self) -> str:
        """The address at which this machine is reached from nodes and pods."""
        return self.engine.find_gateway()

    def create(self) -> None:
        """Start it and return once its nodes are ready. Idempotent.

        Raises:
            KindMissingError: No engine can run it.
            ClusterError: kind did not start it; the message is its own.
            GoMissingError, BuildError: A part of it is not built and cannot be.
        """
        if self._folder is not None:
            return
        self._engine = find_engine()
        self._binaries = ensure_binaries(["kind", "kubectl"], self._say)
        image = ensure_node_image(self._engine, self._say)
        self._lock = self._take_name()
        self._folder = Path(tempfile.mkdtemp(prefix=f"cluster-{self.name}-"))
        try:
            self._start_patiently(image)
        except BaseException:
            self.delete()
            raise

    def delete(self, *, keep_logs: bool = False) -> None:
        """End it; kept logs are what `kind export logs` gives. Idempotent."""
        if self._folder is None:
            return
        folder = self._folder
        if keep_logs:
            with contextlib.suppress(ClusterError):
                self._kind("export", "logs", str(folder / "logs"))
            self._say(f"the logs of {self.name} are in {folder}")
        self._kind("delete", "cluster")
        self.engine.remove_network()
        self._folder = None
        if self._lock is not None:
            self._lock.close()
        if not keep_logs:
            shutil.rmtree(folder, ignore_errors=True)

    def kubectl(
        self, *arguments: str, stdin: str | None = None, timeout: float = KUBECTL_SECONDS
    ) -> str:
        """Run kubectl with all rights and return what it printed.

        Raises:
            KubectlError: It failed; the message is its own.
        """
        binary = self._binaries["kubectl"]
        return run_kubectl(binary, self.kubeconfig_path, arguments, stdin, timeout)

    def load_image_archive(self, path: Path) -> None:
        """Give every node the images of an archive."""
        self._kind("load", "image-archive", str(path))

    @contextlib.contextmanager
    def port_forward(
        self, target: str, remote_port: int, *arguments: str, local_port: int | None = None
    ) -> Iterator[int]:
        """Give a local port that leads to `pod/x` or `service/x` while the context lasts.

        Further arguments are kubectl's, e.g. `--namespace`, `x`.
        """
        with forward_by_kubectl(
            self._binaries["kubectl"], self.kubeconfig_path, target, remote_port, *arguments,
            local_port=local_port,
        ) as port:  # fmt: skip
            yield port

    def run_in_node(self, name: str, *command: str, stdin: str | None = None) -> str:
        """Run a command in a node and return what it printed."""
        return self.engine.run("exec", "-i", name, *command, stdin=stdin)

    def list_nodes(self) -> list[dict[str, Any]]:
        """Return its nodes."""
        found: list[dict[str, Any]] = json.loads(self.kubectl("get", "nodes", "-o", "json"))[
            "items"
        ]
        return found

    def _take_name(self) -> IO[str]:
        """Return a lock that ends with this process: another's cluster is not ours to end."""
        folder = cache_folder().with_name("kind")
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / f"{self.name}.lock").open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.close()
            raise ClusterError(f"another process has cluster {self.name}") from error
        return lock

    def _start_patiently(self, image: str) -> None:
        for left in reversed(range(TRIES)):
            # Of a run that was killed, or of the first try.
            self._kind("delete", "cluster")
            try:
                self._start(image)
            except ClusterError as error:
                if not left:
                    raise
                self._say(f"{self.name} is tried once more: {error}")
            else:
                return

    def _start(self, image: str) -> None:
        self.engine.make_network()
        self._kind(
            "create", "cluster", "--image", image, "--kubeconfig", str(self.kubeconfig_path),
            "--config", str(self._write_config(image)),
        )  # fmt: skip
        self.kubectl("apply", "-f", "-", stdin=json.dumps(wiring.build_names()))
        # Where there is no network of pods yet they have not started.
        self.kubectl(
            "delete", "pods", "-n", "kube-system", "-l", "k8s-app=kube-dns", "--wait=false"
        )
        if image != KIND_IMAGE:
            self._wire()
        wait_until(self._is_ready, READY_SECONDS, "all nodes are ready")
        wait_until(self._has_service_account, KUBECTL_SECONDS, "service accounts are made")

    def _wire(self) -> None:
        members = wait_until(
            lambda: wiring.read_members(self.list_nodes()), READY_SECONDS, "nodes have ranges"
        )
        for member in members:
            script = wiring.build_script(member, members)
            self.run_in_node(member.name, "sh", stdin=script)
        self.kubectl("apply", "-f", "-", stdin=json.dumps(wiring.build_volumes(members)))

    def _write_config(self, image: str) -> Path:
        path = self.kubeconfig_path.with_name("kind.json")
        # JSON is YAML, and needs no library.
        path.write_text(json.dumps(build_config(self._workers, own=image != KIND_IMAGE)))
        return path

    def _is_ready(self) -> bool:
        return all(
            condition["status"] == "True"
            for node in self.list_nodes()
            for condition in node["status"]["conditions"]
            if condition["type"] == "Ready"
        )

    def _has_service_account(self) -> bool:
        return "default" in self.kubectl("get", "serviceaccounts", "-o", "name")

    def _kind(self, *arguments: str) -> None:
        command = [str(self._binaries["kind"]), *arguments, "--name", self.name]
        result = subprocess.run(
            command, env=self.engine.environment, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=CREATE_SECONDS,
        )  # fmt: skip
        if result.returncode:
            raise ClusterError(f"kind {' '.join(arguments)} failed:\n{result.stderr.strip()}")


def build_config(workers: int, *, own: bool) -> dict[str, Any]:
    """Return kind's configuration of a cluster, with nodes of our own image or of kind's."""
    mounts = {
        f"{MOUNTED}/reject.sh": "reject.sh",
        "/etc/systemd/system/containerd.service.d/reject.conf": "reject.conf",
    }
    extra = [
        {"containerPath": path, "hostPath": str(MOUNTS / name), "readOnly": True}
        for path, name in mounts.items()
    ]
    kubelet = {"kind": "KubeletConfiguration", **(OWN_KUBELET if own else {})}
    roles = ["control-plane", *["worker"] * workers]
    return {
        "kind": "Cluster",
        "apiVersion": "kind.x-k8s.io/v1alpha4",
        "nodes": [{"role": role, "extraMounts": extra} for role in roles],
        "networking": {"disableDefaultCNI": own, "podSubnet": wiring.PODS},
        "kubeadmConfigPatches": [json.dumps(kubelet)],
    }


def main() -> int:
    """Build what kind needs here, or only say what is missing."""
    parser = argparse.ArgumentParser(prog="zerog_tools.kind.cluster", description=main.__doc__)
    parser.add_argument("--packages", action="store_true", help="only print Debian's packages")
    only_packages: bool = parser.parse_args().packages
    if problem := find_problem():
        print(problem, file=sys.stderr)
        return 1
    if only_packages:
        print(*find_missing_packages())
        return 0
    try:
        ensure_binaries(["kind", "kubectl"])
        ensure_node_image(find_engine(), print_progress)
    except (BuildError, ClusterError, GoMissingError, KindMissingError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
