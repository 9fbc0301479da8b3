"""What a bad network and a server in trouble do to the operator: it waits, and then goes on."""

from collections.abc import Iterator

import pytest
from tests.cluster.process import wait_until

from .api_proxy import ApiCall, ApiProxy
from .conftest import DEADLINE_SECONDS, Stage, build_pool


@pytest.fixture
def api(stage: Stage) -> Iterator[ApiProxy]:
    """The way to the API server, which a test may spoil; an operator already uses it."""
    proxy = ApiProxy(stage.cluster)
    kubeconfig = stage.cluster.kubeconfig_of("zerog-operator", stage.namespace)
    stage.start_operator("--standalone", KUBECONFIG=str(proxy.kubeconfig(kubeconfig)))
    try:
        yield proxy
    finally:
        proxy.close()


def of_pods(call: ApiCall) -> bool:
    return call.path.endswith("/pods")


def test_pods_that_a_silent_watch_does_not_show_are_not_created_again(
    stage: Stage, api: ApiProxy
) -> None:
    stage.apply(build_pool())
    wait_until(lambda: stage.status() or None, DEADLINE_SECONDS, "a status")
    api.mute_watches(of_pods)

    stage.put(3)

    stage.wait_for_pods(3)
    looks = len(api.calls)
    wait_until(lambda: len(api.calls) > looks + 15 or None, DEADLINE_SECONDS, "several looks")
    assert len(stage.pods()) == 3


def test_what_went_while_nobody_watched_is_missed_after_410_gone(
    stage: Stage, api: ApiProxy
) -> None:
    stage.apply(build_pool(minReplicas=2))
    pods = stage.wait_for_pods(2)
    api.mute_watches(of_pods)
    for pod in pods:
        stage.cluster.kubectl("delete", "pod", pod["metadata"]["name"], "-n", stage.namespace)
    api.heal()
    api.cut_watches(gone=True)

    stage.wait_for_pods(2, seconds=60)
