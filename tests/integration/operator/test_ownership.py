"""Whose a pod is: the pool's whose UID its controller reference holds, whatever its labels."""

import json
from typing import Any
from urllib.parse import parse_qs

import pytest
import yaml

from zerog_operator import names
from zerog_tools.cluster.process import wait_until

from .api_proxy import ApiProxy
from .conftest import DEADLINE_SECONDS, Stage, build_pool

LABELS = {names.POOL_LABEL: "media", names.ROLE_LABEL: names.ROLE_WORKER}


def make_pod(stage: Stage, name: str, **metadata: Any) -> dict[str, Any]:
    """Create a pod by hand and return it."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": LABELS, **metadata},
        "spec": {"containers": [{"name": "worker", "image": "acme:1"}]},
    }
    stage.cluster.kubectl("apply", "-n", stage.namespace, "-f", "-", stdin=yaml.safe_dump(pod))
    found = stage.cluster.kubectl("get", "pod", name, "-n", stage.namespace, "-o", "json")
    return dict(json.loads(found))


def owned(stage: Stage) -> list[str]:
    """Return the names of the pods that belong to a pool."""
    return [
        pod["metadata"]["name"] for pod in stage.pods() if pod["metadata"].get("ownerReferences")
    ]


def test_a_foreign_pod_with_our_labels_is_neither_counted_nor_deleted(stage: Stage) -> None:
    running, ended = make_pod(stage, "foreign"), make_pod(stage, "foreign-ended")
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    stage.play(running, {"phase": "Running", "conditions": [ready]})
    stage.play(ended, {"phase": "Failed"})
    stage.start_operator()

    stage.apply(build_pool(minReplicas=1))

    wait_until(lambda: len(owned(stage)) == 1, DEADLINE_SECONDS, "a worker of our own")
    wait_until(lambda: stage.status().get("replicas") == 1, DEADLINE_SECONDS, "it counts alone")
    assert stage.status()["readyReplicas"] == 0
    stage.apply(build_pool(minReplicas=0))
    wait_until(lambda: owned(stage) == [], DEADLINE_SECONDS, "our own goes")
    stage.wait_for_looks()
    assert {pod["metadata"]["name"] for pod in stage.pods()} == {"foreign", "foreign-ended"}
    assert stage.tokens() == 0


def test_pods_of_a_pool_that_was_deleted_and_made_again_are_not_the_new_ones(
    stage: Stage,
) -> None:
    stage.start_operator()
    stage.apply(build_pool(minReplicas=1))
    (before,) = stage.wait_for_pods(1)
    # Its pods stay for the garbage collector, which a finalizer holds up.
    finalizer = '{"metadata": {"finalizers": ["example.com/held"]}}'
    name = before["metadata"]["name"]
    patch = ["patch", "pod", name, "-n", stage.namespace, "--type=merge", "-p"]
    stage.cluster.kubectl(*patch, finalizer)
    stage.cluster.kubectl("delete", "zwp", "media", "-n", stage.namespace)

    stage.apply(build_pool(minReplicas=1))

    uid = stage.pool()["metadata"]["uid"]
    wait_until(
        lambda: [pod for pod in stage.pods()
                 if pod["metadata"]["ownerReferences"][0]["uid"] == uid],
        DEADLINE_SECONDS,
        "a pod of the new pool",
    )  # fmt: skip
    stage.cluster.kubectl(*patch, '{"metadata": {"finalizers": null}}')


@pytest.mark.parametrize("everywhere", [True, False])
def test_only_pods_of_pools_are_listed_and_watched_and_lists_come_in_pages(
    stage: Stage, everywhere: bool
) -> None:
    proxy = ApiProxy(stage.cluster)
    account = stage.cluster.kubeconfig_of("zerog-operator", stage.namespace)
    namespaces = "" if everywhere else stage.namespace
    try:
        stage.start_operator(KUBECONFIG=str(proxy.kubeconfig(account)), ZEROG_NAMESPACES=namespaces)
        stage.apply(build_pool(minReplicas=1))
        stage.wait_for_pods(1)
        wait_until(
            lambda: any(call.is_watch and call.path.endswith("/pods") for call in proxy.calls),
            DEADLINE_SECONDS,
            "a watch",
        )
    finally:
        stage.kill_operators()
        proxy.close()
    reads = [call for call in proxy.calls if call.method == "GET" and call.path.endswith("/pods")]
    assert {call.is_watch for call in reads} == {True, False}
    for call in reads:
        query = parse_qs(call.query)
        assert query["labelSelector"] == [names.POOL_LABEL], call
        assert call.is_watch or "limit" in query, call
