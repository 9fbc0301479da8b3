"""The CRD says of each field what it means. `test_pool.py` compares it with the code's model."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from zerog_operator.model import LimitedBy
from zerog_operator.pool import StopPolicy

ROOT = Path(__file__).parents[3]
(_VERSION,) = yaml.safe_load((ROOT / "manifests/crds/zerogworkerpools.yaml").read_text())["spec"][
    "versions"
]
SCHEMA: dict[str, Any] = _VERSION["schema"]["openAPIV3Schema"]
#: What a number counts: a word of these is in its name or in its description.
UNITS = re.compile(
    r"seconds\b|mebibytes\b|per minute\b|\b(workers?|worker pods|jobs?|entries|generation)\b",
    re.IGNORECASE,
)
_DEFAULT = re.compile(r"Defaults to (\S+)\.$")

Field = tuple[str, dict[str, Any]]


def fields(schema: dict[str, Any], path: str = "") -> Iterator[Field]:
    """Yield all fields of a schema with their paths; those of all objects are not ours."""
    for name, field in schema.get("properties", {}).items():
        if f"{path}.{name}" != ".metadata":
            yield f"{path}.{name}", field
            yield from fields(field, f"{path}.{name}")
    if "items" in schema:
        yield f"{path}[]", schema["items"]
        yield from fields(schema["items"], f"{path}[]")


FIELDS = dict(fields(SCHEMA))
NUMBERS = [path for path, field in FIELDS.items() if field["type"] == "integer"]
DEFAULTS = {path: field["default"] for path, field in FIELDS.items() if "default" in field}


@pytest.mark.parametrize("path", list(FIELDS))
def test_a_field_is_described_and_begins_with_its_name(path: str) -> None:
    said = FIELDS[path].get("description", "")

    assert said.endswith(".")
    assert path.endswith("[]") or said.startswith(path.rpartition(".")[2] + " ")


@pytest.mark.parametrize("path", NUMBERS)
def test_a_number_has_a_unit_a_format_and_a_bound(path: str) -> None:
    field = FIELDS[path]

    assert UNITS.search(path.rpartition(".")[2]) or UNITS.search(field["description"])
    assert field["format"] in ("int32", "int64")
    assert field["minimum"] >= 0
    assert path.startswith(".status") or field["maximum"] > 0


def test_a_text_is_bounded_or_one_of_few_or_a_time() -> None:
    for path, field in FIELDS.items():
        if field["type"] == "string" and path.count(".") > 1:
            assert "maxLength" in field or "enum" in field or field["format"] == "date-time", path
        if path.endswith("Time"):
            assert field["format"] == "date-time", path
        if field["type"] == "array":
            assert field["maxItems"], path


@pytest.mark.parametrize("path", list(FIELDS))
def test_a_description_repeats_the_default_as_it_is(path: str) -> None:
    said = _DEFAULT.search(FIELDS[path].get("description", ""))

    assert bool(said) == (path in DEFAULTS)
    if said:
        assert yaml.safe_load(said[1]) == yaml.safe_load(f"{DEFAULTS[path]}")


def test_choices_are_those_of_the_code() -> None:
    assert FIELDS[".spec.stopPolicy"]["enum"] == list(StopPolicy)
    assert set(FIELDS[".status.lastDecision.limitedBy"]["enum"]) == set(LimitedBy)


def test_a_rule_across_fields_says_what_to_do() -> None:
    found = [rule for field in (SCHEMA, *FIELDS.values())
             for rule in field.get("x-kubernetes-validations", ())]  # fmt: skip

    assert len(found) >= 6
    for rule in found:
        assert ": " in rule["message"] or rule["message"].startswith("set "), rule


def test_a_column_says_what_it_shows_and_shows_a_field() -> None:
    for column in _VERSION["additionalPrinterColumns"]:
        assert column["description"].endswith("."), column
        path = column["jsonPath"].partition("[")[0]
        assert path in FIELDS or path == ".metadata.creationTimestamp", column


def test_no_scale_subresource_writes_a_bound() -> None:
    assert set(_VERSION["subresources"]) == {"status"}
