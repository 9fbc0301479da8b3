"""Pods follow the queue: up, down, by tokens, through rollouts, and never on ignorance."""

from functools import partial
from typing import Any

from zerog_tools.cluster.process import wait_until

from .conftest import COLLECTOR_SECONDS, DEADLINE_SECONDS, Stage, build_pool


def test_work_in_an_empty_pool_starts_pods_that_belong_to_it(stage: Stage) -> None:
    stage.start_operator()
    stage.apply(build_pool(slots=2, scaling={"jobsPerWorker": 2, "scaleDownDelaySeconds": 0}))
    wait_until(lambda: stage.condition("Ready").get("status") == "True", DEADLINE_SECONDS, "ready")
    assert stage.pods() == []

    stage.put(6)

    pods = stage.wait_for_pods(3)
    pod = pods[0]
    assert pod["metadata"]["ownerReferences"][0]["name"] == "media"
    assert pod["metadata"]["labels"]["app.kubernetes.io/instance"] == "media"
    env = {item["name"]: item.get("value") for item in pod["spec"]["containers"][0]["env"]}
    assert env["ZEROG_QUEUES"] == "media"
    assert env["ZEROG_SLOTS"] == "2"
    assert pod["spec"]["restartPolicy"] == "OnFailure"
    assert pod["spec"]["terminationGracePeriodSeconds"] > 3600
    wait_until(lambda: stage.status().get("replicas") == 3, DEADLINE_SECONDS, "status")
    decision = stage.status()["lastDecision"]
    assert decision["replicas"] == 3
    assert "6 ready" in decision["reason"]
    assert 'zerog_pods_total{action="created"' in stage.metrics()


def test_one_line_says_whether_it_is_fine_and_why_so_many_and_describe_the_last_decisions(
    stage: Stage,
) -> None:
    stage.start_operator()
    stage.apply(build_pool(maxReplicas=2))
    wait_until(lambda: stage.status() or None, DEADLINE_SECONDS, "a status")
    stage.put(3)
    stage.play_ready(*stage.wait_for_pods(2))
    stage.take_all()
    wait_until(lambda: stage.tokens() == 2, DEADLINE_SECONDS, "tokens")
    stage.put(1)
    wait_until(lambda: stage.tokens() == 1, DEADLINE_SECONDS, "one is taken back")

    def describe() -> str:
        return stage.cluster.kubectl("describe", "zwp", "media", "-n", stage.namespace)

    wait_until(lambda: describe().count(" → ") >= 3, DEADLINE_SECONDS, "the last decisions")
    get = ("get", "zwp", "-n", stage.namespace, "--no-headers")
    words = stage.cluster.kubectl(*get).split()
    # Name, ready, reason, paused, workers, desired, queued, running.
    assert words[:8] == ["media", "True", "PoolWorks", "False", "2", "1", "1", "0"]
    line = stage.cluster.kubectl(*get, "-o", "wide").strip()
    assert "\n" not in line
    assert line.endswith("1 ready + 0 running, 1 jobs per worker: 1 worker")
    text = describe()
    assert (
        "0 → 2: 3 ready + 0 running, 1 jobs per worker: 3 workers; limited by maxReplicas" in text
    )
    assert "2 → 0: nothing to do: 0 workers" in text


def test_pods_that_are_not_ready_go_first_when_load_falls(stage: Stage) -> None:
    stage.start_operator()
    stage.apply(build_pool())
    stage.put(4)
    pods = stage.wait_for_pods(4)
    stage.play_ready(pods[0])

    stage.take_all()

    left = stage.wait_for_pods(1)
    assert left[0]["metadata"]["uid"] == pods[0]["metadata"]["uid"]
    wait_until(lambda: stage.tokens() == 1, DEADLINE_SECONDS, "a token for the ready one")


def test_a_ready_pod_is_never_deleted_and_tokens_are_taken_back_when_load_returns(
    stage: Stage,
) -> None:
    stage.start_operator()
    stage.apply(build_pool())
    stage.put(3)
    pods = stage.wait_for_pods(3)
    stage.play_ready(*pods)
    stage.take_all()
    wait_until(lambda: stage.tokens() == 3, DEADLINE_SECONDS, "three tokens")

    stage.put(3)

    wait_until(lambda: stage.tokens() == 0, DEADLINE_SECONDS, "no token is left")
    before = {pod["metadata"]["uid"] for pod in pods}
    assert before <= {pod["metadata"]["uid"] for pod in stage.pods()}


def test_a_pod_that_has_retired_is_cleared_away(stage: Stage) -> None:
    stage.start_operator()
    stage.apply(build_pool())
    stage.put(1)
    (pod,) = stage.wait_for_pods(1)
    stage.play_ready(pod)
    stage.take_all()
    wait_until(lambda: stage.tokens() == 1, DEADLINE_SECONDS, "a token")

    stage.play(pod, {"phase": "Succeeded"})

    stage.wait_for_pods(0)


def test_a_queue_that_is_away_changes_nothing_and_is_told(stage: Stage) -> None:
    stage.start_operator()
    stage.apply(build_pool())
    stage.put(2)
    pods = stage.wait_for_pods(2)
    stage.play_ready(*pods)

    stage.beanstalkd.kill()

    wait_until(
        lambda: stage.condition("QueueReachable").get("status") == "False",
        DEADLINE_SECONDS,
        "the queue is missed",
    )
    stage.wait_for_looks()
    assert len(stage.pods()) == 2
    status = stage.status()
    assert {item["type"]: item["status"] for item in status["conditions"]}["Ready"] == "False"
    assert status["lastDecision"]["limitedBy"] == "unknown"

    stage.beanstalkd.start()

    wait_until(
        lambda: stage.condition("QueueReachable").get("status") == "True",
        DEADLINE_SECONDS,
        "the queue is back",
    )


def test_a_new_template_brings_new_pods_and_retires_old_ones_by_name(stage: Stage) -> None:
    stage.start_operator()
    stage.apply(build_pool(minReplicas=2))
    old = stage.wait_for_pods(2)
    stage.play_ready(*old)
    changed = build_pool(minReplicas=2)
    changed["spec"]["template"]["spec"]["containers"][0]["image"] = "acme:2"

    stage.apply(changed)

    left = list(old)
    while left:
        stage.play_ready(*wait_until(partial(fresh_pods, stage), DEADLINE_SECONDS, "a new pod"))
        told = wait_until(
            partial(told_by_name, stage, left), DEADLINE_SECONDS, "an old one is told"
        )
        for pod in told:
            stage.play(pod, {"phase": "Succeeded"})
            left.remove(pod)

    wait_until(
        lambda: {image_of(pod) for pod in stage.pods()} == {"acme:2"},
        DEADLINE_SECONDS,
        "only new ones are left",
    )


def image_of(pod: dict[str, Any]) -> str:
    return str(pod["spec"]["containers"][0]["image"])


def fresh_pods(stage: Stage) -> list[dict[str, Any]]:
    """Return the pods of the new template that are not ready yet."""
    return [pod for pod in stage.pods() if image_of(pod) == "acme:2" and not is_ready(pod)]


def is_ready(pod: dict[str, Any]) -> bool:
    conditions = pod["status"].get("conditions", [])
    return any(item["type"] == "Ready" and item["status"] == "True" for item in conditions)


def told_by_name(stage: Stage, pods: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the pods for which an entry lies on their own tube."""
    return [pod for pod in pods if entries(stage, f"zerog-mailbox.{pod['metadata']['name']}")]


def entries(stage: Stage, tube: str) -> int:
    """Return how many entries lie on a tube."""
    return int(stage.queue(lambda connection: connection.tube_stats(tube)).entries)


def test_a_pool_that_waits_for_its_finalizers_gets_no_workers_any_more(stage: Stage) -> None:
    stage.start_operator()
    pool = build_pool(minReplicas=1)
    pool["metadata"]["finalizers"] = ["acme.dev/later"]
    stage.apply(pool)
    stage.apply(build_pool("other"))
    (pod,) = stage.wait_for_pods(1)
    stage.cluster.kubectl("delete", "zwp", "media", "-n", stage.namespace, "--wait=false")
    wait_until(lambda: 'pool="media"' not in stage.metrics(), DEADLINE_SECONDS, "it is left alone")

    stage.cluster.kubectl("delete", "pod", pod["metadata"]["name"], "-n", stage.namespace)
    stage.put(3)
    stage.wait_for_looks()

    assert stage.pods() == []
    patch = '{"metadata": {"finalizers": null}}'
    stage.cluster.kubectl(
        "patch", "zwp", "media", "-n", stage.namespace, "--type=merge", "-p", patch
    )  # fmt: skip


def test_a_deleted_pools_workers_go_with_it(stage: Stage) -> None:
    stage.start_operator()
    stage.apply(build_pool(minReplicas=2))
    stage.wait_for_pods(2)

    stage.cluster.kubectl("delete", "zwp", "media", "-n", stage.namespace)

    stage.wait_for_pods(0, seconds=COLLECTOR_SECONDS)
