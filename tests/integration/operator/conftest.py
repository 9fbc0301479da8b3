"""An operator process under its real rights, a real API server, a real beanstalkd; pods are played.

No node runs here: what a kubelet would write into a pod's status, a test writes. What real
workers do with tokens is tested with real workers in `tests/integration/path`.
"""

import asyncio
import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Coroutine, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from tests.beanstalkd import Beanstalkd
from tests.processes import start_zerog
from tests.readiness import fetch

from zerog.model.names import retire_tube_name, tube_name
from zerog.queue import connect_queue
from zerog.queue.port import QueueConnection, TubeStats
from zerog_operator import names
from zerog_tools.cluster.apply import apply
from zerog_tools.cluster.control_plane import ControlPlane
from zerog_tools.cluster.interface import Cluster
from zerog_tools.cluster.ports import free_port
from zerog_tools.cluster.process import wait_until

ROOT = Path(__file__).parents[3]
CRD = ROOT / "manifests/crds/zerogworkerpools.yaml"
RBAC = ROOT / "manifests/rbac/operator.yaml"
#: The machine may be busy with other tests.
DEADLINE_SECONDS = 60.0
#: A garbage collector learns of a new kind, ours, in rounds of 30 s, and until then lets all stay.
COLLECTOR_SECONDS = 150.0
#: The clusters that know pools, by the file that leads there.
_KNOWING: set[Path] = set()
_BINDINGS = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"
_PODS = "/api/v1/namespaces/{}/pods"
_POOLS = f"/apis/{names.GROUP}/{names.VERSION}/namespaces/{{}}/{names.PLURAL}"


def build_pool(name: str = "media", **spec: Any) -> dict[str, Any]:
    """Return a pool that scales fast, with changes."""
    return {
        "apiVersion": f"{names.GROUP}/{names.VERSION}",
        "kind": names.KIND,
        "metadata": {"name": name},
        "spec": {
            "jobs": ["acme.jobs"],
            "scaling": {"jobsPerWorker": 1, "scaleDownDelaySeconds": 0},
            "template": {"spec": {"containers": [{"name": "worker", "image": "acme:1"}]}},
            **spec,
        },
    }


def apply_crd(cluster: Cluster) -> None:
    """Let a cluster know pools; one that does is left alone."""
    if cluster.kubeconfig_path in _KNOWING:
        return
    cluster.kubectl("apply", "--server-side", "-f", str(CRD))
    crd = f"crd/{names.PLURAL}.{names.GROUP}"
    cluster.kubectl("wait", "--for=condition=Established", crd, "--timeout=30s")
    _KNOWING.add(cluster.kubeconfig_path)


def bind(kind: str, name: str, namespace: str) -> dict[str, Any]:
    """Return the binding of the operator's role of this kind to its account in a namespace."""
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": f"{kind}Binding",
        "metadata": {"name": name},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": kind,
            "name": "zerog-operator",
        },
        "subjects": [{"kind": "ServiceAccount", "name": "zerog-operator", "namespace": namespace}],
    }


def _kill(processes: Iterable[subprocess.Popen[bytes]]) -> None:
    for process in processes:
        if process.poll() is None:
            process.kill()
            process.wait(DEADLINE_SECONDS)


class Stage:
    """A namespace with an operator of its own that looks at it only."""

    def __init__(self, cluster: ControlPlane, namespace: str, folder: Path) -> None:
        self.cluster, self.namespace, self.folder = cluster, namespace, folder
        self.beanstalkd = Beanstalkd()
        self.operators: list[subprocess.Popen[bytes]] = []
        self.ports: list[int] = []
        #: Other `zerog` processes.
        self.servers: list[subprocess.Popen[bytes]] = []
        self.api = cluster.client()

    def prepare(self) -> None:
        """Bring the CRD and the operator's rights."""
        apply_crd(self.cluster)
        bindings = [
            bind("ClusterRole", self.namespace, self.namespace),
            bind("Role", "zerog-operator", self.namespace),
        ]
        rights = yaml.safe_load_all(RBAC.read_text())
        apply(self.api, [*rights, *bindings], self.namespace)
        self.beanstalkd.start()

    def start_operator(self, *, lease: bool = False, **env: str) -> subprocess.Popen[bytes]:
        """Start an operator under the rights of its service account.

        Without a Lease unless the test is about it: on a machine that is busy with other tests
        one may well be lost, and nobody starts the operator again.
        """
        arguments = [] if lease else ["--standalone"]
        port = free_port()
        kubeconfig = self.cluster.kubeconfig_of("zerog-operator", self.namespace)
        clean = {name: v for name, v in os.environ.items() if not name.startswith("ZEROG_")}
        log = self.folder / f"operator-{len(self.operators)}.log"
        with log.open("wb") as file:
            process = start_zerog(
                ["run", *arguments],
                program="zerog_operator",
                env={
                    **clean,
                    "KUBECONFIG": str(kubeconfig),
                    "ZEROG_QUEUE": self.beanstalkd.address,
                    "ZEROG_NAMESPACES": self.namespace,
                    "ZEROG_LEASE_NAMESPACE": self.namespace,
                    "ZEROG_CHECK_IMAGES": "0",
                    "ZEROG_HOST": "127.0.0.1",
                    "ZEROG_PORT": str(port),
                    **env,
                },
                stdout=file,
            )
        self.operators.append(process)
        self.ports.append(port)
        return process

    def start_server(self, *arguments: str, **env: str) -> subprocess.Popen[bytes]:
        """Start a `zerog` process."""
        clean = {name: v for name, v in os.environ.items() if not name.startswith("ZEROG_")}
        with (self.folder / f"{arguments[0]}.log").open("wb") as file:
            process = start_zerog(arguments, env={**clean, **env}, stdout=file)
        self.servers.append(process)
        return process

    def stop(self, process: subprocess.Popen[bytes], signum: int = signal.SIGTERM) -> int:
        """Send a signal and wait for the end."""
        process.send_signal(signum)
        return process.wait(DEADLINE_SECONDS)

    def apply(self, pool: dict[str, Any]) -> None:
        """Apply a pool."""
        apply(self.api, [pool], self.namespace)

    def pool(self, name: str = "media") -> dict[str, Any]:
        """Return a pool's object."""
        answer = self.api.get(f"{_POOLS.format(self.namespace)}/{name}").raise_for_status()
        return dict(answer.json())

    def status(self, name: str = "media") -> dict[str, Any]:
        """Return a pool's status, empty before the first."""
        return dict(self.pool(name).get("status") or {})

    def condition(self, kind: str, name: str = "media") -> dict[str, Any]:
        """Return a condition of a pool, empty before the first status."""
        found = self.status(name).get("conditions", [])
        return next((dict(item) for item in found if item["type"] == kind), {})

    def pods(self, role: str = names.ROLE_WORKER) -> list[dict[str, Any]]:
        """Return the pods that are not being deleted."""
        selector = {"labelSelector": f"{names.ROLE_LABEL}={role}"}
        answer = self.api.get(_PODS.format(self.namespace), params=selector).raise_for_status()
        return [pod for pod in answer.json()["items"]
                if not pod["metadata"].get("deletionTimestamp")]  # fmt: skip

    def wait_for_pods(
        self, count: int, role: str = names.ROLE_WORKER, *, seconds: float = DEADLINE_SECONDS
    ) -> list[dict[str, Any]]:
        """Wait until there are so many pods."""
        wait_until(lambda: len(self.pods(role)) == count, seconds, f"{count} pods")
        return self.pods(role)

    def play(self, pod: dict[str, Any], status: dict[str, Any]) -> None:
        """Write what a kubelet would; a pod that is gone meanwhile needs nothing."""
        path = f"{_PODS.format(self.namespace)}/{pod['metadata']['name']}/status"
        headers = {"Content-Type": "application/strategic-merge-patch+json"}
        answer = self.api.patch(path, content=json.dumps({"status": status}), headers=headers)
        if answer.status_code != httpx.codes.NOT_FOUND:
            answer.raise_for_status()

    def play_ready(self, *pods: dict[str, Any]) -> None:
        """Let pods be ready."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        for pod in pods:
            ready = {"type": "Ready", "status": "True", "lastTransitionTime": now}
            self.play(pod, {"phase": "Running", "conditions": [ready]})
        count = len(pods)
        wait_until(
            lambda: self.status().get("readyReplicas", 0) >= count, DEADLINE_SECONDS, "ready"
        )

    def queue(self, do: Callable[[QueueConnection], Coroutine[Any, Any, Any]]) -> Any:
        """Do something with a connection to the queue."""

        async def run() -> Any:
            connection = await connect_queue(self.beanstalkd.address)
            try:
                return await do(connection)
            finally:
                await connection.close()

        return asyncio.run(run())

    def put(self, count: int, queue: str = "media") -> None:
        """Put entries on a queue."""

        async def put(connection: QueueConnection) -> None:
            for _ in range(count):
                await connection.put(tube_name(queue), "0" * 36)

        self.queue(put)

    def take_all(self, queue: str = "media") -> None:
        """Finish everything that is ready on a queue."""

        async def take(connection: QueueConnection) -> None:
            await connection.watch([tube_name(queue)])
            for entry in await connection.reserve_ready(1000):
                await connection.delete(entry.id)

        self.queue(take)

    def tokens(self, pool: str = "media") -> int:
        """Return how many retire tokens lie on a pool's tube."""
        key = names.retire_key(self.namespace, pool)

        async def look(connection: QueueConnection) -> TubeStats:
            return await connection.tube_stats(retire_tube_name(key))

        return int(self.queue(look).entries)

    def metrics(self, number: int = -1) -> str:
        """Return an operator's metrics, empty while it does not answer."""
        return fetch(f"http://127.0.0.1:{self.ports[number]}/metrics") or ""

    def looks(self, number: int = -1) -> int:
        """Return how often an operator has looked at its pools."""
        found = re.search(r"^zerog_reconcile_seconds_count (\d+)", self.metrics(number), re.M)
        return int(found[1]) if found else 0

    def wait_for_looks(self, count: int = 3) -> None:
        """Wait until the operator has looked at its pools so often again."""
        before = self.looks()
        wait_until(lambda: self.looks() >= before + count, DEADLINE_SECONDS, f"{count} looks")

    def kill_operators(self) -> None:
        """End operators at once, e.g. before a proxy that they would connect to while it ends."""
        _kill(self.operators)

    def close(self) -> None:
        """End everything."""
        _kill([*self.operators, *self.servers])
        self.beanstalkd.kill()
        self.api.delete(f"{_BINDINGS}/{self.namespace}")
        self.api.close()


@pytest.fixture
def stage(control_plane: ControlPlane, namespace: str, tmp_path: Path) -> Iterator[Stage]:
    """A namespace, a queue, and the rights of an operator; the test starts it."""
    made = Stage(control_plane, namespace, tmp_path)
    made.prepare()
    try:
        yield made
    finally:
        made.close()
        for log in sorted(tmp_path.glob("*.log")):
            print(f"--- {log.name}\n{log.read_text(errors='replace')[-4000:]}")
