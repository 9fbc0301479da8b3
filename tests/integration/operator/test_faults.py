"""What a bad network and servers in trouble do to the operator: it waits, and then goes on."""

import signal
from collections.abc import Iterator

import pytest

from zerog_operator import names
from zerog_tools.cluster.process import wait_until

from .api_proxy import ApiCall, ApiProxy
from .conftest import DEADLINE_SECONDS, Stage, build_pool

#: Of an operator that cannot look at pools yet.
SOME_CALLS = 5
#: In the metrics of a pool that is there.
GONE = 'pool="gone"'


@pytest.fixture
def api(stage: Stage) -> Iterator[ApiProxy]:
    """The way to the API server, which a test may spoil; an operator already uses it."""
    proxy = ApiProxy(stage.cluster)
    kubeconfig = stage.cluster.kubeconfig_of("zerog-operator", stage.namespace)
    stage.start_operator(KUBECONFIG=str(proxy.kubeconfig(kubeconfig)))
    try:
        yield proxy
    finally:
        stage.kill_operators()
        proxy.close()


def of_pods(call: ApiCall) -> bool:
    return call.path.endswith("/pods")


def of_pools(call: ApiCall) -> bool:
    return call.path.endswith(f"/{names.PLURAL}")


def lists_pods(call: ApiCall) -> bool:
    return call.is_list and of_pods(call)


def creates_pod(call: ApiCall) -> bool:
    return call.on("POST", "pods")


def wait_for_status(stage: Stage) -> None:
    wait_until(lambda: stage.status() or None, DEADLINE_SECONDS, "a status")


def test_pods_that_a_silent_watch_does_not_show_count_all_the_same(
    stage: Stage, api: ApiProxy
) -> None:
    stage.apply(build_pool())
    wait_for_status(stage)
    api.mute_watches(of_pods)

    stage.put(3)

    stage.wait_for_pods(3)
    wait_until(lambda: stage.status().get("replicas") == 3, DEADLINE_SECONDS, "they count")
    seen = len(api.calls)
    wait_until(lambda: any(map(lists_pods, api.calls[seen:])), DEADLINE_SECONDS, "a list")
    stage.wait_for_looks()
    assert stage.status()["replicas"] == 3
    assert sum(map(creates_pod, api.calls)) == 3


def test_a_watch_that_is_cut_is_begun_again(stage: Stage, api: ApiProxy) -> None:
    stage.apply(build_pool(minReplicas=1))
    stage.wait_for_pods(1)

    assert api.cut_watches() > 0
    stage.apply(build_pool(minReplicas=2))

    pods = stage.wait_for_pods(2)
    stage.play_ready(*pods)


def test_what_went_while_nobody_watched_is_missed_after_410_gone(
    stage: Stage, api: ApiProxy
) -> None:
    stage.apply(build_pool(minReplicas=2))
    stage.apply(build_pool("gone"))
    pods = stage.wait_for_pods(2)
    wait_until(lambda: stage.status("gone") or None, DEADLINE_SECONDS, "a status")
    api.mute_watches(lambda call: of_pods(call) or of_pools(call))
    for pod in pods:
        stage.cluster.kubectl("delete", "pod", pod["metadata"]["name"], "-n", stage.namespace)
    stage.cluster.kubectl("delete", "zwp", "gone", "-n", stage.namespace)
    api.heal()

    api.cut_watches(gone=True)

    stage.wait_for_pods(2)
    wait_until(lambda: GONE not in stage.metrics(), DEADLINE_SECONDS, "the pool is missed")
    stage.put(3, "gone")
    seen = len(api.calls)
    stage.wait_for_looks()
    assert not any(map(creates_pod, api.calls[seen:]))


def test_a_list_that_fails_is_not_an_empty_one(stage: Stage, api: ApiProxy) -> None:
    stage.apply(build_pool())
    stage.put(2)
    stage.wait_for_pods(2)
    api.fail(lists_pods, 500, "InternalError")

    # Watches that have to begin anew, and the heartbeat, all need a list.
    api.cut_watches(gone=True)
    wait_until(
        lambda: stage.status().get("lastDecision", {}).get("limitedBy") == "unknown",
        DEADLINE_SECONDS,
        "nothing is known",
    )
    stage.put(3)
    stage.wait_for_looks(1)
    assert len(stage.pods()) == 2
    assert stage.condition("Ready")["status"] == "Unknown"

    api.heal()

    stage.wait_for_pods(5)
    wait_until(lambda: stage.condition("Ready")["status"] == "True", DEADLINE_SECONDS, "ready")


def test_an_operator_that_cannot_list_at_its_start_creates_nothing(
    stage: Stage, api: ApiProxy
) -> None:
    stage.apply(build_pool())
    stage.put(2)
    stage.wait_for_pods(2)
    stage.stop(stage.operators[0], signal.SIGKILL)
    api.fail(lists_pods, 500, "InternalError")
    stage.put(1)
    seen = len(api.calls)

    kubeconfig = stage.cluster.kubeconfig_of("zerog-operator", stage.namespace)
    stage.start_operator(KUBECONFIG=str(api.kubeconfig(kubeconfig)))

    wait_until(lambda: len(api.calls) >= seen + SOME_CALLS, DEADLINE_SECONDS, f"{SOME_CALLS} calls")
    assert not any(map(creates_pod, api.calls[seen:]))
    api.heal()
    stage.wait_for_pods(3)


def test_a_server_that_asks_for_patience_gets_it(stage: Stage, api: ApiProxy) -> None:
    stage.apply(build_pool())
    wait_for_status(stage)
    busy = api.fail(creates_pod, 429, "TooManyRequests", headers={"Retry-After": "1"}, times=4)
    busy_status = api.fail(
        lambda call: call.on("PATCH", "status"), 429, "TooManyRequests",
        headers={"Retry-After": "1"}, times=2,
    )  # fmt: skip

    stage.put(2)

    stage.wait_for_pods(2)
    wait_until(lambda: stage.status().get("replicas") == 2, DEADLINE_SECONDS, "the status")
    assert (busy.hits, busy_status.hits) == (4, 2)
    # No more pods than asked for, and nothing was called wrong.
    assert sum(map(creates_pod, api.calls)) == 2 + busy.hits
    assert stage.condition("Scaling")["status"] == "True"


def test_conflicts_are_no_errors_and_what_was_meant_is_done_at_the_next_look(
    stage: Stage, api: ApiProxy
) -> None:
    stage.apply(build_pool())
    stage.put(2)
    stage.wait_for_pods(2)
    conflicts = api.fail(
        lambda call: call.method == "DELETE" and "/pods/" in call.path, 409, "Conflict", times=3
    )

    stage.take_all()

    stage.wait_for_pods(0)
    assert conflicts.hits == 3
    assert "WARNING" not in (stage.folder / "operator-0.log").read_text()


def test_a_queue_that_does_not_answer_is_unknown_and_nothing_changes(
    stage: Stage, api: ApiProxy
) -> None:
    stage.apply(build_pool())
    stage.put(2)
    stage.wait_for_pods(2)

    stage.beanstalkd.signal(signal.SIGSTOP)
    try:
        wait_until(
            lambda: stage.condition("QueueReachable").get("status") == "False",
            DEADLINE_SECONDS,
            "the queue is missed",
        )
        assert len(stage.pods()) == 2
        assert stage.status()["lastDecision"]["limitedBy"] == "unknown"
    finally:
        stage.beanstalkd.signal(signal.SIGCONT)

    stage.take_all()

    stage.wait_for_pods(0)
