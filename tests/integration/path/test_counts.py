"""Workers are killed while many jobs run: the counts equal the records, to the last one."""

import asyncio
import itertools
import signal
import time

import pytest
from tests.ledger.recounted import count_records, outcomes, read_counts

from zerog.ledger.codec import read_record
from zerog.ledger.counts import WAITS, Counts, JobKind, by_queue, share_within
from zerog.ledger.jobs import Jobs
from zerog.ledger.lasthour import LastHour
from zerog.ledger.recount import Recount
from zerog.ledger.stats import Stats
from zerog.ledger.totals import Totals
from zerog.model.record import JobRecord
from zerog.settings import PlaceSettings, load
from zerog.store import open_datastore
from zerog.store.port import JobFilter

from .conftest import DEADLINE_SECONDS, System, on_both_stores, until
from .conftest import JOBS as JOBS_FILE

#: A restart, many jobs and what a slow machine takes.
pytestmark = pytest.mark.timeout(500)
JOBS, KILLS = 180, 4


def submit(system: System, number: int) -> None:
    """Submit jobs that succeed, that fail, and that are tried again."""
    for start in range(0, number, 60):
        system.client.submit_many(
            [
                {"type": "Echo", "parameters": {"value": n}}
                if n % 3
                else {"type": "Failing" if n % 2 else "Steps", "parameters": {}}
                for n in range(start, start + 60)
            ]
        )


async def read_everything(
    system: System,
) -> tuple[list[JobRecord], dict[JobKind, Counts], dict[JobKind, Counts]]:
    """Return the records, all counts, and the last hour's, once nobody works any more."""
    settings = load(PlaceSettings, system.env)
    store = await open_datastore(settings.store, settings)
    try:
        recount = Recount(Jobs(store, Stats(store)), dead_seconds=0)
        await recount.look()
        records: list[JobRecord] = []
        cursor = None
        while True:
            page = await store.list_jobs(JobFilter(), cursor=cursor, fresh=True)
            records += [read_record(stored.document) for stored in page.jobs]
            if (cursor := page.cursor) is None:
                break
        counts, totals = await read_counts(store), await Totals().read(store, time.time())
        assert outcomes(totals) == outcomes(counts)
        return records, counts, await LastHour().read(store, time.time())
    finally:
        await store.close()


@on_both_stores
def test_the_counts_equal_the_records_after_workers_were_killed(system: System) -> None:
    workers = [system.start_worker("--slots", "2") for _ in range(2)]
    submit(system, JOBS)
    for number in range(KILLS):
        wait_for_some_to_end(system)
        system.stop(workers[number % 2], signal.SIGKILL)
        workers[number % 2] = system.start("worker", str(JOBS_FILE), "--slots", "2")

    until(lambda: finished(system) == JOBS, DEADLINE_SECONDS, "all jobs have ended")
    for worker in workers:
        system.stop(worker)
    system.stop(system.processes[0])
    records, counts, hour = asyncio.run(read_everything(system))

    expected = count_records(records)
    assert outcomes(counts) == outcomes(expected)
    assert counts == expected
    assert sum(len(record.attempts) for record in records) > JOBS
    told, known = by_queue(hour)["default"], by_queue(expected)["default"]
    assert share_within(told, 2.0) == share_within(known, 2.0)
    assert WAITS.quantile(told, 0.95) == WAITS.quantile(known, 0.95)


def wait_for_some_to_end(system: System) -> None:
    """Wait until a few more jobs have ended."""
    before = finished(system)
    until(lambda: finished(system) > before + 5, what="jobs end")


def finished(system: System) -> int:
    """Return how many jobs have ended, as the records say."""
    return len(list(itertools.islice(system.client.list(states=["succeeded", "failed"]), JOBS)))
