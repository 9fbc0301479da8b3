"""Measure ZeroG and its peers side by side, in one run, on one machine. `make bench` runs it.

Each round measures every peer once, so that a machine that gets slower hits all alike;
medians of the rounds are reported. Ratios are what counts.
"""

import argparse
import asyncio
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import uvloop
from tests.beanstalkd import Beanstalkd

from benchmarks.load import Connection, is_done, spread
from benchmarks.report import Report
from zerog.queue.beanstalk.server import free_port

ROOT = Path(__file__).parents[1]
CONNECTIONS = 32
DEADLINE_SECONDS = 60.0
#: How the peers' own workers are started, two each.
WORKERS = {
    "celery": ["celery", "-A", "benchmarks.peers.tasks:app", "worker", "-c", "2", "-l", "error"],
    "rq": ["rq", "worker-pool", "-n", "2", "-q", "--url", "{redis}"],
    "huey": ["huey.bin.huey_consumer", "benchmarks.peers.tasks.app", "-w", "2", "-k", "process",
             "-d", "0.01", "-m", "0.05", "-q"],
    "taskiq": ["taskiq", "worker", "benchmarks.peers.tasks:app", "-w", "2", "--log-level", "ERROR"],
    "dramatiq": ["dramatiq", "benchmarks.peers.tasks:app", "-p", "2", "-t", "8"],
}  # fmt: skip
PEERS = ("zerog", *WORKERS)


@dataclass
class Peer:
    """A system under load, running."""

    name: str
    port: int
    post: str
    get: str
    processes: list[subprocess.Popen[bytes]] = field(default_factory=list)
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)
    beanstalkd: Beanstalkd | None = None

    def stop(self) -> None:
        """End it."""
        for process in [*self.workers, *self.processes]:
            process.terminate()
        for process in [*self.workers, *self.processes]:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
        if self.beanstalkd is not None:
            self.beanstalkd.stop()

    def api_seconds(self) -> float:
        """Return the processor time that the API process has taken, in user and system."""
        times = psutil.Process(self.processes[0].pid).cpu_times()
        return float(times.user + times.system)

    def worker_megabytes(self) -> float:
        """Return the proportional memory of all worker processes."""
        family = [psutil.Process(worker.pid) for worker in self.workers]
        family += [child for process in family for child in process.children(recursive=True)]
        total = 0
        for process in family:
            # RQ's workers fork for every job: one may be gone by now.
            with contextlib.suppress(psutil.Error):
                total += process.memory_full_info().pss
        return total / 2**20


def start_zerog(folder: Path) -> Peer:
    """Start beanstalkd, API and one worker with two slots."""
    beanstalkd = Beanstalkd()
    beanstalkd.start()
    port = free_port()
    env = {
        **os.environ,
        "ZEROG_STORE": f"sqlite:///{folder / 'zerog.db'}",
        "ZEROG_QUEUE": beanstalkd.address,
    }
    log = (folder / "zerog.log").open("wb")
    zerog = [sys.executable, "-m", "zerog"]
    noop = str(ROOT / "benchmarks/noop.py")
    api = subprocess.Popen([*zerog, "api", "--port", str(port)], env=env, stderr=log)
    worker = subprocess.Popen([*zerog, "worker", noop, "--slots", "2"], env=env, stderr=log)
    return Peer("zerog", port, "/v1/jobs/Noop", "/v1/jobs/{}/progress", [api], [worker], beanstalkd)


def start_peer(name: str, folder: Path) -> Peer:
    """Start Redis without persistence, FastAPI on uvicorn, and the peer's own two workers."""
    redis_port, port = free_port(), free_port()
    redis_url = f"redis://127.0.0.1:{redis_port}/0"
    log = (folder / f"{name}.log").open("wb")
    env = {**os.environ, "BENCH_PEER": name, "BENCH_REDIS": redis_url, "PYTHONPATH": str(ROOT)}
    redis = subprocess.Popen(
        ["redis-server", "--port", str(redis_port), "--bind", "127.0.0.1", "--save", "",
         "--appendonly", "no", "--dir", str(folder)],
        stdout=log,
    )  # fmt: skip
    time.sleep(0.5)
    arguments = [part.format(redis=redis_url) for part in WORKERS[name]]
    module = {"rq": "rq.cli"}.get(name, arguments[0])
    worker = subprocess.Popen(
        [sys.executable, "-m", module, *arguments[1:]], env=env, cwd=ROOT, stdout=log, stderr=log
    )
    api = subprocess.Popen(
        [sys.executable, "-m", "uvicorn", "benchmarks.peers.app:api", "--port", str(port),
         "--log-level", "error", "--no-access-log", "--loop", "uvloop", "--http", "httptools"],
        env=env, cwd=ROOT, stdout=log, stderr=log,
    )  # fmt: skip
    return Peer(name, port, "/jobs", "/jobs/{}", [api, redis], [worker])


async def measure_floor(requests: int) -> dict[str, float]:
    """Return the requests a second of Tornado with nothing behind it (`benchmarks.floor`)."""
    server = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.floor", cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert server.stdout is not None
        port = int(await asyncio.wait_for(server.stdout.readline(), DEADLINE_SECONDS))
        return {
            "post_per_second": await requests_per_second(port, "POST", b'{"n": 1}', requests),
            "get_per_second": await requests_per_second(port, "GET", b"", requests),
        }
    finally:
        server.kill()
        await server.wait()


async def requests_per_second(port: int, method: str, body: bytes, requests: int) -> float:
    """Return how many of the same request are answered a second, after a few to warm up."""

    async def ask(connection: Connection, _: int) -> None:
        await connection.request(method, "/v1/jobs/Noop", body)

    await spread(port, CONNECTIONS, iter(range(200)), ask)
    return requests / await spread(port, CONNECTIONS, iter(range(requests)), ask)


async def wait_until_it_works(peer: Peer) -> None:
    """Post jobs until one comes to its result: everything is up and warm."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        try:
            connection = await Connection.open(peer.port)
            status, body = await connection.request("POST", peer.post, b"{}")
            if status == 201:
                await until_done(connection, peer, json.loads(body)["uuid"], 20)
                return
        except (OSError, asyncio.IncompleteReadError, TimeoutError):
            pass
        await asyncio.sleep(0.2)
    raise TimeoutError(f"{peer.name} does not run a job")


async def until_done(
    connection: Connection, peer: Peer, job: str, seconds: float, pause_seconds: float = 0.001
) -> None:
    """Poll a job until its result is there."""
    deadline = time.monotonic() + seconds
    while not is_done(*await connection.request("GET", peer.get.format(job))):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{peer.name}: no result of {job}")
        await asyncio.sleep(pause_seconds)


async def measure(peer: Peer, jobs: int) -> dict[str, float]:
    """Measure everything once."""
    await wait_until_it_works(peer)
    uuids: list[str] = []

    async def post(connection: Connection, number: int) -> None:
        status, body = await connection.request("POST", peer.post, b'{"n": %d}' % number)
        assert status == 201, body
        uuids.append(json.loads(body)["uuid"])

    async def get(connection: Connection, job: str) -> None:
        await connection.request("GET", peer.get.format(job))

    async def finish(connection: Connection, job: str) -> None:
        # Rarely, so that asking takes nothing from the workers.
        await until_done(connection, peer, job, DEADLINE_SECONDS, 0.05)

    await spread(peer.port, CONNECTIONS, iter(range(200)), post)
    await spread(peer.port, CONNECTIONS, iter(uuids), finish)
    uuids.clear()
    started = time.perf_counter()
    await spread(peer.port, CONNECTIONS, iter(range(jobs)), post)
    # Jobs run in their order: the last one's result comes about last. All are asked for.
    await spread(peer.port, 4, iter(uuids[::-1][:50]), finish)
    stored = time.perf_counter() - started
    await spread(peer.port, CONNECTIONS, iter(uuids), finish)
    before = peer.api_seconds()
    get_seconds = await spread(peer.port, CONNECTIONS, iter(uuids * 2), get)
    get_processor = peer.api_seconds() - before
    latencies = await measure_idle(peer)
    megabytes = peer.worker_megabytes()
    for worker in peer.workers:
        worker.terminate()
        worker.wait(30)
    # Without workers beside it, what the API takes by itself.
    before = peer.api_seconds()
    post_seconds = await spread(peer.port, CONNECTIONS, iter(range(jobs)), post)
    post_processor = peer.api_seconds() - before
    return {
        "post_per_second": jobs / post_seconds,
        "get_per_second": 2 * jobs / get_seconds,
        "post_processor_ms": 1000 * post_processor / jobs,
        "get_processor_ms": 1000 * get_processor / (2 * jobs),
        "stored_per_second": jobs / stored,
        "idle_p50_ms": statistics.median(latencies) * 1000,
        "idle_p99_ms": sorted(latencies)[int(len(latencies) * 0.99)] * 1000,
        "worker_megabytes": megabytes,
    }


async def measure_idle(peer: Peer, count: int = 100) -> list[float]:
    """Return the seconds from POST to result, one job at a time."""
    connection = await Connection.open(peer.port)
    latencies = []
    for number in range(count):
        started = time.perf_counter()
        _, body = await connection.request("POST", peer.post, b'{"n": %d}' % number)
        await until_done(connection, peer, json.loads(body)["uuid"], DEADLINE_SECONDS)
        latencies.append(time.perf_counter() - started)
    connection.close()
    return latencies


def medians_of(rounds: list[dict[str, float]]) -> dict[str, float]:
    """Return the median of each figure."""
    return {key: statistics.median([figures[key] for figures in rounds]) for key in rounds[0]}


def main() -> None:
    """Measure and write the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--peers", default=",".join(PEERS))
    parser.add_argument("--jobs", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    results: dict[str, list[dict[str, float]]] = {}
    floors: list[dict[str, float]] = []
    for number in range(options.rounds):
        floors.append(uvloop.run(measure_floor(2 * options.jobs)))
        for name in options.peers.split(","):
            print(f"round {number + 1} of {options.rounds}: {name}", flush=True)
            folder = Path(tempfile.mkdtemp(prefix="zerog-bench-"))
            peer = start_zerog(folder) if name == "zerog" else start_peer(name, folder)
            try:
                result = uvloop.run(measure(peer, options.jobs))
                results.setdefault(name, []).append(result)
                print("  " + "  ".join(f"{key} {value:.1f}" for key, value in result.items()))
            except (TimeoutError, AssertionError) as error:
                print(f"  left out: {error}", flush=True)
            finally:
                peer.stop()
                shutil.rmtree(folder, ignore_errors=True)
    medians = {name: medians_of(rounds) for name, rounds in results.items()}
    report = Report(options.rounds, options.jobs, medians, floor=medians_of(floors))
    report.write(ROOT)


if __name__ == "__main__":
    main()
