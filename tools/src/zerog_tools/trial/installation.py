"""ZeroG in a cluster as people install it: the chart, pools, and a service that calls the API."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zerog_tools.cluster.binaries import ensure_binaries
from zerog_tools.cluster.interface import Cluster
from zerog_tools.cluster.process import ClusterError, wait_until
from zerog_tools.repository import CHART

CALLER = Path(__file__).with_name("caller.py")
RELEASE = "zerog"
#: What the chart's API wants tokens to be for, and where the caller finds one.
AUDIENCE, TOKEN_FILE = "zerog", "/var/run/secrets/zerog/token"
#: For whatever a cluster of two small nodes does, on a machine that has other things to do, too.
DEADLINE_SECONDS = 600.0
#: For one answer of the API server.
CALL_SECONDS = 180.0
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
#: The ConfigMap of what the caller and its pools run, and where pods have it.
FILES, FOLDER = "modules", "/modules"
CALLER_RULES = [
    {
        "apiGroups": ["zerog.dev"],
        "resources": ["jobs"],
        "verbs": ["create", "get", "list", "update"],
    }
]

Object = dict[str, Any]


class ChartRelease:
    """A release of the chart in a namespace of its own that refuses what is not restricted."""

    def __init__(self, cluster: Cluster, namespace: str, images: Mapping[str, str]) -> None:
        """Describe it; `install` makes it. Images are given by what they are of."""
        self.cluster = cluster
        self.namespace = namespace
        self.images = images
        self._helm = ensure_binaries(["helm"])["helm"]

    def kubectl(
        self, *arguments: str, stdin: str | None = None, timeout: float = CALL_SECONDS
    ) -> str:
        """Run kubectl in the namespace."""
        return self.cluster.kubectl("-n", self.namespace, *arguments, stdin=stdin, timeout=timeout)

    def apply(self, *objects: Object) -> None:
        """Create or change objects."""
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=text)

    def get(self, *what: str) -> Any:
        """Return what `kubectl get` finds."""
        return json.loads(self.kubectl("get", *what, "-o", "json"))

    def helm(self, *arguments: str, stdin: str | None = None) -> str:
        """Run helm in the namespace and return what it printed.

        Raises:
            ClusterError: It failed; the message is its own, and what the namespace looks like.
        """
        command = [
            str(self._helm), f"--kubeconfig={self.cluster.kubeconfig_path}",
            f"--namespace={self.namespace}", *arguments,
        ]  # fmt: skip
        result = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=2 * DEADLINE_SECONDS
        )
        if result.returncode:
            raise ClusterError(f"{result.stderr}\n{self.describe()}")
        return result.stdout

    def install(self, values: Object, chart: Path = CHART) -> None:
        """Install or upgrade the release, and return when everything of it is ready."""
        registry = {"imageRegistry": self.images["api"].rpartition("/")[0]}
        self.helm(
            "upgrade", "--install", RELEASE, str(chart), "--values=-", "--wait",
            f"--timeout={DEADLINE_SECONDS:.0f}s", stdin=json.dumps({**registry, **values}),
        )  # fmt: skip

    def make_namespace(self) -> None:
        """Make the namespace."""
        self.cluster.kubectl("create", "namespace", self.namespace)
        self.cluster.kubectl(
            "label", "namespace", self.namespace, "pod-security.kubernetes.io/enforce=restricted"
        )

    def add_caller(self, *modules: Path) -> None:
        """Add a pod that calls the API with its service account's token.

        Its ConfigMap also holds further modules: pods can mount them with their jobs.
        """
        files = {path.name: path.read_text() for path in (CALLER, *modules)}
        name = {"name": "caller"}
        self.apply(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": FILES}, "data": files},
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": name},
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "Role",
                "metadata": name,
                "rules": CALLER_RULES,
            },
            {
                "apiVersion": "rbac.authorization.k8s.io/v1",
                "kind": "RoleBinding",
                "metadata": name,
                "roleRef": {
                    "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "caller"
                },
                "subjects": [
                    {"kind": "ServiceAccount", "name": "caller", "namespace": self.namespace}
                ],
            },
            self._caller(),
        )  # fmt: skip
        self.kubectl(
            "wait", "--for=condition=Ready", "pod/caller", f"--timeout={DEADLINE_SECONDS:.0f}s",
            timeout=DEADLINE_SECONDS,
        )  # fmt: skip

    def call(self, *arguments: str) -> Any:
        """Let the caller do something; see `caller.py`."""
        command = ["exec", "caller", "--", "python3", f"{FOLDER}/{CALLER.name}", *arguments]
        return json.loads(self.kubectl(*command, timeout=DEADLINE_SECONDS))

    def wait_for_types(self, pool: str) -> None:
        """Wait until a pool's image is checked and its job types are registered."""

        def has_types() -> bool:
            found = self.get("zwp", pool)
            generation = found["metadata"]["generation"]
            return any(
                condition["type"] == "TypesRegistered"
                and condition["status"] == "True"
                and condition["observedGeneration"] == generation
                for condition in found.get("status", {}).get("conditions", [])
            )

        wait_until(has_types, DEADLINE_SECONDS, f"the image of {pool} is checked")

    def describe(self) -> str:
        """Return what helps to see why something is not as it should be."""
        return "\n".join(
            self.kubectl(*command)
            for command in (
                ("get", "pods", "-o", "wide"),
                ("get", "zwp"),
                ("get", "events", "--sort-by=.lastTimestamp"),
            )
        )

    def _caller(self) -> Object:
        container = {
            "name": "caller",
            "image": self.images["worker"],
            "command": ["sleep", "infinity"],
            "env": [
                {"name": "ZEROG_URL", "value": f"http://{RELEASE}-api"},
                {
                    "name": "ZEROG_TOKEN_FILE",
                    "value": TOKEN_FILE,
                },
            ],
            "securityContext": RESTRICTED,
            "volumeMounts": [
                {"name": FILES, "mountPath": FOLDER},
                {"name": "token", "mountPath": str(Path(TOKEN_FILE).parent), "readOnly": True},
            ],
        }
        token = {"serviceAccountToken": {"audience": AUDIENCE, "path": "token"}}
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": "caller", "labels": {"app": "caller"}},
            "spec": {
                "serviceAccountName": "caller",
                "automountServiceAccountToken": False,
                "enableServiceLinks": False,
                "terminationGracePeriodSeconds": 0,
                "securityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": 65532,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [container],
                "volumes": [
                    {"name": FILES, "configMap": {"name": FILES}},
                    {"name": "token", "projected": {"sources": [token]}},
                ],
            },
        }
