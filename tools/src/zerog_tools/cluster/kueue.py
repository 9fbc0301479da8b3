"""The real Kueue beside a test cluster: its controllers and webhooks as one process.

It manages plain pods: one with the label `kueue.x-k8s.io/queue-name` gets a scheduling gate, which
goes once there is quota for it. Its certificate is ours and its webhooks are at an address of this
machine, since no Service leads anywhere here; its own CRDs have two versions, of which only the
stored one is used, so that nothing has to be converted.
"""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from zerog_tools.cluster.authority import Authority
from zerog_tools.cluster.binaries import ALL, ensure_binaries
from zerog_tools.cluster.control_plane import ControlPlane
from zerog_tools.cluster.ports import free_port
from zerog_tools.cluster.process import Startable, answers

START_SECONDS = 120.0
NAMESPACE = "kueue-system"
QUEUE_LABEL = "kueue.x-k8s.io/queue-name"
GROUP, VERSION = "kueue.x-k8s.io", "v1beta2"
#: Webhooks for other groups are for kinds that no test makes.
_GROUPS = {"", GROUP}
_HOST = "127.0.0.1"


class Kueue(Startable):
    """Kueue in a cluster; one for each cluster."""

    def __init__(self, cluster: ControlPlane) -> None:
        self._cluster = cluster
        self._folder = cluster.layout.folder / "kueue"
        self._tool = ALL["kueue"]
        self._webhook_port, self._health_port = free_port(), free_port()

    def start(self) -> None:
        """Install it and return once it is ready."""
        binary = ensure_binaries(["kueue"])["kueue"]
        authority = Authority(self._folder)
        certificate = authority.issue("webhook", _HOST)
        served = self._folder / "served"
        served.mkdir()
        (served / "tls.crt").write_bytes(certificate.path.read_bytes())
        (served / "tls.key").write_bytes(certificate.key.read_bytes())
        self._cluster.kubectl("create", "namespace", NAMESPACE)
        # Where it keeps a certificate of its own making, which is not used.
        self._cluster.kubectl(
            "create", "secret", "generic", "kueue-webhook-server-cert", "-n", NAMESPACE
        )
        self._apply(self._build_crds())
        self._run(binary, served)
        self._apply(self._build_webhooks(authority.path.read_bytes()))

    def stop(self) -> None:
        """End it; what it made stays. Idempotent."""
        self._cluster.end_server("kueue")

    def make_queue(self, namespace: str, name: str, pods: int) -> None:
        """Make a queue of a namespace with a quota of its own: so many pods at a time."""
        quotas = {"pods": str(pods), "cpu": "1k", "memory": "1Ti"}
        resources = [{"name": name, "nominalQuota": value} for name, value in quotas.items()]
        flavor = {"name": "default", "resources": resources}
        spec = {
            "namespaceSelector": {},
            "resourceGroups": [{"coveredResources": list(quotas), "flavors": [flavor]}],
            # By default what comes anew may pass by the line while that is looked at again.
            "queueingStrategy": "StrictFIFO",
        }
        self._apply(
            [
                _build("ResourceFlavor", {"name": "default"}, {}),
                _build("ClusterQueue", {"name": namespace}, spec),
                _build(
                    "LocalQueue",
                    {"name": name, "namespace": namespace},
                    {"clusterQueue": namespace},
                ),
            ]
        )

    def _run(self, binary: Path, certificates: Path) -> None:
        configuration = self._folder / "configuration.yaml"
        configuration.write_text(json.dumps(self._build_configuration(certificates)))
        command = [
            str(binary),
            f"--config={configuration}",
            f"--kubeconfig={self._cluster.kubeconfig_path}",
        ]
        health = f"http://{_HOST}:{self._health_port}/readyz"
        self._cluster.add_server("kueue", command).start_until(
            lambda: answers(health), START_SECONDS
        )

    def _build_configuration(self, certificates: Path) -> dict[str, Any]:
        return {
            "apiVersion": "config.kueue.x-k8s.io/v1beta2",
            "kind": "Configuration",
            "namespace": NAMESPACE,
            "health": {"healthProbeBindAddress": f"{_HOST}:{self._health_port}"},
            "metrics": {"bindAddress": "0"},
            "webhook": {
                "host": _HOST,
                "port": self._webhook_port,
                "certDir": str(certificates),
            },
            "leaderElection": {"leaderElect": False},
            "integrations": {"frameworks": ["pod"]},
            # It would serve another API, which needs a Service.
            "featureGates": {"VisibilityOnDemand": False},
        }

    def _build_crds(self) -> Iterator[dict[str, Any]]:
        conversion = {
            "strategy": "Webhook",
            "webhook": {
                "clientConfig": {"url": f"https://{_HOST}:{self._webhook_port}/convert"},
                "conversionReviewVersions": ["v1"],
            },
        }
        for path in sorted((self._tool.directory / "config/components/crd/bases").glob("*.yaml")):
            crd = yaml.load(path.read_text(), Loader=yaml.CSafeLoader)
            if len(crd["spec"]["versions"]) > 1:
                crd["spec"]["conversion"] = conversion
                for version in crd["spec"]["versions"]:
                    version["served"] = version["storage"]
            yield crd

    def _build_webhooks(self, authority: bytes) -> Iterator[dict[str, Any]]:
        bundle = base64.b64encode(authority).decode()
        path = self._tool.directory / "config/components/webhook/manifests.yaml"
        for item in yaml.safe_load_all(path.read_text()):
            # Under the names that it expects it would put its own authority into them.
            item["metadata"]["name"] = f"test-{item['metadata']['name']}"
            item["webhooks"] = [
                {**webhook, "clientConfig": {"url": self._url(webhook), "caBundle": bundle}}
                for webhook in item["webhooks"]
                if all(_GROUPS.issuperset(rule["apiGroups"]) for rule in webhook["rules"])
            ]
            yield item

    def _url(self, webhook: dict[str, Any]) -> str:
        path = webhook["clientConfig"]["service"]["path"]
        return f"https://{_HOST}:{self._webhook_port}{path}"

    def _apply(self, items: Iterator[dict[str, Any]] | list[dict[str, Any]]) -> None:
        objects = {"apiVersion": "v1", "kind": "List", "items": list(items)}
        self._cluster.kubectl("apply", "--server-side", "-f", "-", stdin=json.dumps(objects))


def _build(kind: str, metadata: dict[str, Any], spec: dict[str, Any]) -> dict[str, Any]:
    return {"apiVersion": f"{GROUP}/{VERSION}", "kind": kind, "metadata": metadata, "spec": spec}
