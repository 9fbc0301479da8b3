"""What every cluster can do, wherever it runs: as pytest-kind has it.

Tests that use nothing but this run unchanged on the control plane that the harness starts
and on kind. What only one of them can do is in `control_plane` and `zerog_tools.kind.cluster`.
"""

import contextlib
import subprocess
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self, runtime_checkable

#: How long one kubectl call may take, unless it waits for something.
KUBECTL_SECONDS = 60.0
#: How long a port that was asked for may take to answer.
FORWARD_SECONDS = 20.0


class KubectlError(Exception):
    """kubectl ended with an error; the message is what it said."""

    def __init__(self, arguments: tuple[str, ...], code: int, stderr: str) -> None:
        self.code = code
        self.stderr = stderr.strip()
        super().__init__(f"kubectl {' '.join(arguments)}: {self.stderr} (code {code})")


@runtime_checkable
class Cluster(Protocol):
    """A Kubernetes cluster of one's own."""

    name: str

    @property
    def kubeconfig_path(self) -> Path:
        """A kubeconfig with all rights."""

    def __enter__(self) -> Self:
        self.create()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.delete(keep_logs=kind is not None)

    def create(self) -> None:
        """Start it and return once it can be used. Idempotent."""

    def delete(self, *, keep_logs: bool = False) -> None:
        """End it and forget everything in it but, if asked, its logs. Idempotent."""

    def kubectl(
        self, *arguments: str, stdin: str | None = None, timeout: float = KUBECTL_SECONDS
    ) -> str:
        """Run kubectl with all rights and return what it printed.

        Raises:
            KubectlError: It failed; the message is its own.
        """

    def port_forward(
        self, target: str, remote_port: int, *arguments: str, local_port: int | None = None
    ) -> contextlib.AbstractContextManager[int]:
        """Return a context in which a local port, its value, leads to `pod/x` or `service/x`.

        Further arguments are kubectl's, e.g. `--namespace`, `x`.
        """


def run_kubectl(
    binary: Path, kubeconfig: Path, arguments: tuple[str, ...], stdin: str | None, timeout: float
) -> str:
    """Run kubectl on a kubeconfig and return what it printed."""
    command = [str(binary), "--kubeconfig", str(kubeconfig), *arguments]
    given = {"input": stdin} if stdin is not None else {"stdin": subprocess.DEVNULL}
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=timeout, **given)
    except subprocess.TimeoutExpired as error:
        raise KubectlError(arguments, -1, f"no answer within {timeout:.0f} s") from error
    if result.returncode:
        raise KubectlError(arguments, result.returncode, result.stderr)
    return str(result.stdout)
