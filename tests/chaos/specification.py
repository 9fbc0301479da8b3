"""Requests that are made from the API's specification, valid ones and broken ones."""

from typing import Any

import hypothesis
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

#: A stream without an end, of which no reader sees the whole.
ENDLESS = "GET /v1/overview/stream"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


def check_calls(url: str, seed: int, examples: int) -> list[str]:
    """Make each call of an API this often, and return which there are.

    Raises for the first one whose answer is not what the specification says.
    """
    schema = schemathesis.openapi.from_url(f"{url}/openapi.json")
    labels = []
    for found in schema.get_all_operations():
        operation = found.ok()  # type: ignore[union-attr]  # one that cannot be read fails here
        labels.append(operation.label)
        if operation.label != ENDLESS:
            _check_call(operation, seed, examples)
    return labels


def _check_call(operation: Any, seed: int, examples: int) -> None:
    @hypothesis.seed(seed)
    @settings(
        max_examples=examples, deadline=None, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=operation.as_strategy())
    def check(case: Any) -> None:
        case.call_and_validate(checks=CHECKS, timeout=60)

    check()
