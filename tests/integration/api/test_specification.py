"""The API keeps to its own specification: what it describes is what it takes and answers.

Requests are made from `/openapi.json`, valid ones and broken ones. `make fuzz` makes more of them.
"""

import json
from collections.abc import Iterator

import httpx
import pytest
from tests.chaos.specification import ENDLESS, check_calls
from tests.integration.path.conftest import System, running_system

SEED, EXAMPLES = 1, 10


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
    tried = check_calls(f"http://127.0.0.1:{system.port}", SEED, EXAMPLES)

    assert len(tried) >= 20, tried


def test_the_call_that_never_ends_begins_with_an_event(system: System) -> None:
    method, path = ENDLESS.split()

    with httpx.stream(method, f"http://127.0.0.1:{system.port}{path}", timeout=60) as answer:
        first = next(line for line in answer.iter_lines() if line.startswith("data: "))

    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    assert isinstance(json.loads(first.removeprefix("data: ")), dict)
