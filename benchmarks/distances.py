"""SQLite beside Couchbase: operations per job, and jobs a second near and far.

`python -m benchmarks.distances` prints tables. Couchbase is the tests' imitation, one
process of Python: its speed says nothing of a real server, but what is asked of it is counted
exactly, and time is added to each of its answers as a network would.

A machine's noise comes and goes within minutes, so nothing is measured once: the legs take turns
in short rounds, each in another order, each is compared with the leg without delay of the same
round, and the median of these comparisons is what counts. The systems run all the time, the same
processes for every round; the delay is switched. Finished jobs are let expire after each turn, so
that the imitation, which looks at every document for each query, is as fast in the last as in
the first.
"""

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import httpx
from tests.beanstalkd import Beanstalkd
from tests.couchbase.process import CouchbaseServer
from tests.couchbase.scopes import new_scope

from zerog.client import Client
from zerog.queue.beanstalk.server import free_port

JOBS_MODULE = Path(__file__).with_name("noop.py")
DELAYS_SECONDS = (0.0, 0.0002, 0.001)
SLOTS = 2
DEADLINE_SECONDS = 120.0
#: Long enough for whatever the API still does about a job after its end.
IDLE_SECONDS = 8.0
#: Jobs whose operations are counted.
COUNTED_JOBS = 200
#: Before each measurement: processes wake up, connections and caches are there.
WARM_UP_JOBS = 100
#: Of a turn, one after the other.
JOBS_ALONE = 30
#: Longer than finished jobs are kept.
RETENTION_SECONDS = 8 * 86400.0
#: Between two jobs that are counted, so that the worker takes them one by one.
PAUSE_SECONDS = 0.1


@dataclass
class Setup:
    """A ZeroG on one store."""

    url: str
    client: Client
    processes: list[subprocess.Popen[bytes]]
    env: Mapping[str, str]

    def start(self, *arguments: str) -> subprocess.Popen[bytes]:
        """Start one of its processes."""
        process = subprocess.Popen(
            [sys.executable, "-m", "zerog", *arguments],
            env=self.env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.processes.append(process)
        return process


@contextlib.contextmanager
def zerog_on(store: str, more: Mapping[str, str], folder: Path) -> Iterator[Setup]:
    """Run beanstalkd and API on a store; the workers come later."""
    folder.mkdir()
    beanstalkd = Beanstalkd(binlog=folder / "binlog")
    beanstalkd.start()
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ZEROG_")}
    env = {**clean, **more, "ZEROG_STORE": store, "ZEROG_QUEUE": beanstalkd.address}
    setup = Setup(url, Client(url, retry_seconds=DEADLINE_SECONDS), [], env)
    try:
        setup.start("api", "--port", str(port))
        setup.start("describe", str(JOBS_MODULE), "--register").wait(DEADLINE_SECONDS)
        wait_until(lambda: bool(setup.client.types()))
        yield setup
    finally:
        for process in reversed(setup.processes):
            process.terminate()
            process.wait(DEADLINE_SECONDS)
        setup.client.close()
        beanstalkd.stop()


def wait_until(look: object) -> None:
    """Look until it is so."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            if callable(look) and look():
                return
        time.sleep(0.02)
    raise TimeoutError("the benchmark's ZeroG does not get on")


def run_jobs(setup: Setup, count: int) -> float:
    """Submit jobs in batches and wait for the last one; return the seconds."""
    began = time.perf_counter()
    uuids: list[str] = []
    for start in range(0, count, 500):
        jobs = [
            {"type": "Noop", "parameters": {"n": n}} for n in range(start, min(start + 500, count))
        ]
        uuids += setup.client.submit_many(jobs)
    for uuid in uuids[-SLOTS * 20 :]:
        setup.client.wait(uuid, DEADLINE_SECONDS)
    return time.perf_counter() - began


def post(setup: Setup, number: int) -> str:
    """Submit a job without an Idempotency-Key, which would be a document of its own."""
    answer = httpx.post(f"{setup.url}/v1/jobs/Noop", json={"n": number}, timeout=DEADLINE_SECONDS)
    return str(answer.raise_for_status().json()["uuid"])


def count_operations(setup: Setup, server: CouchbaseServer, jobs: int) -> None:
    """Print what a job asks of Couchbase, beside what an idle ZeroG does."""
    worker = setup.start("worker", str(JOBS_MODULE), "--slots", "1")
    setup.client.wait(post(setup, 0), DEADLINE_SECONDS)
    time.sleep(IDLE_SECONDS)  # what starting asks for is not counted
    server.reset_counters()
    time.sleep(IDLE_SECONDS)
    idle = {name: n / IDLE_SECONDS for name, n in server.counters().items()}
    server.reset_counters()
    began = time.monotonic()
    for number in range(jobs):
        post(setup, number)
        time.sleep(PAUSE_SECONDS)
    time.sleep(IDLE_SECONDS)
    seconds = time.monotonic() - began
    counted = {name: n - idle.get(name, 0) * seconds for name, n in server.counters().items()}
    print(f"a no-op job, POST to end, beside what idling asks: {per_job(counted, jobs)}")
    print(f"an idle API and worker, a second: {per_job(idle, 1)}")
    setup.processes.remove(worker)
    worker.terminate()
    worker.wait(DEADLINE_SECONDS)
    wait_until(lambda: not setup.client.workers())


def per_job(counters: Mapping[str, float], jobs: int) -> str:
    """Return the operations of one job."""
    each = {name: count / jobs for name, count in counters.items() if count / jobs >= 0.05}
    return ", ".join(f"{count:.2f} {name}" for name, count in sorted(each.items())) or "nothing"


def run_alone(setup: Setup) -> float:
    """Run one job while there is no other; return the seconds from its acceptance to its end, by
    the times in its record. The last write, of the end itself, is not in it."""
    uuid = post(setup, 0)
    setup.client.wait(uuid, DEADLINE_SECONDS)
    job = setup.client.get(uuid)
    began, ended = (datetime.fromisoformat(job[name]) for name in ("createdTime", "finishedTime"))
    return (ended - began).total_seconds()


class Turn(NamedTuple):
    """What a leg has shown in a round: jobs a second, and the median of jobs alone in seconds."""

    rate: float
    alone: float


@dataclass(frozen=True)
class Leg:
    """What is measured: a store, and how far away it is."""

    name: str
    setup: Setup
    server: CouchbaseServer | None = None
    delay_seconds: float = 0.0

    def take_turn(self, jobs: int) -> Turn:
        """Run jobs together, then some alone."""
        if self.server is not None and self.delay_seconds:
            self.server.add_fault("delay", seconds=self.delay_seconds, count=None)
        run_jobs(self.setup, WARM_UP_JOBS)
        rate = jobs / run_jobs(self.setup, jobs)
        alone = statistics.median(run_alone(self.setup) for _ in range(JOBS_ALONE))
        if self.server is not None:
            self.server.clear_faults()
            self.server.advance_clock(RETENTION_SECONDS)
        return Turn(rate, alone)


def start_worker(setup: Setup) -> None:
    """Start the worker that runs a leg's jobs, and wait until it is there."""
    setup.start("worker", str(JOBS_MODULE), "--slots", str(SLOTS))
    wait_until(lambda: bool(setup.client.workers()))


def take_turns(legs: Sequence[Leg], rounds: int, jobs: int) -> dict[str, list[Turn]]:
    """Measure every leg in every round; the order moves on by one from round to round."""
    turns: dict[str, list[Turn]] = {leg.name: [] for leg in legs}
    for number in range(rounds):
        first = number % len(legs)
        for leg in [*legs[first:], *legs[:first]]:
            turns[leg.name].append(leg.take_turn(jobs))
        line = ", ".join(f"{name} {found[-1].rate:.0f}" for name, found in turns.items())
        print(f"round {number + 1} of {rounds}: {line}", file=sys.stderr)
    return turns


def print_turns(turns: Mapping[str, list[Turn]], base: str) -> None:
    """Print medians, and how each leg compares with the base in the same round."""
    print(f"| | jobs/s | of those of {base} | a job alone, ms | beside {base}, ms |")
    print("|---|---|---|---|---|")
    for name, found in turns.items():
        pairs = list(zip(found, turns[base], strict=True))
        ratio = middle([turn.rate / beside.rate for turn, beside in pairs])
        more = middle([(turn.alone - beside.alone) * 1000 for turn, beside in pairs])
        rate = statistics.median(turn.rate for turn in found)
        alone = statistics.median(turn.alone for turn in found) * 1000
        print(f"| {name} | {rate:.0f} | {ratio} | {alone:.2f} | {more} |")


def middle(values: list[float]) -> str:
    """Return the median, and between what the middle half of the values is."""
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return f"{median:.2f} ({low:.2f} to {high:.2f})"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000, help="of a turn")
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as stack:
        folder = Path(name)
        server = stack.enter_context(CouchbaseServer(folder / "couchbase"))
        env = {"ZEROG_COUCHBASE_PASSWORD": server.password}
        couchbase = stack.enter_context(zerog_on(server.url(new_scope(server)), env, folder / "c"))
        count_operations(couchbase, server, COUNTED_JOBS)
        start_worker(couchbase)
        sqlite = stack.enter_context(zerog_on(f"sqlite:///{folder}/z.db", {}, folder / "s"))
        start_worker(sqlite)
        legs = [Leg("SQLite", sqlite)]
        for delay in DELAYS_SECONDS:
            legs.append(Leg(f"Couchbase, {delay * 1e6:.0f} µs away", couchbase, server, delay))
        print_turns(take_turns(legs, options.rounds, options.jobs), legs[1].name)


if __name__ == "__main__":
    main()
