"""What a worker asks of Couchbase: its user may be allowed no more (docs/howto/couchbase.md).

The worker signs in as a user of its own, and the tests' server counts by user. It does not refuse:
what a real server makes of roles is not seen here.
"""

from pathlib import Path
from typing import Any

import pytest
from tests.couchbase.process import CouchbaseServer

from .conftest import DEADLINE_SECONDS, JOBS, System, running_system

pytestmark = pytest.mark.timeout(400)
#: The collections of the table in the how-to.
COLLECTIONS = {
    "jobs", "progress", "events", "blobs", "types", "workers", "stats", "tallies", "waiters",
    "controls",
}  # fmt: skip
#: Longer than what is kept in the record.
LONG = "x" * 10_000


def work(system: System) -> None:
    """Let jobs do all that leaves something in the store."""
    client = system.client
    held, path = system.submit_held()
    client.cancel(held)
    path.touch()
    given: dict[str, dict[str, Any]] = {
        "Echo": {"value": LONG}, "Steps": {"steps": 3}, "Failing": {}, "Recovering": {},
    }  # fmt: skip
    for uuid in [held, *(client.submit(name, parameters) for name, parameters in given.items())]:
        client.wait(uuid, DEADLINE_SECONDS)


@pytest.mark.parametrize("listing", ["query", "kv"])
def test_a_worker_works_with_documents_of_its_collections_and_asks_for_nothing_else(
    tmp_path: Path, listing: str
) -> None:
    with CouchbaseServer(tmp_path / "couchbase", "--second-user", "worker") as server:
        made = System(tmp_path, server)
        made.store_env["ZEROG_COUCHBASE_LISTING"] = listing
        with running_system(made) as system:
            of_worker = system.store.replace(f"{server.user}@", "worker@")
            worker = system.start_worker(ZEROG_STORE=of_worker)
            described = system.start("describe", "--register", str(JOBS), ZEROG_STORE=of_worker)
            work(system)
            assert described.wait(DEADLINE_SECONDS) == 0
            assert system.stop(worker) == 0
            counters = server.counters()

    used = {name.removeprefix("worker ") for name in counters if name.startswith("worker ")}
    # Without a query service, types and workers are listed by a tree of documents.
    assert used == COLLECTIONS | ({"directory"} if listing == "kv" else set())
