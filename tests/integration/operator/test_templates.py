"""What is wrong with a pool's spec or template is told at once, and what makes a worker rolls."""

from typing import Any

import pytest

from zerog_operator import names
from zerog_tools.cluster.process import wait_until

from .conftest import DEADLINE_SECONDS, Stage, build_pool


def with_worker(**container: Any) -> dict[str, Any]:
    """Return a pool that wants a worker, whose container has these fields."""
    worker = {"name": "worker", "image": "acme:1", **container}
    return build_pool(minReplicas=1, template={"spec": {"containers": [worker]}})


@pytest.mark.parametrize(("check", "kind"), [("0", "Scaling"), ("1", "TypesRegistered")])
def test_a_misspelt_field_of_the_template_is_told_and_no_pod_is_made_without_it(
    stage: Stage, check: str, kind: str
) -> None:
    stage.start_operator(ZEROG_CHECK_IMAGES=check)
    stage.apply(with_worker(resorces={"limits": {"memory": "1Gi"}}))

    wait_until(
        lambda: stage.condition(kind).get("reason") == "PodInvalid", DEADLINE_SECONDS, "it is told"
    )
    assert 'unknown field "spec.containers[0].resorces"' in stage.condition(kind)["message"]
    assert stage.condition("Ready")["status"] == "False"
    assert stage.pods(names.ROLE_WORKER) + stage.pods(names.ROLE_DESCRIBE) == []

    stage.apply(with_worker(resources={"limits": {"memory": "1Gi"}}))

    stage.wait_for_pods(1, names.ROLE_DESCRIBE if check == "1" else names.ROLE_WORKER)


def test_a_spec_that_makes_no_sense_is_a_condition_and_an_event_and_heals(stage: Stage) -> None:
    stage.start_operator()
    stage.apply(with_worker())
    (pod,) = stage.wait_for_pods(1)
    stage.play_ready(pod)

    # The CRD leaves a pod's own fields to the API server, which has not seen them as a pod yet.
    stage.apply(with_worker(env=["MODE"]))

    wait_until(
        lambda: stage.condition("Ready").get("reason") == "InvalidSpec",
        DEADLINE_SECONDS,
        "the condition",
    )
    ready = stage.condition("Ready")
    assert ready["status"] == "False"
    path = "spec.template.spec.containers[0].env[0] is not an object"
    assert path in ready["message"]
    assert "the pool's workers stay as they are" in ready["message"]
    assert ready["observedGeneration"] == stage.pool()["metadata"]["generation"]
    wait_until(
        lambda: path in stage.cluster.kubectl("get", "events", "-n", stage.namespace),
        DEADLINE_SECONDS,
        "the Event",
    )
    assert [item["metadata"]["name"] for item in stage.pods()] == [pod["metadata"]["name"]]

    stage.apply(with_worker())

    wait_until(lambda: stage.condition("Ready")["status"] == "True", DEADLINE_SECONDS, "healed")


def test_workers_are_replaced_when_the_queue_gets_another_address(stage: Stage) -> None:
    operator = stage.start_operator()
    stage.apply(build_pool(minReplicas=1))
    (before,) = stage.wait_for_pods(1)
    stage.play_ready(before)
    stage.stop(operator)

    stage.start_operator(ZEROG_WORKER_QUEUE="queue.example:11300")

    pods = stage.wait_for_pods(2)
    (after,) = [pod for pod in pods if pod["metadata"]["name"] != before["metadata"]["name"]]
    env = {item["name"]: item.get("value") for item in after["spec"]["containers"][0]["env"]}
    assert env["ZEROG_QUEUE"] == "queue.example:11300"
    label = names.TEMPLATE_LABEL
    assert after["metadata"]["labels"][label] != before["metadata"]["labels"][label]
