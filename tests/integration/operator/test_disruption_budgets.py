"""What a PodDisruptionBudget of a person does with a pool's workers: on a real control plane."""

import json
import secrets
from typing import Any

import httpx
import pytest
import yaml

from zerog_operator.marking import MARKS
from zerog_operator.names import POOL_LABEL
from zerog_tools.cluster.control_plane import ControlPlane
from zerog_tools.cluster.process import wait_until

from .conftest import apply_crd, build_pool

#: More than the usual limit on a busy machine.
pytestmark = pytest.mark.timeout(300)
#: The controller learns of a new kind, ours, in rounds of 30 s.
BUDGET_SECONDS = 150.0


class Workers:
    """Ready pods that a pool owns, without an operator or a node."""

    def __init__(self, cluster: ControlPlane, namespace: str) -> None:
        self._cluster, self._namespace = cluster, namespace

    def kubectl(self, *arguments: str, stdin: Any = None) -> str:
        """Run kubectl in the namespace."""
        text = yaml.safe_dump(stdin) if stdin else None
        return self._cluster.kubectl(*arguments, "-n", self._namespace, stdin=text)

    def add(self, count: int) -> None:
        """Create a pool and its workers."""
        self.kubectl("create", "-f", "-", stdin=build_pool())
        pool = json.loads(self.kubectl("get", "zwp", "media", "-o", "json"))
        owner = {key: pool[key] for key in ("apiVersion", "kind")}
        owner |= {"name": "media", "uid": pool["metadata"]["uid"], "controller": True}
        ready = [{"type": "Ready", "status": "True"}]
        for number in range(count):
            metadata = {
                "name": f"media-{number}",
                "labels": {POOL_LABEL: "media"},
                "ownerReferences": [owner],
            }
            spec = {"nodeName": "none", "containers": [{"name": "worker", "image": "acme:1"}]}
            self.kubectl(
                "create", "-f", "-",
                stdin={"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec},
            )  # fmt: skip
            patch = json.dumps({"status": {"phase": "Running", "conditions": ready}})
            self.kubectl("patch", "pod", f"media-{number}", "--subresource=status", "-p", patch)

    def evict(self, name: str) -> httpx.Response:
        """Ask for a worker's eviction; nothing is done."""
        body = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"name": name, "namespace": self._namespace},
            "deleteOptions": {"dryRun": ["All"]},
        }
        path = f"/api/v1/namespaces/{self._namespace}/pods/{name}/eviction"
        with self._cluster.client() as client:
            return client.post(path, json=body)

    def budget(self, words: str, **spec: Any) -> dict[str, Any]:
        """Create a budget and return its status once the controller has written these words."""
        selector = {"matchLabels": {POOL_LABEL: "media"}}
        self.kubectl(
            "apply", "-f", "-",
            stdin={
                "apiVersion": "policy/v1",
                "kind": "PodDisruptionBudget",
                "metadata": {"name": "media"},
                "spec": {"selector": selector, **spec},
            },
        )  # fmt: skip

        def status() -> dict[str, Any]:
            # A budget that failed is looked at less and less often, unless it changes.
            seen = f"seen={secrets.token_hex(4)}"
            self.kubectl("annotate", "--overwrite", "pdb", "media", seen)
            found: dict[str, Any] = json.loads(self.kubectl("get", "pdb", "media", "-o", "json"))
            return dict(found.get("status", {}))

        wait_until(
            lambda: words in json.dumps(status()),
            BUDGET_SECONDS,
            f"a budget says {words}: {status()}",
        )
        return status()


@pytest.fixture
def workers(control_plane: ControlPlane, namespace: str) -> Workers:
    """A pool with three workers."""
    apply_crd(control_plane)
    made = Workers(control_plane, namespace)
    made.add(3)
    return made


def test_a_budget_by_a_number_of_workers_is_kept(workers: Workers) -> None:
    status = workers.budget("SufficientPods", minAvailable=1)

    assert (status["currentHealthy"], status["disruptionsAllowed"]) == (3, 2)


def test_a_budget_that_needs_the_pools_size_lets_nobody_evict(workers: Workers) -> None:
    status = workers.budget("does not implement the scale subresource", maxUnavailable=1)

    assert status["disruptionsAllowed"] == 0


def test_only_a_budget_refuses_the_eviction_of_a_busy_worker(workers: Workers) -> None:
    """The annotations are for those who choose a node to remove: the API server reads none."""
    workers.kubectl("annotate", "pod", "media-0", *(f"{key}={MARKS[key]}" for key in MARKS))
    before = workers.evict("media-0")

    workers.budget("InsufficientPods", minAvailable=3)
    refused = workers.evict("media-0")
    workers.budget("SufficientPods", minAvailable=2)
    after = workers.evict("media-0")

    assert (before.status_code, after.status_code) == (201, 201)
    assert refused.status_code == 429
    assert "violate the pod's disruption budget" in refused.json()["message"]
