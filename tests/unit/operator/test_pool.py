"""A pool's spec: every fault with its path, and the same fields as the CRD."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import TypeAdapter

from zerog.model.errors import ConfigError
from zerog_operator.pool import PoolSpec, Scaling

CRD = Path(__file__).parents[3] / "manifests/crds/zerogworkerpools.yaml"
WINDOW = {"cron": "0 8 * * 1-5", "durationSeconds": 3600, "minReplicas": 5}
WORKER = {"name": "worker", "image": "acme:1"}


def schema_of_crd() -> dict[str, Any]:
    version = yaml.safe_load(CRD.read_text())["spec"]["versions"][0]
    return dict(version["schema"]["openAPIV3Schema"]["properties"]["spec"])


def flat(schema: dict[str, Any], root: dict[str, Any], path: str = "spec") -> dict[str, Any]:
    """Return the fields below a schema by their paths. A template is one field: it is a pod's."""
    # An optional field without the null that only Python knows.
    schema = {**schema, **next(iter(schema.get("anyOf", ())), {})}
    if "$ref" in schema:
        schema = {**schema, **root["$defs"][schema["$ref"].rpartition("/")[2]]}
    items = schema.get("items", {})
    if "$ref" in items or "properties" in items:
        return {path: schema, **flat(items, root, f"{path}[]")}
    if "properties" not in schema or path == "spec.template":
        return {path: schema}
    return {
        name: field
        for key, below in schema["properties"].items()
        for name, field in flat(below, root, f"{path}.{key}").items()
    }


def test_the_crd_and_the_model_have_the_same_fields_types_bounds_and_defaults() -> None:
    crd, root = schema_of_crd(), TypeAdapter(PoolSpec).json_schema()
    described, modelled = flat(crd, crd), flat(root, root)

    assert described.keys() == modelled.keys()
    for path, field in described.items():
        model = modelled[path]
        # The model has no whole seconds: the simulator takes parts of one.
        whole = field["type"] == "integer" and path.endswith("Seconds")
        assert model["type"] == ("number" if whole else field["type"]), path
        assert model.get("enum") == field.get("enum"), path
        assert model.get("maximum") == field.get("maximum"), path
        assert model.get("minimum", 0) <= field.get("minimum", 0), path
        assert whole or model.get("minimum") == field.get("minimum"), path
        if "default" in field:
            assert model["default"] == field["default"], path
        if path.startswith("spec.windows"):
            for bound in ("minLength", "maxLength", "maxItems"):
                assert model.get(bound) == field.get(bound), path


@pytest.mark.parametrize(
    ("spec", "faults"),
    [
        ({"slots": True}, ["spec.slots is not a whole number"]),
        ({"scaling": 5}, ["spec.scaling is not an object"]),
        ({"scaling": {"minIdle": -1}}, ["spec.scaling.minIdle should be greater than or equal to"]),
        ({"scaling": {"targetStartSeconds": 1, "jobsPerWorker": 1}}, ["spec.scaling has both"]),
        ({"stopPolicy": "Sometimes"}, ["spec.stopPolicy should be 'None', 'Hold' or 'Drain'"]),
        ({"minReplicas": 5, "maxReplicas": 4}, ["spec.maxReplicas is too low: minReplicas (5)"]),
        ({"queue": "Not A Queue", "slots": 0}, ["spec.queue 'Not A Queue' cannot", "spec.slots"]),
        ({"onOutOfMemory": {}}, ["spec.onOutOfMemory.queue is required"]),
        ({"onOutOfMemory": {"queue": "A B"}}, ["spec.onOutOfMemory.queue 'A B' cannot"]),
        ({"onOutOfMemory": {"queue": "media"}}, ["spec.onOutOfMemory names the pool's own queue"]),
        ({"template": {}}, ["spec.template.spec is required"]),
        ({"template": []}, ["spec.template is not an object"]),
        (
            {"windows": [WINDOW, {**WINDOW, "cron": "0 8 * * MON-FRY"}]},
            ["spec.windows[1].cron '0 8 * * MON-FRY' is not a cron expression: Bad day-of-week"],
        ),
        (
            {"windows": [{**WINDOW, "cron": "0 0 8 * * *"}]},
            ["spec.windows[0].cron '0 0 8 * * *' has not 5 fields"],
        ),
        (
            {"windows": [{**WINDOW, "cron": "0 0 31 2,4 *"}]},
            ["spec.windows[0].cron '0 0 31 2,4 *' is not"],
        ),
        (
            {"windows": [{**WINDOW, "timeZone": "Europe/Berlln"}]},
            ["spec.windows[0].timeZone 'Europe/Berlln' is not a time zone"],
        ),
        ({"windows": [{**WINDOW, "timeZone": "../x"}]}, ["spec.windows[0].timeZone '../x' is not"]),
        ({"windows": [{"cron": "0 8 * * *", "durationSeconds": 60}]}, ["spec.windows[0] has nei"]),
        ({"windows": [{**WINDOW, "maxReplicas": 4}]}, ["spec.windows[0] has more minReplicas (5)"]),
        ({"windows": [{"minReplicas": 5}]}, ["[0].cron is required", "[0].durationSeconds is req"]),
        ({"windows": [WINDOW] * 17}, ["spec.windows Tuple should have at most 16 items"]),
        (
            {"template": {"spec": {"containers": [{**WORKER, "env": ["A", {"value": "1"}]}]}}},
            ["containers[0].env[0] is not an object", "containers[0].env[1].name is required"],
        ),
        (
            {"template": {"spec": {"containers": [WORKER], "volumes": {"name": "x"}}}},
            ["spec.template.spec.volumes is not a list"],
        ),
    ],
)
def test_every_fault_is_reported_with_its_path(spec: dict[str, Any], faults: list[str]) -> None:
    with pytest.raises(ConfigError) as refused:
        PoolSpec.parse("media", spec)

    message = str(refused.value)
    assert message.startswith("pool media: ")
    for fault in faults:
        assert fault in message


def test_what_is_null_is_left_out() -> None:
    nothing = {"template": {"metadata": None, "spec": {"containers": [{**WORKER, "env": None}]}}}

    spec = PoolSpec.parse("media", {"slots": None, "scaling": None, **nothing})

    assert (spec.queue, spec.slots, spec.scaling) == ("media", 1, Scaling())


def test_the_default_target_gives_way_to_jobs_per_worker() -> None:
    spec = PoolSpec.parse("media", {"scaling": {"jobsPerWorker": 3}})

    assert (spec.scaling.jobs_per_worker, spec.scaling.target_start_seconds) == (3, None)
