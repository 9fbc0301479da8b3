"""The same interface over kind: a real cluster with nodes, where docker can start one.

It needs `kind`, `kubectl` and a docker that may run privileged containers. Its name and
kubeconfig are its own, so it never touches the user's clusters or context.
"""

import contextlib
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from zerog_tools.cluster.forward import forward_by_kubectl
from zerog_tools.cluster.interface import KUBECTL_SECONDS, Cluster, run_kubectl
from zerog_tools.cluster.process import ClusterError, wait_until

#: kind's own image of the control plane's minor version; the hash is the one that kind 0.32 names.
NODE_IMAGE = (
    "kindest/node:v1.36.1@sha256:3489c7674813ba5d8b1a9977baea8a6e553784dab7b84759d1014dbd78f7ebd5"
)
#: kind pulls an image of almost a gigabyte the first time.
CREATE_SECONDS = 600.0


class KindMissingError(Exception):
    """This machine cannot run kind; the message says what is missing."""


class KindCluster(Cluster):
    """A cluster in docker: of one node, or of a control plane and workers."""

    def __init__(self, name: str = "zerog", *, image: str = NODE_IMAGE, workers: int = 0) -> None:
        self.name = f"zerog-{name}"
        self._image = image
        self._workers = workers
        self._folder: Path | None = None

    @property
    def kubeconfig_path(self) -> Path:
        """A kubeconfig with all rights."""
        if self._folder is None:
            raise ClusterError(f"cluster {self.name} does not run")
        return self._folder / "kubeconfig"

    def create(self) -> None:
        """Start it and return once its node is ready. Idempotent.

        Raises:
            KindMissingError: kind, kubectl or a docker that can run it is missing.
            ClusterError: kind did not start it; the message is its own.
        """
        if self._folder is not None:
            return
        check_machine()
        self._folder = Path(tempfile.mkdtemp(prefix=f"cluster-{self.name}-"))
        try:
            self._kind(
                "create", "cluster", "--image", self._image, "--wait", "120s",
                "--kubeconfig", str(self.kubeconfig_path), "--config", str(self._write_config()),
            )  # fmt: skip
            wait_until(self._has_service_account, KUBECTL_SECONDS, "service accounts are made")
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
        self._kind("delete", "cluster")
        self._folder = None
        if not keep_logs:
            shutil.rmtree(folder, ignore_errors=True)

    def kubectl(
        self, *arguments: str, stdin: str | None = None, timeout: float = KUBECTL_SECONDS
    ) -> str:
        """Run kubectl with all rights and return what it printed.

        Raises:
            KubectlError: It failed; the message is its own.
        """
        return run_kubectl(Path("kubectl"), self.kubeconfig_path, arguments, stdin, timeout)

    def load_docker_image(self, image: str) -> None:
        """Copy an image of the local docker to the node."""
        self._kind("load", "docker-image", image)

    def load_image_archive(self, path: Path) -> None:
        """Copy the images of an archive to the nodes."""
        self._kind("load", "image-archive", str(path))

    @contextlib.contextmanager
    def port_forward(
        self, target: str, remote_port: int, *arguments: str, local_port: int | None = None
    ) -> Iterator[int]:
        """Give a local port that leads to `pod/x` or `service/x` while the context lasts.

        Further arguments are kubectl's, e.g. `--namespace`, `x`.
        """
        with forward_by_kubectl(
            Path("kubectl"), self.kubeconfig_path, target, remote_port, *arguments,
            local_port=local_port,
        ) as port:  # fmt: skip
            yield port

    def _write_config(self) -> Path:
        nodes = [{"role": "control-plane"}, *[{"role": "worker"}] * self._workers]
        config = {"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4", "nodes": nodes}
        path = self.kubeconfig_path.with_name("kind.json")
        # JSON is YAML, and needs no library.
        path.write_text(json.dumps(config))
        return path

    def _has_service_account(self) -> bool:
        return "default" in self.kubectl("get", "serviceaccounts", "-o", "name")

    def _kind(self, *arguments: str) -> None:
        command = ["kind", *arguments, "--name", self.name]
        result = subprocess.run(command, capture_output=True, text=True, timeout=CREATE_SECONDS)
        if result.returncode:
            raise ClusterError(f"kind {' '.join(arguments)} failed:\n{result.stderr.strip()}")


def check_machine() -> None:
    """Raise a KindMissingError that lists everything that kind lacks here."""
    missing = [name for name in ("kind", "kubectl", "docker") if shutil.which(name) is None]
    problems = [f"{name} is not on the PATH" for name in missing]
    if "docker" not in missing:
        command = ["docker", "info", "--format", "{{.ServerVersion}}"]
        result = subprocess.run(command, capture_output=True, text=True, timeout=KUBECTL_SECONDS)
        if result.returncode:
            problems.append(f"docker does not answer: {result.stderr.strip()}")
    if problems:
        raise KindMissingError(f"kind cannot start a cluster here: {'; '.join(problems)}")


def main() -> int:
    """Say whether kind can start a cluster here."""
    try:
        check_machine()
    except KindMissingError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
