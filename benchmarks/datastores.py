"""SQLite beside Couchbase: operations per job, and jobs a second near and far.

`python -m benchmarks.datastores` prints tables. Couchbase is the tests' imitation, one
process of Python: its speed says nothing of a real server, but what is asked of it is counted
exactly, and time is added to each of its answers as a network would.
"""

import argparse
import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
from tests.couchbase.process import CouchbaseServer
from tests.couchbase.scopes import new_scope

from zerog.client import Client
from zerog.queues.local import LocalBeanstalkd, free_port

JOBS_MODULE = Path(__file__).with_name("noop.py")
DELAYS_SECONDS = (0.0, 0.0002, 0.001)
SLOTS = 2
DEADLINE_SECONDS = 120.0
#: Long enough for whatever the API still does about a job after its end.
IDLE_SECONDS = 8.0
#: Jobs whose operations are counted.
COUNTED_JOBS = 200
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
    beanstalkd = LocalBeanstalkd(binlog=folder / "binlog", fsync_milliseconds=0)
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
    setup.start("worker", str(JOBS_MODULE), "--slots", "1")
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


def per_job(counters: Mapping[str, float], jobs: int) -> str:
    """Return the operations of one job."""
    each = {name: count / jobs for name, count in counters.items() if count / jobs >= 0.05}
    return ", ".join(f"{count:.2f} {name}" for name, count in sorted(each.items())) or "nothing"


def jobs_per_second(setup: Setup, jobs: int) -> float:
    """Return how many no-op jobs a second get from POST to their stored end."""
    worker = setup.start("worker", str(JOBS_MODULE), "--slots", str(SLOTS))
    wait_until(lambda: bool(setup.client.workers()))
    run_jobs(setup, max(jobs // 10, 50))
    rate = jobs / run_jobs(setup, jobs)
    worker.terminate()
    worker.wait(DEADLINE_SECONDS)
    return rate


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2000)
    jobs = parser.parse_args().jobs
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "sqlite").mkdir()
        with zerog_on(f"sqlite:///{folder}/z.db", {}, folder / "sqlite") as setup:
            print(f"SQLite: {jobs_per_second(setup, jobs):.0f} jobs/s")
        with CouchbaseServer(folder / "couchbase") as server:
            env = {"ZEROG_COUCHBASE_PASSWORD": server.password}
            for number, delay in enumerate(DELAYS_SECONDS):
                place = folder / f"run{number}"
                place.mkdir()
                with zerog_on(server.url(new_scope(server)), env, place) as setup:
                    if number == 0:
                        count_operations(setup, server, COUNTED_JOBS)
                        setup.processes.pop().terminate()
                    if delay:
                        server.add_fault("delay", seconds=delay, count=None)
                    rate = jobs_per_second(setup, jobs)
                    print(
                        f"Couchbase, {delay * 1e6:.0f} µs added to each answer: {rate:.0f} jobs/s"
                    )
                    server.clear_faults()


if __name__ == "__main__":
    main()
