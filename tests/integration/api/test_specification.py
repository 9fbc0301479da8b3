"""The API keeps to its own specification: what it describes is what it takes and answers.

Requests are made from `/openapi.json`, valid ones and broken ones.
"""

import json
import os
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.integration.path.conftest import System, running_system

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "20"))
#: A stream without an end, of which no reader sees the whole.
ENDLESS = "GET /v1/overview/stream"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module", params=["sqlite", "couchbase"])
def system(
    tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[System]:
    """Beanstalkd, the API and a worker that registers types, on each store."""
    server = request.getfixturevalue("couchbase") if request.param == "couchbase" else None
    made = System(tmp_path_factory.mktemp("system"), server)
    # A busy machine is not what these tests are about: nothing shall be 503 for that.
    with running_system(made, ZEROG_DEADLINE_SECONDS="60"):
        made.start_worker("--slots", "1")
        yield made


@pytest.mark.timeout(300)
def test_every_call_keeps_to_its_description(system: System) -> None:
    schema = schemathesis.openapi.from_url(f"http://127.0.0.1:{system.port}/openapi.json")
    tried = []
    for found in schema.get_all_operations():
        operation = found.ok()  # type: ignore[union-attr]  # one that cannot be read fails the test here
        tried.append(operation.label)
        if operation.label == ENDLESS:
            continue

        @settings(
            max_examples=EXAMPLES, deadline=None, database=None,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=operation.as_strategy())
        def check(case: Any) -> None:
            case.call_and_validate(checks=CHECKS, timeout=60)

        check()

    assert len(tried) >= 20, tried


def test_the_call_that_never_ends_begins_with_an_event(system: System) -> None:
    method, path = ENDLESS.split()

    with httpx.stream(method, f"http://127.0.0.1:{system.port}{path}", timeout=60) as answer:
        first = next(line for line in answer.iter_lines() if line.startswith("data: "))

    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert isinstance(json.loads(first.removeprefix("data: ")), dict)
