"""The systems under load: ZeroG, and its peers as their users run them."""

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from tests.beanstalkd import Beanstalkd

from benchmarks.load import LIMIT_SECONDS, Load, LoadError
from zerog.queue.beanstalk.server import free_port

ROOT = Path(__file__).parents[1]
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
#: The same with the code of another checkout, to compare two versions in one run.
BASE = "zerog, base"


class _Beanstalkd(Beanstalkd):
    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid


@dataclass
class System:
    """A system under load, running."""

    name: str
    port: int
    #: Of POST and GET.
    paths: tuple[str, str]
    api: "subprocess.Popen[bytes]"
    worker: "subprocess.Popen[bytes]"
    #: The process that has the queue.
    broker: int
    others: "list[subprocess.Popen[bytes]]" = field(default_factory=list)
    beanstalkd: Beanstalkd | None = None

    def stop(self) -> None:
        """End it."""
        processes = [self.worker, self.api, *self.others]
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()
        if self.beanstalkd is not None:
            self.beanstalkd.stop()

    def stop_worker(self) -> None:
        """End the workers only."""
        self.worker.terminate()
        self.worker.wait(30)

    def processor_seconds(self) -> dict[str, float]:
        """Return the processor time that each part has taken, in user and system."""
        return {
            "api": seconds_of(self.api.pid),
            "worker": seconds_of(self.worker.pid),
            "broker": seconds_of(self.broker),
        }

    def worker_megabytes(self) -> float:
        """Return the proportional memory of all worker processes."""
        total = 0
        for process in _family(self.worker.pid):
            # RQ's workers fork for every job: one may be gone by now.
            with contextlib.suppress(psutil.Error):
                total += process.memory_full_info().pss
        return total / 2**20

    def wait_until_it_works(self, load: Load) -> None:
        """Post jobs until one comes to its result: everything is up and warm."""
        deadline = time.monotonic() + LIMIT_SECONDS
        while True:
            try:
                load.order("follow", self.port, self.paths, 1)
                return
            except LoadError:
                if time.monotonic() > deadline:
                    raise
            time.sleep(0.2)


def _family(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.Error):
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    return []


def seconds_of(pid: int) -> float:
    """Return what a process and all that it has started have taken, also those that are gone."""
    total = 0.0
    for process in _family(pid):
        with contextlib.suppress(psutil.Error):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


@contextlib.contextmanager
def running(name: str, base: Path | None) -> Iterator[System]:
    """Start a system, and end it. `base` is where the code of `BASE` is."""
    with tempfile.TemporaryDirectory(prefix="zerog-bench-") as place:
        folder = Path(place)
        if name in WORKERS:
            system = _start_peer(name, folder)
        else:
            assert base is not None or name != BASE
            system = _start_zerog(name, folder, base if name == BASE else None)
        try:
            yield system
        finally:
            system.stop()


def _start_zerog(name: str, folder: Path, checkout: Path | None) -> System:
    """Start beanstalkd, API and one worker with two slots."""
    beanstalkd = _Beanstalkd()
    beanstalkd.start()
    port = free_port()
    env = {
        **os.environ,
        "ZEROG_STORE": f"sqlite:///{folder / 'zerog.db'}",
        "ZEROG_QUEUE": beanstalkd.address,
    }
    if checkout is not None:
        env["PYTHONPATH"] = f"{checkout / 'api/src'}:{checkout / 'jobrunner/src'}"
    log = (folder / "zerog.log").open("wb")
    zerog = [sys.executable, "-m", "zerog"]
    noop = str(ROOT / "benchmarks/noop.py")
    api = subprocess.Popen([*zerog, "api", "--port", str(port)], env=env, stderr=log)
    worker = subprocess.Popen([*zerog, "worker", noop, "--slots", "2"], env=env, stderr=log)
    paths = "/v1/jobs/Noop", "/v1/jobs/{}/progress"
    return System(name, port, paths, api, worker, beanstalkd.pid, beanstalkd=beanstalkd)


def _start_peer(name: str, folder: Path) -> System:
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
    return System(name, port, ("/jobs", "/jobs/{}"), api, worker, redis.pid, [redis])
