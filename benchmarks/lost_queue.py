"""How fast jobs are queued again after beanstalkd has lost everything.

    python -m benchmarks.lost_queue 100000

Jobs are accepted, their server dies with its entries, an empty one takes its place, and one pass of
repair looks at every job.
"""

import asyncio
import logging
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import uvloop
from tests.beanstalkd import Beanstalkd

from zerog.ledger import repair
from zerog.ledger.dispatch import Dispatch
from zerog.ledger.jobs import Jobs
from zerog.ledger.stats import Stats
from zerog.model.record import JobRecord, new_job_id
from zerog.queue.greenstalk import GreenstalkConnection
from zerog.store.sqlite.store import SqliteDatastore

AT_ONCE = 500


def new_record() -> JobRecord:
    """Return a job that waits for a worker."""
    now = datetime.now(UTC)
    return JobRecord(new_job_id(), "Noop", "bench", now, now, parameters={"n": 1})


async def measure(count: int, path: Path, server: Beanstalkd) -> None:
    """Lose the entries of `count` jobs, put them back, print what it took."""
    store = await SqliteDatastore.open(path, 5)
    jobs = Jobs(store, Stats(store))
    try:
        queue = await GreenstalkConnection.connect("127.0.0.1", server.port)
        dispatch = Dispatch(jobs, queue)
        for _ in range(0, count, AT_ONCE):
            await asyncio.gather(*[dispatch.accept(new_record()) for _ in range(AT_ONCE)])
        await dispatch.flush()
        await queue.close()
        server.kill()
        server.start()
        queue = await GreenstalkConnection.connect("127.0.0.1", server.port)
        started, used = time.perf_counter(), time.process_time()
        report = await repair.repair_once(jobs, queue)
        seconds, busy = time.perf_counter() - started, time.process_time() - used
        await queue.close()
    finally:
        await store.close()
    back = len(report.requeued)
    print(f"{back} jobs put back: {seconds:.1f} s, {1e6 * busy / back:.0f} µs each")


def main() -> None:
    """Measure as many jobs as the first argument says."""
    logging.disable(logging.WARNING)
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    server = Beanstalkd()
    server.start()
    try:
        with tempfile.TemporaryDirectory() as directory:
            uvloop.run(measure(count, Path(directory) / "zerog.db", server))
    finally:
        server.stop()


if __name__ == "__main__":
    main()
