"""When one schema takes whatever another one took."""

from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerog.model.schemas import plain, schema_hash, takes_all

TEXT, NUMBER = {"type": "string"}, {"type": "integer"}


def fields(*required: str, extra: bool | None = False, **properties: Any) -> dict[str, Any]:
    """Return the schema of a job class."""
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return schema if extra is None else {**schema, "additionalProperties": extra}


@pytest.mark.parametrize(
    ("newer", "older", "takes"),
    [
        (fields("a", a=TEXT), fields("a", a=TEXT), True),
        (fields("a", a=TEXT, b=NUMBER), fields("a", a=TEXT), True),
        (fields("a", "b", a=TEXT, b=NUMBER), fields("a", a=TEXT), False),
        (fields(a=TEXT), fields("a", a=TEXT), True),
        (fields("a", a=TEXT), fields(a=TEXT), False),
        (fields("a", a=NUMBER), fields("a", a=TEXT), False),
        (fields("a", a=TEXT), fields("a", a=TEXT, b=NUMBER), False),
        (fields(a={**TEXT, "default": "x"}), fields(a={**TEXT, "default": "y"}), False),
        (fields(a={**TEXT, "title": "A"}), fields(a=TEXT), True),
        (fields(a=TEXT, extra=None), fields(a=TEXT), False),
        (fields(a=TEXT, b=NUMBER, extra=None), fields(a=TEXT, extra=None), False),
        ({**fields(), "$defs": {"A": TEXT, "B": TEXT}}, {**fields(), "$defs": {"A": TEXT}}, True),
        ({**fields(), "$defs": {"A": NUMBER}}, {**fields(), "$defs": {"A": TEXT}}, False),
        ({}, {}, True),
    ],
)  # fmt: skip
def test_a_newer_schema_takes_all_only_if_that_is_certain(
    newer: dict[str, Any], older: dict[str, Any], takes: bool
) -> None:
    assert takes_all(newer, older) is takes


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(levels):
        schema = {"not": schema}
    return schema


@pytest.mark.parametrize(
    "odd",
    [
        {"properties": []},
        {"properties": None},
        {"$defs": 1},
        {"required": 1},
        {"required": "a"},
        {"required": [["a"]]},
        {"properties": {"a": nested(600)}},
        nested(600),
    ],
    ids=lambda odd: str(odd)[:20],
)
def test_what_cannot_be_compared_does_not_take_all(odd: dict[str, Any]) -> None:
    schema = {**fields(a=TEXT, extra=None), **odd}

    assert not takes_all({**schema, "$defs": {"A": TEXT}}, schema)
    assert not takes_all(schema, {**schema, "$defs": {"A": TEXT}})


names = st.sampled_from("abc")
kinds = st.sampled_from([TEXT, NUMBER, {"title": "x", **NUMBER}, {"enum": [1, "title"]}])
schemas = st.builds(
    lambda properties, required, extra: fields(*sorted(required), extra=extra, **properties),
    st.dictionaries(names, kinds),
    st.sets(names),
    st.sampled_from([False, None]),
)
parameters = st.dictionaries(names, st.sampled_from([1, "title", "x", None]))


@given(schemas, schemas, parameters)
def test_what_the_older_one_takes_the_newer_one_takes(
    newer: dict[str, Any], older: dict[str, Any], value: dict[str, Any]
) -> None:
    if takes_all(newer, older) and jsonschema_rs.is_valid(older, value):
        assert jsonschema_rs.is_valid(newer, value)


def test_a_field_or_value_of_the_name_of_a_keyword_counts() -> None:
    schema = fields(title=TEXT, description={"const": {"title": 1}})

    assert plain(schema) == schema
    assert schema_hash(fields(title=TEXT)) != schema_hash(fields(title=NUMBER))
