"""What each listing reads of Couchbase, with few jobs retained and with a hundred times as many.

`python -m benchmarks.listings` prints a table: statements, and entries of indexes that the query
service scans for a page, counted by the tests' imitation, which chooses an index and scans it by
the rules of a real server. Nothing is timed.
"""

import argparse
import asyncio
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.couchbase.process import CouchbaseServer
from tests.couchbase.scopes import new_scope

from zerog.settings import CouchbaseSettings
from zerog.store import open_datastore
from zerog.store.port import Datastore, JobFilter

LIMIT = 100
DEADLINE_SECONDS = 60.0
#: Written at the same time.
CONCURRENCY = 128
#: Of so many jobs one is still running.
RARE = 200
FILTERS = {
    "all": JobFilter(),
    "running": JobFilter(states=["running"]),
    "a queue": JobFilter(queues=["q1"]),
    "50 queues": JobFilter(queues=[f"q{number}" for number in range(50)]),
    "a type": JobFilter(types=["t1"]),
    "running of a type": JobFilter(states=["running"], types=["t1"]),
    "running of two queues": JobFilter(states=["running"], queues=["q1", "q2"]),
    "failed of a queue and type": JobFilter(states=["failed"], types=["t1"], queues=["q1"]),
}


async def fill(store: Datastore, first: int, end: int) -> None:
    """Write finished jobs of 50 queues and 5 types, of which few run."""
    for start in range(first, end, CONCURRENCY):
        numbers = range(start, min(start + CONCURRENCY, end))
        await asyncio.gather(*[store.insert("jobs", f"{n:08}", _job(n)) for n in numbers])


def _job(number: int) -> dict[str, object]:
    state = "running" if number % RARE == 0 else "succeeded"
    return {"state": state, "type": f"t{number % 5}", "queue": f"q{number % 50}"}


async def count(server: CouchbaseServer, store: Datastore, chosen: JobFilter) -> str:
    """Return what a page costs: rows, statements, entries and documents read by the service."""
    server.reset_counters()
    page = await store.list_jobs(chosen, limit=LIMIT)
    counters = server.counters()
    scanned, fetched = counters.get("SCANNED", 0), counters.get("FETCHED", 0)
    return f"{len(page.jobs)} | {counters['QUERY']} | {scanned} | {fetched}"


async def measure(server: CouchbaseServer, sizes: Sequence[int]) -> None:
    """Print a table for each number of retained jobs."""
    settings = CouchbaseSettings(couchbase_password=server.password)
    url = server.url(new_scope(server))
    store = await open_datastore(url, settings, deadline_seconds=DEADLINE_SECONDS)
    await store.list_jobs(JobFilter())  # the indexes are looked at once
    before = 0
    for size in sizes:
        await fill(store, before, size)
        before = size
        print(f"\n{size:,} jobs\n\n| list | jobs | statements | entries | documents fetched |")
        print("|---|---|---|---|---|")
        for name, chosen in FILTERS.items():
            print(f"| {name} | {await count(server, store, chosen)} |")
    await store.close()


def main() -> None:
    """Count and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, nargs="+", default=[200, 20_000])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, CouchbaseServer(Path(name)) as server:
        asyncio.run(measure(server, options.jobs))


if __name__ == "__main__":
    main()
