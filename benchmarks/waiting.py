"""What clients that wait ask of Couchbase, and when they learn of a job's end.

`python -m benchmarks.waiting` prints a table. Couchbase is the tests' imitation: its speed says
nothing of a real server, but what is asked of it is counted exactly. The times are of this process,
which is all the clients, the API and the worker at once.
"""

import argparse
import asyncio
import contextlib
import os
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from pathlib import Path

from tests.beanstalkd import Beanstalkd
from tests.couchbase.process import CouchbaseServer
from tests.couchbase.scopes import new_scope
from tests.store.opening import open_datastore

from zerog.ledger.jobs import Jobs
from zerog.ledger.stats import Stats
from zerog.model import events
from zerog.model.documents import TypeDocument
from zerog.model.life import accept
from zerog.model.record import JobId, WorkerIdentity, new_job_id
from zerog.queue import connect_producer, connect_queue
from zerog_api.core.views import progress
from zerog_api.core.watch import Watch

#: What the documents that were there before ask for is not counted.
SETTLE_SECONDS, IDLE_SECONDS = 15.0, 60.0
#: Between two ends: those who wait for other jobs are left in peace.
PAUSE_SECONDS = 0.1
DEADLINE_SECONDS = 30.0
WAIT_PAUSE_SECONDS = 0.02


class Clients:
    """Clients that each wait for a job of their own, as `?wait=` does. All jobs run."""

    def __init__(self, watch: Watch, jobs: Jobs) -> None:
        self._watch = watch
        self._jobs = jobs
        self.seen: dict[str, float] = {}

    async def wait(self, uuid: str) -> None:
        """Wait for a job's end."""
        async for _ in self._watch.looks(uuid, pause_seconds=WAIT_PAUSE_SECONDS):
            record = (await self._jobs.read(uuid)).record
            await progress(self._jobs.store, record)
            if record.is_finished:
                self.seen[uuid] = time.perf_counter()
                return


async def submit(jobs: Jobs) -> JobId:
    """Store a job that a worker runs."""
    record = accept(
        uuid=new_job_id(), job_type=TypeDocument("T", "default", {}), parameters={}, now=jobs.now()
    )
    await jobs.insert(record)
    await jobs.apply(record.uuid, events.Claimed(WorkerIdentity("worker"), 1))
    return record.uuid


@contextlib.asynccontextmanager
async def worker(url: str, queue: str) -> AsyncIterator[Jobs]:
    """Give the jobs as a worker changes them."""
    store = await open_datastore(url, deadline_seconds=DEADLINE_SECONDS)
    producer = await connect_producer(queue)
    jobs = Jobs(store, Stats(store))
    waking = asyncio.create_task(jobs.wakes.run(producer))
    try:
        yield jobs
    finally:
        waking.cancel()
        await asyncio.gather(waking, return_exceptions=True)
        await producer.close()
        await store.close()


async def measure(server: CouchbaseServer, queue: str, waiting: int, ends: int) -> str:
    """Return the row of this many clients that wait, while some of their jobs end."""
    url = server.url(new_scope(server))
    store = await open_datastore(url, deadline_seconds=DEADLINE_SECONDS)
    watch = Watch(store, "api", lambda: connect_queue(queue))
    clients = Clients(watch, Jobs(store, Stats(store)))
    async with worker(url, queue) as jobs:
        uuids = [await submit(jobs) for _ in range(waiting)]
        tasks = [asyncio.create_task(clients.wait(uuid)) for uuid in uuids]
        await asyncio.sleep(SETTLE_SECONDS)
        idle = await asked_in(server, IDLE_SECONDS)
        delays = []
        for uuid in uuids[:ends]:
            began = time.perf_counter()
            await jobs.apply(uuid, events.Returned(1))
            async with asyncio.timeout(DEADLINE_SECONDS):
                while uuid not in clients.seen:
                    await asyncio.sleep(0)
            delays.append(1000 * (clients.seen[uuid] - began))
            await asyncio.sleep(PAUSE_SECONDS)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await watch.close()
    await store.close()
    return (
        f"| {waiting:,} | {idle:.0f} | {statistics.median(delays):.1f} ms | {max(delays):.1f} ms |"
    )


async def asked_in(server: CouchbaseServer, seconds: float) -> float:
    """Return how many operations a second are asked for."""
    server.reset_counters()
    await asyncio.sleep(seconds)
    kinds = {name: n for name, n in server.counters().items() if " " not in name}
    return sum(kinds.values()) / seconds


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--waiting", type=int, nargs="+", default=[1, 100, 1000])
    parser.add_argument("--ends", type=int, default=50)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, CouchbaseServer(Path(folder)) as server:
        os.environ["ZEROG_COUCHBASE_PASSWORD"] = server.password
        beanstalkd = Beanstalkd()
        beanstalkd.start()
        print(
            "| clients that wait | operations a second while idle | seen after, median | longest |"
        )
        print("|---|---|---|---|")
        for waiting in options.waiting:
            ends = min(options.ends, waiting)
            print(asyncio.run(measure(server, beanstalkd.address, waiting, ends)), flush=True)
        beanstalkd.stop()


if __name__ == "__main__":
    main()
