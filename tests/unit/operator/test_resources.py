"""Pods as they are created."""

from dataclasses import replace
from typing import Any

import pytest

from zerog_operator import names
from zerog_operator.names import describe_pod_name
from zerog_operator.pool import OutOfMemory, PoolSpec
from zerog_operator.resources import (
    PROBES,
    READY_FILE,
    STOP_MARGIN_SECONDS,
    PoolIdentity,
    build_describe_pod,
    build_worker_pod,
)

POOL = PoolIdentity("prod", "media", "uid-1")


def spec(container: dict[str, Any] | None = None, **template: Any) -> PoolSpec:
    worker = {"name": "worker", "image": "acme:1", **(container or {})}
    return PoolSpec.parse(
        "media",
        {
            "jobs": ["acme.jobs"],
            "scaling": {"jobsPerWorker": 1},
            "template": {"spec": {"containers": [worker]}, **template},
        },
    )


def build(of: PoolSpec) -> dict[str, Any]:
    return build_worker_pod(POOL, of, "media-abc")


def environment(pod: dict[str, Any]) -> dict[str, Any]:
    return {item["name"]: item for item in pod["spec"]["containers"][0]["env"]}


def test_what_the_template_says_wins() -> None:
    given = {"env": [{"name": "ZEROG_SLOTS", "value": "9"}], "command": ["mine"],
             "readinessProbe": {"exec": {"command": ["true"]}}}  # fmt: skip

    worker = build(spec(given))["spec"]["containers"][0]

    assert [item for item in worker["env"] if item["name"] == "ZEROG_SLOTS"] == given["env"]
    assert worker["command"] == ["mine"]
    assert worker["readinessProbe"] == given["readinessProbe"]


def test_a_worker_serves_metrics_on_its_pods_address_and_is_probed() -> None:
    pod = build(spec())

    (worker,) = pod["spec"]["containers"]
    (port,) = worker["ports"]
    assert environment(pod)["ZEROG_METRICS_PORT"]["value"] == str(port["containerPort"])
    field = environment(pod)["ZEROG_METRICS_HOST"]["valueFrom"]["fieldRef"]
    assert field == {"fieldPath": "status.podIP"}
    assert worker["readinessProbe"]["exec"]["command"] == ["test", "-e", READY_FILE]
    assert worker["livenessProbe"]["httpGet"] == {"path": "/healthz", "port": port["name"]}


@pytest.mark.parametrize("kind", PROBES)
def test_a_template_with_a_probe_gets_no_other_one(kind: str) -> None:
    given = {kind: {"exec": {"command": ["true"]}}}

    worker = build(spec(given))["spec"]["containers"][0]

    assert {name: worker[name] for name in PROBES if name in worker} == given


def test_a_port_of_the_template_is_the_one_that_is_named() -> None:
    given = {
        "env": [{"name": "ZEROG_METRICS_PORT", "value": "9000"}],
        "ports": [{"name": "mine", "containerPort": 1}],
    }

    worker = build(spec(given))["spec"]["containers"][0]

    assert worker["ports"] == [
        {"name": "mine", "containerPort": 1},
        {"name": "zerog-metrics", "containerPort": 9000},
    ]
    assert "ZEROG_METRICS_HOST" in {item["name"] for item in worker["env"]}


def test_a_template_may_switch_the_port_off() -> None:
    given = {"env": [{"name": "ZEROG_METRICS_PORT", "value": "0"}]}

    worker = build(spec(given))["spec"]["containers"][0]

    assert "ports" not in worker
    assert "livenessProbe" not in worker
    assert "readinessProbe" in worker


def test_a_worker_on_its_nodes_network_takes_no_port_of_the_node() -> None:
    template = spec()
    template.template["spec"]["hostNetwork"] = True

    worker = build(template)["spec"]["containers"][0]

    assert "ports" not in worker
    assert "ZEROG_METRICS_PORT" not in {item["name"] for item in worker["env"]}
    assert "readinessProbe" in worker


def test_the_describe_pod_has_no_port() -> None:
    (worker,) = build_describe_pod(POOL, spec())["spec"]["containers"]

    assert "ports" not in worker
    assert "ZEROG_METRICS_PORT" not in {item["name"] for item in worker["env"]}


def test_the_users_labels_do_not_replace_ours() -> None:
    labels = {"team": "a", "zerog.dev/pool": "other"}

    pod = build(spec(metadata={"labels": labels}))

    assert pod["metadata"]["labels"]["team"] == "a"
    assert pod["metadata"]["labels"]["zerog.dev/pool"] == "media"


def test_a_worker_knows_the_hash_of_its_template_and_that_does_not_change_it() -> None:
    of = spec()
    before = of.template_hash

    pods = [build(of), build_describe_pod(POOL, of)]

    for pod in pods:
        assert environment(pod)["ZEROG_TEMPLATE_HASH"]["value"] == before
        assert pod["metadata"]["labels"]["zerog.dev/template"] == before
    assert spec().template_hash == before


def test_a_worker_knows_the_larger_queue_and_another_one_makes_other_pods() -> None:
    small = spec()
    larger = replace(small, on_out_of_memory=OutOfMemory("media-large"))

    assert environment(build(larger))["ZEROG_LARGER_QUEUE"]["value"] == "media-large"
    assert "ZEROG_LARGER_QUEUE" not in environment(build(small))
    assert larger.template_hash != small.template_hash


@pytest.mark.parametrize(
    ("given", "decides"),
    [({}, False), ({"team": "a"}, False), ({names.KARPENTER_MARK: "true"}, True)],
)
def test_a_template_that_has_such_annotations_itself_decides_on_them(
    given: dict[str, str], decides: bool
) -> None:
    annotations = build(spec(metadata={"annotations": given}))["metadata"]["annotations"]

    assert annotations == {**given, **({names.MARKED_BY: "template"} if decides else {})}


def test_the_pools_own_template_is_not_changed() -> None:
    of = spec()

    build(of)

    assert of.template == spec().template


def test_the_kubelet_waits_longer_than_the_worker() -> None:
    pod = build(spec())

    grace = float(environment(pod)["ZEROG_GRACE_SECONDS"]["value"])
    assert pod["spec"]["terminationGracePeriodSeconds"] == grace + STOP_MARGIN_SECONDS


def test_services_of_the_namespace_do_not_look_like_settings() -> None:
    assert build(spec())["spec"]["enableServiceLinks"] is False


def test_the_describe_pod_runs_once_and_only_the_worker_container() -> None:
    of = spec({"livenessProbe": {}, "args": ["worker"]})

    pod = build_describe_pod(POOL, of)

    assert pod["metadata"]["name"] == describe_pod_name("media", "uid-1", of.template_hash)
    assert pod["spec"]["restartPolicy"] == "Never"
    (worker,) = pod["spec"]["containers"]
    assert worker["command"][:2] == ["zerog", "describe"]
    assert "livenessProbe" not in worker
    assert "args" not in worker
