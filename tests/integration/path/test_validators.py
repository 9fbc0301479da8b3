"""What an author's validator refuses, an API that has the jobs' modules refuses at once."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from .conftest import DEADLINE_SECONDS, System, running_system, until

pytestmark = pytest.mark.timeout(600)

JOBS = Path(__file__).with_name("jobs_with_validators.py")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running_system(System(tmp_path_factory.mktemp("with")), ZEROG_JOBS=str(JOBS)) as made:
        made.start_worker("--queues", "default", jobs=JOBS)
        yield made


@pytest.fixture(scope="module")
def without(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """An API that does not have the modules."""
    with running_system(System(tmp_path_factory.mktemp("without"))) as made:
        made.start_worker("--queues", "default", jobs=JOBS)
        yield made


def post(system: System, path: str, body: Any, **headers: str) -> httpx.Response:
    url = f"http://127.0.0.1:{system.port}/v1/{path}"
    return httpx.post(url, json=body, headers=headers, timeout=DEADLINE_SECONDS)


def refusal(system: System, path: str, body: Any) -> list[tuple[str, str]]:
    """Post until it is refused: on a busy machine a check may not be answered in time."""

    def look() -> httpx.Response | None:
        answer = post(system, path, body)
        return answer if answer.status_code == 422 else None

    errors = until(look, what="it is refused").json()["errors"]
    return [(error["path"], error["message"]) for error in errors]


def test_an_author_s_validator_answers_with_the_author_s_words(served: System) -> None:
    assert refusal(served, "jobs/Span", {"start": 13, "end": 20}) == [("$.start", "13 is reserved")]
    assert refusal(served, "jobs/Span", {"start": 3, "end": 1}) == [
        ("$", "end 1 is before start 3")
    ]


def test_a_batch_names_the_job(served: System) -> None:
    jobs = [{"type": "Span", "parameters": {"start": start, "end": 5}} for start in (1, 6, 13)]

    assert refusal(served, "jobs:batch", {"jobs": jobs}) == [
        ("$.jobs[1].parameters", "end 5 is before start 6"),
        ("$.jobs[2].parameters.start", "13 is reserved"),
    ]


def test_what_the_class_accepts_runs(served: System) -> None:
    uuid = served.client.submit("Span", {"start": 1, "end": 3})

    assert served.client.result(uuid, DEADLINE_SECONDS) == 2


def test_without_the_modules_the_worker_refuses_with_the_same_words(without: System) -> None:
    uuid = without.client.submit("Span", {"start": 3, "end": 1})

    ended = without.client.wait(uuid, DEADLINE_SECONDS)

    assert (ended["state"], ended["resultCode"]) == ("failed", 422)
    assert ended["message"] == "the parameters do not fit: end 1 is before start 3"


def test_a_repeat_of_an_accepted_request_is_accepted_though_the_class_refuses_it_now(
    served: System, tmp_path: Path
) -> None:
    closed = tmp_path / "closed"
    body = {"start": 1, "end": 3, "closed": str(closed)}
    key = {"Idempotency-Key": f"span-{tmp_path}"}
    first = post(served, "jobs/Span", body, **key)

    closed.touch()

    assert refusal(served, "jobs/Span", body) == [("$", "it is closed")]
    assert post(served, "jobs/Span", body, **key).json() == first.json()


@pytest.mark.parametrize("name", ["Hangs", "Exits"])
async def test_a_validator_that_hangs_or_exits_stops_nobody_and_the_worker_decides(
    served: System, name: str
) -> None:
    url = f"http://127.0.0.1:{served.port}/v1/jobs"
    async with httpx.AsyncClient(timeout=DEADLINE_SECONDS) as client:
        hostile = asyncio.create_task(client.post(f"{url}/{name}", json={"v": 1}))

        refused = None
        while refused != 422:
            answer = await client.post(f"{url}/Span", json={"start": 3, "end": 1})
            refused = answer.status_code

        assert (await hostile).status_code == 201


def test_a_message_of_megabytes_is_cut(served: System) -> None:
    ((path, message),) = refusal(served, "jobs/Shouts", {"v": 1})

    assert path == "$.v"
    assert len(message) < 600
