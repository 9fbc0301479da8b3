"""Couchbase goes wrong while jobs run: no job is lost, no line doubled, no attempt fenced
or charged."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from tests.couchbase.process import CouchbaseServer

from .conftest import DEADLINE_SECONDS, System, running_system, until

#: Away until a reservation is prolonged, before and after it what a slow machine takes.
pytestmark = pytest.mark.timeout(400)
JOBS = 30
#: The number of the first job's entry in a new queue.
FIRST_ENTRY = 1


@pytest.fixture
def couchbase_of_its_own(tmp_path: Path) -> Iterator[CouchbaseServer]:
    """A Couchbase that a test may freeze, cut and kill."""
    with CouchbaseServer(tmp_path / "couchbase") as server:
        yield server
        server.thaw()


@pytest.fixture
def system(tmp_path: Path, couchbase_of_its_own: CouchbaseServer) -> Iterator[System]:
    """Beanstalkd, API and a worker on that Couchbase."""
    with running_system(System(tmp_path, couchbase_of_its_own)) as made:
        made.start_worker("--slots", "2")
        yield made


def submit_jobs(system: System, path: Path) -> list[str]:
    """Submit jobs that report and leave a line where they ran."""
    return [
        system.client.submit("Steps", {"steps": 4, "seconds": 0.05, "path": str(path)})
        for _ in range(JOBS)
    ]


def assert_each_ran_once(system: System, uuids: list[str], path: Path) -> None:
    """Each job has ended well, in one attempt, with each of its lines once."""
    for uuid in uuids:
        assert system.client.result(uuid, DEADLINE_SECONDS) == 4
        info = system.client.info(uuid)
        assert system.causes(uuid) == ["succeeded"]
        assert [event["message"] for event in info["events"]] == [f"step {n}" for n in range(4)]
    assert sorted(path.read_text().splitlines()) == sorted(f"{uuid} 1" for uuid in uuids)


@pytest.mark.parametrize("applied", [True, False], ids=["after the write", "before the write"])
def test_jobs_go_on_while_answers_are_lost(
    system: System, couchbase_of_its_own: CouchbaseServer, tmp_path: Path, applied: bool
) -> None:
    for opcode in ("INSERT", "REPLACE", "MUTATE_IN", "UPSERT"):
        for number in range(5):
            couchbase_of_its_own.add_fault(
                "close", applied=applied, opcode=opcode, skip=7 * number, count=1
            )

    uuids = submit_jobs(system, tmp_path / "runs")

    assert_each_ran_once(system, uuids, tmp_path / "runs")
    assert couchbase_of_its_own.count_faults() >= 15


def test_jobs_go_on_while_all_connections_are_cut_again_and_again(
    system: System, couchbase_of_its_own: CouchbaseServer, tmp_path: Path
) -> None:
    uuids = submit_jobs(system, tmp_path / "runs")
    cut = 0
    for _ in range(5):
        cut += couchbase_of_its_own.cut_connections()
        time.sleep(0.3)

    assert cut >= 5
    assert_each_ran_once(system, uuids, tmp_path / "runs")


def test_a_frozen_couchbase_is_answered_with_503_and_loses_nothing(
    system: System, couchbase_of_its_own: CouchbaseServer
) -> None:
    assert_nothing_is_lost(system, away=couchbase_of_its_own.freeze, back=couchbase_of_its_own.thaw)


def test_a_couchbase_that_dies_and_comes_back_loses_nothing(
    system: System, couchbase_of_its_own: CouchbaseServer
) -> None:
    assert_nothing_is_lost(
        system, away=couchbase_of_its_own.kill, back=couchbase_of_its_own.start, seconds=60
    )


def assert_nothing_is_lost(
    system: System, *, away: Callable[[], None], back: Callable[[], None], seconds: float = 0
) -> None:
    """Take Couchbase away while a job runs and others wait, and bring it back.

    It is away until a reservation has to be prolonged, longer than the deadline of any write,
    and at least so many seconds.
    """
    running, hold = system.submit_held()
    queued = [system.client.submit("Echo", {"value": n}, delay=1) for n in range(5)]
    away()
    until_back = time.monotonic() + seconds

    url = f"http://127.0.0.1:{system.port}/v1/jobs/Echo"
    refusal = httpx.post(url, json={"value": 0}, timeout=DEADLINE_SECONDS)
    assert refusal.status_code == 503
    assert int(refusal.headers["Retry-After"]) > 0
    assert refusal.json()["code"] == "datastore-unavailable"
    hold.touch()
    system.wait_for_touch(FIRST_ENTRY)
    time.sleep(max(0.0, until_back - time.monotonic()))
    back()

    assert [system.client.result(uuid, DEADLINE_SECONDS) for uuid in queued] == list(range(5))
    assert system.client.result(running, DEADLINE_SECONDS) == 10
    assert system.causes(running) == ["succeeded"]
    until(lambda: system.is_ready(), what="the API is ready again")
