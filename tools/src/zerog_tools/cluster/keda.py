"""The real KEDA in a test cluster: its operator and its metrics adapter, one process each.

The HorizontalPodAutoscaler of the controller manager asks the API server for the length of a queue.
The API server passes the call on to the adapter, and the adapter asks the operator by gRPC. The
cluster has to be made with `build_aggregation`'s arguments, because only then does the API server
prove to the adapter who it is.

No Service leads anywhere here: that of the adapter is a name of this machine.
"""

import json
import os
from pathlib import Path
from typing import Any

from zerog_tools.cluster.authority import Authority
from zerog_tools.cluster.binaries import ALL, KEDA, ensure_binaries
from zerog_tools.cluster.control_plane import ControlPlane
from zerog_tools.cluster.ports import free_port
from zerog_tools.cluster.process import Startable, answers, wait_until

START_SECONDS = 120.0
NAMESPACE = "keda"
_HOST = "127.0.0.1"
_GROUP, _VERSION = "external.metrics.k8s.io", "v1beta1"
_SERVICE = "keda-metrics-apiserver"
_OPERATOR, _ADAPTER = KEDA


def build_aggregation(folder: Path) -> list[str]:
    """Make certificates in a folder, and return what the API server needs to pass calls on."""
    authority = Authority(folder)
    client = authority.issue("aggregator")
    return [
        f"--requestheader-client-ca-file={authority.path}",
        "--requestheader-allowed-names=aggregator",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={client.path}",
        f"--proxy-client-key-file={client.key}",
    ]


class Keda(Startable):
    """KEDA in a cluster; one for each cluster."""

    def __init__(self, cluster: ControlPlane) -> None:
        self._cluster = cluster
        self._certificates = cluster.layout.folder / "keda"
        self._grpc_port, self._adapter_port = free_port(), free_port()

    def start(self) -> None:
        """Install it and return once the API server gets metrics from it."""
        binaries = ensure_binaries(KEDA)
        self._write_certificates()
        self._cluster.create_namespace(NAMESPACE)
        crds = ALL[_OPERATOR].directory / "config/crd/bases"
        # Its CRDs are too large for the annotation of a plain apply.
        self._cluster.kubectl("apply", "--server-side", "-f", str(crds))
        self._cluster.kubectl("wait", "--for=condition=Established", "crd", "--all")
        self._run_operator(binaries[_OPERATOR])
        self._run_adapter(binaries[_ADAPTER])
        self._cluster.kubectl("apply", "-f", "-", stdin=json.dumps(self._build_service()))
        wait_until(self._is_available, START_SECONDS, "the API server reaches KEDA's adapter")

    def stop(self) -> None:
        """End it; what it made stays. Idempotent."""
        for name in reversed(KEDA):
            self._cluster.end_server(name)

    def _write_certificates(self) -> None:
        authority = Authority(self._certificates)
        certificate = authority.issue("keda", _HOST)
        for name, source in (
            ("ca.crt", authority.path),
            ("tls.crt", certificate.path),
            ("tls.key", certificate.key),
        ):
            source.rename(self._certificates / name)

    def _run_operator(self, binary: Path) -> None:
        health = free_port()
        self._run(
            _OPERATOR,
            [
                str(binary),
                "--metrics-bind-address=0",
                f"--health-probe-bind-address={_HOST}:{health}",
                f"--metrics-service-bind-address={_HOST}:{self._grpc_port}",
                f"--cert-dir={self._certificates}",
            ],
            f"http://{_HOST}:{health}/readyz",
        )

    def _run_adapter(self, binary: Path) -> None:
        kubeconfig, metrics = self._cluster.kubeconfig_path, free_port()
        self._run(
            _ADAPTER,
            [
                str(binary),
                f"--bind-address={_HOST}",
                f"--secure-port={self._adapter_port}",
                f"--port={metrics}",
                f"--metrics-service-address={_HOST}:{self._grpc_port}",
                f"--cert-dir={self._certificates}",
                f"--tls-cert-file={self._certificates / 'tls.crt'}",
                f"--tls-private-key-file={self._certificates / 'tls.key'}",
                f"--lister-kubeconfig={kubeconfig}",
                f"--authentication-kubeconfig={kubeconfig}",
                f"--authorization-kubeconfig={kubeconfig}",
            ],
            f"http://{_HOST}:{metrics}/metrics",
        )

    def _run(self, name: str, command: list[str], health: str) -> None:
        env = {
            **os.environ,
            "KUBECONFIG": str(self._cluster.kubeconfig_path),
            "POD_NAMESPACE": NAMESPACE,
            "KEDA_CLUSTER_OBJECT_NAMESPACE": NAMESPACE,
            # All namespaces.
            "WATCH_NAMESPACE": "",
        }
        self._cluster.add_server(name, command, env).start_until(
            lambda: answers(health), START_SECONDS
        )

    def _build_service(self) -> dict[str, Any]:
        service = {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": {"name": _SERVICE, "namespace": NAMESPACE},
            "spec": {"type": "ExternalName", "externalName": "localhost"},
        }
        api_service = {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": f"{_VERSION}.{_GROUP}"},
            "spec": {
                "group": _GROUP,
                "version": _VERSION,
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
                # The adapter's certificate is for an address, and no Service has one here.
                "insecureSkipTLSVerify": True,
                "service": {
                    "name": _SERVICE,
                    "namespace": NAMESPACE,
                    "port": self._adapter_port,
                },
            },
        }
        return {"apiVersion": "v1", "kind": "List", "items": [service, api_service]}

    def _is_available(self) -> bool:
        for name in KEDA:
            self._cluster.processes[name].check()
        with self._cluster.client() as client:
            return client.get(f"/apis/{_GROUP}/{_VERSION}").is_success
