"""Jobs run on a Couchbase without a query service: listings, counts and repair by keys alone."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.couchbase.process import CouchbaseServer

from .conftest import DEADLINE_SECONDS, System, running_system, until


@pytest.fixture
def system(tmp_path: Path, couchbase: CouchbaseServer) -> Iterator[System]:
    """A system whose processes never ask the query service."""
    made = System(tmp_path, couchbase)
    made.store_env["ZEROG_COUCHBASE_LISTING"] = "kv"
    with running_system(made):
        yield made


def test_jobs_run_are_listed_and_put_back_when_the_queue_loses_them(
    system: System, couchbase: CouchbaseServer
) -> None:
    couchbase.reset_counters()
    worker = system.start_worker()
    assert system.client.result(system.client.submit("Echo", {"value": 1}), DEADLINE_SECONDS) == 1
    system.stop(worker)
    uuids = [system.client.submit("Echo", {"value": n}) for n in range(10)]
    assert [job["uuid"] for job in system.client.list(states=["queued"])] == uuids[::-1]

    system.beanstalkd.kill()
    for file in (system.folder / "binlog").iterdir():
        file.unlink()
    system.beanstalkd.start()
    system.start_worker()

    assert [system.client.result(uuid, DEADLINE_SECONDS) for uuid in uuids] == list(range(10))
    until(lambda: not list(system.client.list(states=["queued", "running"])))
    assert len(list(system.client.list(states=["succeeded"]))) == 11
    assert couchbase.counters().get("QUERY", 0) == 0
