"""What ZeroG asks of Couchbase, with few jobs and workers and with a hundred times as many.

`python -m benchmarks.datastores` prints a table: operations, and entries of indexes that the query
service scans, counted by the tests' imitation, which chooses an index and scans it by the rules of
a real server. `--write` puts the table into the page about sizing. Nothing is timed: what happens
every so often is counted once and divided.
"""

import argparse
import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rich.progress import track
from tests.beanstalkd import Beanstalkd
from tests.couchbase.process import CouchbaseServer
from tests.couchbase.protocol import KEYED
from tests.couchbase.scopes import new_scope
from tests.queue.memory import MemoryQueue

from benchmarks.waiting import Clients
from zerog.console import ShownConsole
from zerog.ledger.alertness import IDLE_SECONDS
from zerog.ledger.codec import write_record
from zerog.ledger.jobs import Jobs
from zerog.ledger.repair import repair_once
from zerog.ledger.repairing import FULL_CHECK_SECONDS, PERIOD_SECONDS
from zerog.ledger.stats import Stats
from zerog.ledger.workers import Beat
from zerog.model.documents import WorkerDocument
from zerog.model.names import tube_name
from zerog.model.record import (
    Attempt,
    JobId,
    JobRecord,
    State,
    WorkerIdentity,
    format_time,
    new_job_id,
)
from zerog.queue import connect_queue
from zerog.settings import CouchbaseSettings
from zerog.store import open_datastore
from zerog.store.port import Datastore, JobFilter
from zerog_api.core.overview import SUMMARY_SECONDS, Overview
from zerog_api.core.types import Types
from zerog_api.core.watch import Watch
from zerog_tools.blocks import alone, filled

PAGE = Path(__file__).parents[1] / "docs/explanation/sizing.md"
DEADLINE_SECONDS = 120.0
AT_ONCE = 200
QUEUES = 50
REPLICAS = 3
#: How long clients that wait are watched, once what they ask for at first is over.
SETTLE_SECONDS, WATCHED_SECONDS = 15.0, 30.0
BEGUN = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Size:
    """How much there is."""

    queued: int
    workers: int

    def __str__(self) -> str:
        return f"{self.queued:,} jobs, {self.workers:,} workers"


SIZES = (Size(200, 10), Size(20_000, 1_000))


@dataclass(frozen=True, slots=True)
class Cost:
    """What something asks for: operations on documents, statements and entries that they scan."""

    documents: float
    statements: float
    entries: float

    @classmethod
    def of(cls, counters: dict[str, int], times: float) -> "Cost":
        """Return the cost of one of so many times."""
        documents = sum(counters.get(opcode.name, 0) for opcode in KEYED)
        statements, entries = counters.get("QUERY", 0), counters.get("SCANNED", 0)
        return cls(documents / times, statements / times, entries / times)

    def __str__(self) -> str:
        return " | ".join(
            f"{number:,.0f}" if number >= 10 or number == int(number) else f"{number:.1f}"
            for number in (self.documents, self.statements, self.entries)
        )


class ZeroG:
    """A datastore with jobs and workers, and what is asked of it."""

    def __init__(self, server: CouchbaseServer, store: Datastore, size: Size) -> None:
        self._server = server
        self._store = store
        self._size = size
        self._queue = MemoryQueue()
        self._running_jobs: list[JobId] = []
        self._jobs = Jobs(store, Stats(store))
        self._beats = [Beat(store, _worker(f"w{number}", number)) for number in range(size.workers)]

    async def fill(self) -> None:
        """Write the queued jobs, those that the workers run, and the workers' documents."""
        records = [self._queued(number) for number in range(self._size.queued)]
        records += [self._running(number) for number in range(self._size.workers)]
        console = ShownConsole(stderr=True)
        for start in track(range(0, len(records), AT_ONCE), f"{self._size}", console=console):
            some = [write_record(record) for record in records[start : start + AT_ONCE]]
            await asyncio.gather(*[self._store.insert("jobs", job["uuid"], job) for job in some])
        await self.beat()

    def _queued(self, number: int) -> JobRecord:
        uuid, queue = new_job_id(), f"q{number % QUEUES}"
        entry = self._queue.add(uuid, tube_name(queue))
        return JobRecord(uuid, "T", queue, BEGUN, BEGUN, entry_id=entry)

    def _running(self, number: int) -> JobRecord:
        uuid, queue = new_job_id(), f"q{number % QUEUES}"
        self._running_jobs.append(uuid)
        entry = self._queue.add(uuid, tube_name(queue))
        attempt = Attempt(1, WorkerIdentity(f"w{number}"), BEGUN)
        return JobRecord(
            uuid, "T", queue, BEGUN, BEGUN,
            entry_id=entry, state=State.RUNNING, attempt=1, attempts=(attempt,),
        )  # fmt: skip

    async def beat(self) -> None:
        """Let every worker beat once."""
        for start in range(0, len(self._beats), AT_ONCE):
            await asyncio.gather(*[beat.send() for beat in self._beats[start : start + AT_ONCE]])

    async def look(self) -> None:
        """Look for jobs without an entry, as repair does every two seconds."""
        await repair_once(self._jobs, self._queue, full=False)

    async def count_open(self) -> None:
        """Count unfinished jobs by queue."""
        await self._store.count_open(format_time(datetime.now(UTC)))

    async def look_through(self) -> None:
        """Compare every unfinished job with the queue."""
        await repair_once(self._jobs, self._queue, full=True)

    async def watch(self, looks: int) -> None:
        """Let a few replicas be watched for so many looks."""
        views = [Overview(self._store, self._queue, Types(self._store)) for _ in range(REPLICAS)]
        for _ in range(looks):
            for view in views:
                await view.now()
            await asyncio.sleep(SUMMARY_SECONDS)

    @contextlib.asynccontextmanager
    async def clients(self, queue: str) -> AsyncIterator[None]:
        """Let as many clients as there are workers wait, each for the end of a running job."""
        watch = Watch(self._store, "api", lambda: connect_queue(queue))
        clients = Clients(watch, self._jobs)
        tasks = [asyncio.create_task(clients.wait(uuid)) for uuid in self._running_jobs]
        await asyncio.sleep(SETTLE_SECONDS)
        yield
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await watch.close()

    async def find_jobs_of_the_dead(self) -> None:
        """Look for what a worker that died was running."""
        assert await self._store.jobs_of_workers(["w1"])

    async def list_page(self) -> None:
        """List a page of a state's jobs of one type and queue."""
        chosen = JobFilter(states=["queued"], types=["T"], queues=["q1"])
        await self._store.list_jobs(chosen, limit=100)

    async def cost(self, work: Callable[[], Awaitable[None]], times: float = 1) -> Cost:
        """Return what a work asks for; `times`: what it is done for, e.g. seconds."""
        self._server.reset_counters()
        await work()
        return Cost.of(self._server.counters(), times)


def _worker(name: str, number: int) -> WorkerDocument:
    now = datetime.now(UTC)
    return WorkerDocument(
        name=name, queues=[f"q{number % QUEUES}"], types=["T"], slots=1, running=[],
        state="running", started_time=now, updated_time=now, beat=0, host="host", pid=1,
        pod=name, node="node", image="image",
    )  # fmt: skip


async def costs(server: CouchbaseServer, queue: str, size: Size) -> dict[str, Cost]:
    """Return what each row of the table costs."""
    settings = CouchbaseSettings(couchbase_password=server.password)
    url = server.url(new_scope(server))
    store = await open_datastore(url, settings, deadline_seconds=DEADLINE_SECONDS)
    zerog = ZeroG(server, store, size)
    await zerog.fill()
    await store.list_jobs(JobFilter())  # the indexes are looked at once
    looks = 5
    found = {
        "workers' heartbeats, per second": await zerog.cost(zerog.beat, IDLE_SECONDS),
        f"repair's look, every {PERIOD_SECONDS:.0f} s": await zerog.cost(zerog.look),
        f"repair's count, every {store.count_pause_seconds:.0f} s": await zerog.cost(
            zerog.count_open
        ),
        f"repair's full pass, every {FULL_CHECK_SECONDS:.0f} s": await zerog.cost(
            zerog.look_through
        ),
        f"the overview in {REPLICAS} replicas, every {SUMMARY_SECONDS:.0f} s": await zerog.cost(
            lambda: zerog.watch(looks), looks
        ),
        "the jobs of a worker that died": await zerog.cost(zerog.find_jobs_of_the_dead),
        "a page of 100 jobs, by state, type and queue": await zerog.cost(zerog.list_page),
    }
    async with zerog.clients(queue):
        found["clients that wait, one for each worker, per second"] = await zerog.cost(
            lambda: asyncio.sleep(WATCHED_SECONDS), WATCHED_SECONDS
        )
    await store.close()
    return found


def table(found: Sequence[dict[str, Cost]]) -> Iterator[str]:
    """Return the table's lines."""
    yield "| | " + " | ".join(f"{size}: documents | statements | entries" for size in SIZES) + " |"
    yield "|---|" + "---|" * 3 * len(found)
    for name in found[0]:
        yield f"| {name} | " + " | ".join(str(each[name]) for each in found) + " |"


def write(lines: str) -> None:
    """Put the table into its page."""
    PAGE.write_text(filled(PAGE.read_text(), {"datastores": alone(lines)}))


def main() -> None:
    """Count, print, and write if asked to."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true", help=f"put the table into {PAGE.name}")
    options = parser.parse_args()
    found: list[dict[str, Cost]] = []
    beanstalkd = Beanstalkd()
    beanstalkd.start()
    for size in SIZES:
        with tempfile.TemporaryDirectory() as name, CouchbaseServer(Path(name)) as server:
            found.append(asyncio.run(costs(server, beanstalkd.address, size)))
    beanstalkd.stop()
    lines = "\n".join(table(found))
    print(lines)
    if options.write:
        write(lines)


if __name__ == "__main__":
    main()
