"""What the API server makes of pools, good and bad ones."""

from typing import Any

import pytest
import yaml
from tests.cluster.interface import KubectlError

from .conftest import Stage, build_pool

BY_DEPTH = {"jobsPerWorker": 1}
BY_TARGET = {"targetStartSeconds": 10}


def template(*containers: dict[str, Any]) -> dict[str, Any]:
    return {"spec": {"containers": list(containers)}}


WORKER = {"name": "worker", "image": "acme:1"}

GOOD: list[dict[str, Any]] = [
    {},
    {"scaling": BY_TARGET},
    {"queue": "other", "slots": 8, "stopPolicy": "Hold", "minReplicas": 3, "maxReplicas": 3},
    {"scaling": {**BY_TARGET, "minIdle": 2, "expectedJobSeconds": 5, "scaleDownDelaySeconds": 0}},
    {"template": template(WORKER, {"name": "sidecar", "image": "x"})},
]
BAD: list[tuple[dict[str, Any], str]] = [
    ({"scaling": {}}, "exactly one of spec.scaling.targetStartSeconds"),
    ({"scaling": {**BY_DEPTH, **BY_TARGET}}, "exactly one of spec.scaling.targetStartSeconds"),
    ({"scaling": {"jobsPerWorker": 0}}, "spec.scaling.jobsPerWorker"),
    ({"scaling": {"targetStartSeconds": 1.5}}, "spec.scaling.targetStartSeconds"),
    ({"minReplicas": 5, "maxReplicas": 4}, "spec.minReplicas must not be more"),
    ({"maxReplicas": 1, "scaling": {**BY_DEPTH, "minIdle": 2}}, "spec.scaling.minIdle must not"),
    ({"minReplicas": -1}, "spec.minReplicas"),
    ({"slots": 0}, "spec.slots"),
    ({"queue": "Not A Queue"}, "spec.queue"),
    ({"stopPolicy": "Sometimes"}, "spec.stopPolicy"),
    ({"drainTimeoutSeconds": 0}, "spec.drainTimeoutSeconds"),
    ({"template": template({"name": "main", "image": "x"})}, "one container named worker"),
    ({"template": template({"name": "worker"})}, "one container named worker"),
    ({"template": template()}, "spec.template.spec.containers"),
    ({"template": {}}, "spec.template.spec"),
    ({"unknownField": 1}, "unknownField"),
]


def apply(stage: Stage, pool: dict[str, Any]) -> str:
    text = yaml.safe_dump(pool)
    return stage.cluster.kubectl(
        "apply", "--validate=strict", "-n", stage.namespace, "-f", "-", stdin=text
    )


def test_good_pools_are_accepted_and_bad_ones_refused_with_the_fields_name(stage: Stage) -> None:
    for number, spec in enumerate(GOOD):
        apply(stage, build_pool(f"good-{number}", **spec))
    for spec, complaint in BAD:
        with pytest.raises(KubectlError) as refused:
            apply(stage, build_pool("bad", **spec))
        assert complaint in str(refused.value), spec


def test_a_name_that_could_be_no_label_is_refused(stage: Stage) -> None:
    apply(stage, build_pool("a" * 63))

    with pytest.raises(KubectlError, match=r"metadata\.name must not be longer than 63"):
        apply(stage, build_pool("a" * 64))


def test_what_is_left_out_is_filled_in(stage: Stage) -> None:
    stage.apply(build_pool())

    spec = stage.pool()["spec"]

    assert spec["minReplicas"] == 0
    assert spec["maxReplicas"] == 10
    assert spec["slots"] == 1
    assert spec["stopPolicy"] == "None"
    assert spec["drainTimeoutSeconds"] == 3600
    assert spec["scaling"]["expectedJobSeconds"] == 30


def test_the_queue_cannot_be_changed(stage: Stage) -> None:
    apply(stage, build_pool())

    with pytest.raises(KubectlError, match="immutable"):
        apply(stage, build_pool(queue="other"))


def test_kubectl_scale_raises_the_floor(stage: Stage) -> None:
    apply(stage, build_pool())

    stage.cluster.kubectl("scale", "zwp/media", "--replicas=2", "-n", stage.namespace)

    assert stage.pool()["spec"]["minReplicas"] == 2
