"""ZeroG in a cluster as people install it: the chart, pools, and a service that calls the API."""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.cluster.binaries import ensure_binaries
from tests.cluster.interface import Cluster
from tests.cluster.process import wait_until

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "zerog"
FILES = Path(__file__).with_name("pods")
RELEASE = "zerog"
#: What the chart's API wants tokens to be for, and where the caller finds one.
AUDIENCE, TOKEN_FILE = "zerog", "/var/run/secrets/zerog/token"
#: For whatever a cluster of two small nodes does, on a machine that has other things to do, too.
DEADLINE_SECONDS = 600.0
#: For one answer of the API server.
CALL_SECONDS = 180.0
#: For jobs to finish; the call that waits ends before its own deadline.
WAIT_SECONDS = DEADLINE_SECONDS - 10
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
CALLER_RULES = [
    {
        "apiGroups": ["zerog.dev"],
        "resources": ["jobs"],
        "verbs": ["create", "get", "list", "update"],
    }
]

Object = dict[str, Any]


class Installation:
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
        """Run helm in the namespace and return what it printed; an AssertionError if it fails."""
        command = [
            str(self._helm), f"--kubeconfig={self.cluster.kubeconfig_path}",
            f"--namespace={self.namespace}", *arguments,
        ]  # fmt: skip
        result = subprocess.run(
            command, input=stdin, capture_output=True, text=True, timeout=2 * DEADLINE_SECONDS
        )
        assert result.returncode == 0, f"{result.stderr}\n{self.describe()}"
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

    def add_caller(self) -> None:
        """Add a pod that calls the API with its service account's token, and the jobs' file."""
        files = {path.name: path.read_text() for path in FILES.glob("*.py")}
        name = {"name": "caller"}
        self.apply(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "e2e"}, "data": files},
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
        """Let the caller do something; see `pods/caller.py`."""
        command = ["exec", "caller", "--", "python3", "/e2e/caller.py", *arguments]
        return json.loads(self.kubectl(*command, timeout=DEADLINE_SECONDS))

    def submit(self, count: int, seconds: float) -> list[str]:
        """Submit naps from the caller and return their UUIDs."""
        found: list[str] = self.call("submit", "Nap", str(count), json.dumps({"seconds": seconds}))
        return found

    def wait_for_jobs(self, uuids: Sequence[str], seconds: float = WAIT_SECONDS) -> list[Object]:
        """Wait until jobs are finished and return the `info` of each."""
        found: list[Object] = self.call("wait", str(seconds), *uuids)
        return found

    def submit_to(self, workers: int, count: int, seconds: float) -> list[str]:
        """Have so many workers ready, submit naps, and return them when all workers are busy.

        Workers that started only then could be later than the end of all jobs.
        """
        self.add_pool(minReplicas=workers)
        wait_until(
            lambda: self.pool_status("naps").get("readyReplicas", 0) >= workers,
            DEADLINE_SECONDS,
            f"{workers} workers are ready",
        )
        uuids = self.submit(count, seconds)
        self.wait_for_running(workers)
        return uuids

    def wait_for_running(self, count: int) -> None:
        """Wait until so many workers are busy."""
        wait_until(
            lambda: self.pool_status("naps").get("busy", 0) >= count,
            DEADLINE_SECONDS,
            f"{count} workers are busy",
        )

    def add_pool(self, image: str = "worker", *, pool: str = "naps", **spec: Any) -> None:
        """Add or change a pool of the tests' jobs."""
        container = {
            "name": "worker",
            "image": self.images[image],
            "env": [{"name": "PYTHONPATH", "value": "/e2e"}],
            "volumeMounts": [{"name": "e2e", "mountPath": "/e2e"}],
            **spec.pop("container", {}),
        }
        volumes = [{"name": "e2e", "configMap": {"name": "e2e"}}]
        self.apply(
            {
                "apiVersion": "zerog.dev/v1alpha1",
                "kind": "ZeroGWorkerPool",
                "metadata": {"name": pool},
                "spec": {
                    "jobs": ["e2e_jobs"],
                    "maxReplicas": 4,
                    "scaling": {"jobsPerWorker": 1, "scaleDownDelaySeconds": 1},
                    "template": {"spec": {"containers": [container], "volumes": volumes}},
                    **spec,
                },
            }
        )
        self.wait_for_types(pool)

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

    def pool_status(self, name: str) -> Object:
        """Return what the operator says of a pool."""
        found: Object = self.get("zwp", name).get("status", {})
        return found

    def workers(self) -> list[Object]:
        """Return the worker pods that are not about to end."""
        pods: list[Object] = self.get("pods", "-l", "zerog.dev/role=worker")["items"]
        return [pod for pod in pods if "deletionTimestamp" not in pod["metadata"]]

    def wait_for_workers(self, count: int) -> None:
        """Wait until there are so many worker pods."""
        wait_until(
            lambda: len(self.workers()) == count, DEADLINE_SECONDS, f"{count} workers are there"
        )

    def logs(self) -> dict[str, str]:
        """Return the logs of every pod, by its name."""
        pods = [pod["metadata"]["name"] for pod in self.get("pods")["items"]]
        return {
            name: self.kubectl("logs", name, "--all-containers", "--ignore-errors", "--tail=-1")
            for name in pods
        }

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
                {"name": "e2e", "mountPath": "/e2e"},
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
                    {"name": "e2e", "configMap": {"name": "e2e"}},
                    {"name": "token", "projected": {"sources": [token]}},
                ],
            },
        }
