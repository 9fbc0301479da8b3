"""What the API server makes of pools, good and bad ones: on whatever cluster there is."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from zerog_tools.cluster.interface import Cluster, KubectlError
from zerog_tools.cluster.process import wait_until

from .conftest import CRD, DEADLINE_SECONDS, apply_crd, build_pool

BY_DEPTH = {"jobsPerWorker": 1}
OFFICE = {"cron": "0 8 * * 1-5", "timeZone": "Europe/Berlin", "durationSeconds": 36000}
BY_TARGET = {"targetStartSeconds": 10}


def template(*containers: dict[str, Any]) -> dict[str, Any]:
    return {"spec": {"containers": list(containers)}}


WORKER = {"name": "worker", "image": "acme:1"}

GOOD: list[dict[str, Any]] = [
    {},
    {"scaling": BY_TARGET},
    {"queue": "other", "slots": 8, "stopPolicy": "Hold", "minReplicas": 3, "maxReplicas": 3},
    {"scaling": {**BY_TARGET, "minIdle": 2, "expectedJobSeconds": 5, "scaleDownDelaySeconds": 0}},
    {"queue": "other", "onOutOfMemory": {"queue": "larger"}},
    {"windows": [{**OFFICE, "minReplicas": 5}, {**OFFICE, "maxReplicas": 0, "timeZone": "UTC"}]},
    {"template": template(WORKER, {"name": "sidecar", "image": "x"})},
]
BAD: list[tuple[dict[str, Any], str]] = [
    ({"scaling": {}}, "exactly one of spec.scaling.targetStartSeconds"),
    ({"scaling": {**BY_DEPTH, **BY_TARGET}}, "exactly one of spec.scaling.targetStartSeconds"),
    ({"scaling": {"jobsPerWorker": 0}}, "spec.scaling.jobsPerWorker"),
    ({"scaling": {"targetStartSeconds": 1.5}}, "spec.scaling.targetStartSeconds"),
    ({"minReplicas": 5, "maxReplicas": 4}, "spec.minReplicas must not be more"),
    ({"maxReplicas": 1, "scaling": {**BY_DEPTH, "minIdle": 2}}, "spec.scaling.minIdle must not"),
    ({"scaling": {**BY_DEPTH, "nodeWaitSeconds": 0}}, "spec.scaling.nodeWaitSeconds"),
    ({"minReplicas": -1}, "spec.minReplicas"),
    ({"slots": 0}, "spec.slots"),
    ({"queue": "Not A Queue"}, "spec.queue"),
    ({"windows": [OFFICE]}, "set minReplicas or maxReplicas of the window"),
    ({"windows": [{**OFFICE, "minReplicas": 5, "maxReplicas": 4}]}, "spec.windows[0].minReplicas"),
    ({"windows": [{**OFFICE, "maxReplicas": 4, "durationSeconds": 1}]}, "[0].durationSeconds"),
    ({"windows": [{"minReplicas": 1, "durationSeconds": 60}]}, "spec.windows[0].cron"),
    ({"windows": [{**OFFICE, "maxReplicas": 4}] * 17}, "spec.windows"),
    ({"stopPolicy": "Sometimes"}, "spec.stopPolicy"),
    ({"drainTimeoutSeconds": 0}, "spec.drainTimeoutSeconds"),
    ({"onOutOfMemory": {"queue": "bad"}}, "spec.onOutOfMemory.queue must not be the pool's own"),
    (
        {"queue": "other", "onOutOfMemory": {"queue": "other"}},
        "spec.onOutOfMemory.queue must not be the pool's own",
    ),
    ({"onOutOfMemory": {}}, "spec.onOutOfMemory.queue"),
    ({"template": template({"name": "main", "image": "x"})}, "one container named worker"),
    ({"template": template({"name": "worker"})}, "one container named worker"),
    ({"template": template()}, "spec.template.spec.containers"),
    ({"template": {}}, "spec.template.spec"),
    ({"unknownField": 1}, "unknownField"),
]


class Pools:
    """The pools of a namespace."""

    def __init__(self, cluster: Cluster, namespace: str) -> None:
        self.cluster, self._namespace = cluster, namespace

    def kubectl(self, *arguments: str, stdin: str | None = None) -> str:
        """Run kubectl in the namespace."""
        return self.cluster.kubectl(*arguments, "-n", self._namespace, stdin=stdin)

    def apply(self, pool: dict[str, Any]) -> None:
        """Apply a pool; nothing in it may be unknown."""
        self.kubectl("apply", "--validate=strict", "-f", "-", stdin=yaml.safe_dump(pool))

    def spec(self) -> dict[str, Any]:
        """Return the spec of the pool, as it is kept."""
        return dict(json.loads(self.kubectl("get", "zwp", "media", "-o", "json"))["spec"])


@pytest.fixture
def pools(cluster: Cluster, namespace: str) -> Pools:
    """A namespace in a cluster that knows pools."""
    apply_crd(cluster)
    return Pools(cluster, namespace)


def test_good_pools_are_accepted_and_bad_ones_refused_with_the_fields_name(pools: Pools) -> None:
    for number, spec in enumerate(GOOD):
        pools.apply(build_pool(f"good-{number}", **spec))
    for spec, complaint in BAD:
        with pytest.raises(KubectlError) as refused:
            pools.apply(build_pool("bad", **spec))
        assert complaint in str(refused.value), spec


def test_a_name_that_could_be_no_label_is_refused(pools: Pools) -> None:
    pools.apply(build_pool("a" * 63))

    with pytest.raises(KubectlError, match=r"metadata\.name must not be longer than 63"):
        pools.apply(build_pool("a" * 64))


def test_what_is_left_out_is_filled_in(pools: Pools) -> None:
    pools.apply(build_pool())

    spec = pools.spec()

    assert spec["minReplicas"] == 0
    assert spec["maxReplicas"] == 10
    assert spec["slots"] == 1
    assert spec["stopPolicy"] == "None"
    assert spec["drainTimeoutSeconds"] == 3600
    assert spec["scaling"]["expectedJobSeconds"] == 30
    assert spec["scaling"]["nodeWaitSeconds"] == 600


def test_the_queue_cannot_be_changed(pools: Pools) -> None:
    pools.apply(build_pool())

    with pytest.raises(KubectlError, match="immutable"):
        pools.apply(build_pool(queue="other"))


def test_kubectl_scale_is_refused_and_changes_nothing(pools: Pools) -> None:
    pools.apply(build_pool(minReplicas=1))

    with pytest.raises(KubectlError, match="NotFound"):
        pools.kubectl("scale", "zwp/media", "--replicas=0")

    assert pools.spec()["minReplicas"] == 1


def test_kubectl_explains_every_field(pools: Pools) -> None:
    (version,) = yaml.safe_load(CRD.read_text())["spec"]["versions"]
    schema = version["schema"]["openAPIV3Schema"]["properties"]
    # A new kind is served a moment before the server describes it.
    wait_until(lambda: is_known(pools), DEADLINE_SECONDS, "kubectl knows pools")

    for part in ("spec", "status"):
        outline = pools.kubectl("explain", f"zerogworkerpool.{part}", "--recursive")
        for path, names in objects(schema[part], ()):
            said = pools.kubectl("explain", ".".join(("zerogworkerpool", part, *path)))
            assert "<empty>" not in said, path
            assert "<no description>" not in said, path
            for name in names:
                assert f"{name}\t<" in outline, (path, name)
                assert f"  {name}\t<" in said, (path, name)


def is_known(pools: Pools) -> bool:
    """Whether the API server describes pools already."""
    try:
        return bool(pools.kubectl("explain", "zerogworkerpool"))
    except KubectlError:
        return False


def objects(
    schema: dict[str, Any], path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], list[str]]]:
    """Yield the paths of a schema's objects, with their fields: what explains one explains them."""
    fields = (schema.get("items") or schema).get("properties", {})
    if fields:
        yield path, [*fields]
    for name, field in fields.items():
        yield from objects(field, (*path, name))
