"""The command lines of a control plane: pure builders, one for each server.

The flags are those of a real cluster as far as they decide what a test can see (RBAC, the
Node authorizer, service account admission, built-in controllers); the rest makes it start
fast and write nothing to disk that would have to survive.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

#: Addresses of Services. Nobody here knows them, so a packet to one would follow the default route
#: and leave the machine, were they not loopback addresses.
SERVICE_RANGE = "127.96.0.0/16"
#: Requests a second of the controllers; their default of 20 spares a shared cluster.
CONTROLLER_RATE = 500
#: One database never grows near this; the default of 2 GiB is less than a long test may write.
ETCD_QUOTA_BYTES = 4 << 30


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the parts of one cluster find each other."""

    folder: Path
    api_port: int
    etcd_port: int
    etcd_peer_port: int
    controllers_port: int
    scheduler_port: int

    @property
    def server(self) -> str:
        """The URL of the API server."""
        return f"https://127.0.0.1:{self.api_port}"

    @property
    def certificates(self) -> Path:
        """Where the API server writes its own certificate and key."""
        return self.folder / "certs"

    @property
    def authority(self) -> Path:
        """The certificate by which the API server is known."""
        return self.certificates / "apiserver.crt"

    @property
    def tokens(self) -> Path:
        """The file of who may talk to the API server."""
        return self.folder / "tokens.csv"

    @property
    def signing_key(self) -> Path:
        """The key that signs service account tokens."""
        return self.folder / "sa.key"

    def kubeconfig(self, name: str) -> Path:
        """Where the kubeconfig of this name is."""
        return self.folder / f"{name}.kubeconfig"


def build_etcd_command(binary: Path, layout: Layout) -> list[str]:
    """Return the command of an etcd with one member, which forgets on a power failure."""
    client = f"http://127.0.0.1:{layout.etcd_port}"
    peer = f"http://127.0.0.1:{layout.etcd_peer_port}"
    return [
        str(binary),
        "--name=test",
        f"--data-dir={layout.folder / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=test={peer}",
        "--unsafe-no-fsync",
        f"--quota-backend-bytes={ETCD_QUOTA_BYTES}",
        "--log-level=warn",
    ]


def build_api_command(binary: Path, layout: Layout, more: Sequence[str] = ()) -> list[str]:
    """Return the command of the API server; it makes its own certificate."""
    return [
        str(binary),
        f"--etcd-servers=http://127.0.0.1:{layout.etcd_port}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        # Endpoints of the `kubernetes` Service must not be loopback addresses.
        "--endpoint-reconciler-type=none",
        f"--secure-port={layout.api_port}",
        f"--cert-dir={layout.certificates}",
        f"--service-cluster-ip-range={SERVICE_RANGE}",
        f"--token-auth-file={layout.tokens}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        "--profiling=false",
        "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
        f"--service-account-signing-key-file={layout.signing_key}",
        f"--service-account-key-file={layout.signing_key}",
        *more,
    ]


def build_controllers_command(binary: Path, layout: Layout, more: Sequence[str] = ()) -> list[str]:
    """Return the command of the controller manager, each controller with its own account."""
    return [
        str(binary),
        *_build_client_flags(layout, "controller-manager"),
        f"--secure-port={layout.controllers_port}",
        "--use-service-account-credentials=true",
        f"--root-ca-file={layout.authority}",
        f"--service-account-private-key-file={layout.signing_key}",
        f"--kube-api-qps={CONTROLLER_RATE}",
        f"--kube-api-burst={2 * CONTROLLER_RATE}",
        *more,
    ]


def build_scheduler_command(binary: Path, layout: Layout) -> list[str]:
    """Return the command of the scheduler."""
    return [
        str(binary),
        *_build_client_flags(layout, "scheduler"),
        f"--secure-port={layout.scheduler_port}",
        f"--kube-api-qps={CONTROLLER_RATE}",
        f"--kube-api-burst={2 * CONTROLLER_RATE}",
    ]


def _build_client_flags(layout: Layout, name: str) -> list[str]:
    config = layout.kubeconfig(name)
    return [
        f"--kubeconfig={config}",
        f"--authentication-kubeconfig={config}",
        f"--authorization-kubeconfig={config}",
        "--bind-address=127.0.0.1",
        f"--cert-dir={layout.certificates / name}",
        "--leader-elect=false",
    ]
