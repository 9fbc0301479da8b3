"""What `make chaos` breaks in a system of real processes, and how it is put back."""

import contextlib
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil
from tests.chaos.preload import build
from tests.integration.client.cutting_proxy import CuttingProxy
from tests.integration.path.conftest import DEADLINE_SECONDS, System

#: Holds the file's write lock as another program might.
_LOCK = """
import sqlite3, sys
file = sqlite3.connect(sys.argv[1], timeout=30, isolation_level=None)
file.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""
#: A worker that is silent for longer than this is given up.
FREEZE_SECONDS = (1.0, 4.0)
LOCK_SECONDS = (1.0, 6.0)
#: How far a worker's clock is ahead.
CLOCK_SECONDS = (-60, 60)
#: Replies of the queue that are lost, each with its connection.
CUTS = 4
#: What every run may do; the names are the methods'.
KINDS = (
    "kill_child", "kill_nursery", "kill_worker", "drain_worker", "freeze_worker", "freeze_child",
    "freeze_nursery", "kill_api", "freeze_api", "kill_queue", "lose_queue", "freeze_queue",
    "lock_store", "cut_queue", "shift_clock",
)  # fmt: skip


#: Puts back what was broken, after a while.
Heal = Callable[[], None]


@dataclass(frozen=True)
class Frozen:
    """A worker that stood still for a while, with all processes below it, by the monotonic clock.

    Others may have given it up: only then may its attempt overlap with the next one.
    """

    pids: frozenset[int]
    began: float
    ended: float


class Chaos:
    """Breaks a system, one part after another, and puts back what it broke."""

    def __init__(
        self,
        system: System,
        dice: random.Random,
        jobs: Path,
        *,
        workers: int = 2,
        proxy: CuttingProxy | None = None,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.system, self.dice = system, dice
        self._jobs, self._env, self._proxy = jobs, env or {}, proxy
        self.api = system.processes[0]
        self._ready: dict[int, Path] = {}
        self.frozen: list[Frozen] = []
        self.workers = [self._start_worker() for _ in range(workers)]

    def _start_worker(self, **more: str) -> subprocess.Popen[bytes]:
        ready = self.system.folder / f"ready-{len(self._ready)}"
        env = {"ZEROG_KILL_GRACE_SECONDS": "0.5", "ZEROG_READY_FILE": str(ready), **self._env}
        arguments = ("worker", str(self._jobs), "--slots", "2", "--grace-seconds", "1")
        worker = self.system.start(*arguments, **env, **more)
        self._ready[worker.pid] = ready
        return worker

    def strike(self, kind: str) -> Heal:
        """Break something. The returned function puts it back, after a while, and returns then."""
        return getattr(self, kind)() or (lambda: None)

    def kill_child(self) -> None:
        """Kill a process that runs jobs."""
        self._end(self._child())

    def kill_nursery(self) -> None:
        """Kill the process that starts those."""
        self._end(self._nursery())

    def _end(self, process: psutil.Process | None) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            if process is not None:
                process.kill()

    def _nursery(self) -> psutil.Process | None:
        worker = self.dice.choice(self.workers)
        if not self._ready[worker.pid].exists():
            return None  # jobs that cannot be imported at all rightly end a worker
        with contextlib.suppress(psutil.NoSuchProcess):
            return next(iter(psutil.Process(worker.pid).children()), None)
        return None

    def _child(self) -> psutil.Process | None:
        nursery = self._nursery()
        with contextlib.suppress(psutil.NoSuchProcess):
            children = nursery.children() if nursery is not None else []
            return self.dice.choice(children) if children else None
        return None

    def kill_worker(self) -> None:
        """Kill a worker, and start another one."""
        self._replace(signal.SIGKILL)

    def drain_worker(self) -> None:
        """Drain a worker, and start another one."""
        self._replace(signal.SIGTERM)

    def shift_clock(self) -> None:
        """Drain a worker, and start another one whose clock is wrong."""
        library = build("clock", self.system.folder)
        ahead = self.dice.choice(CLOCK_SECONDS)
        self._replace(signal.SIGTERM, LD_PRELOAD=str(library), CHAOS_CLOCK_SECONDS=str(ahead))

    def _replace(self, signum: int, **env: str) -> None:
        at = self.dice.randrange(len(self.workers))
        self.workers[at].send_signal(signum)
        self.workers[at] = self._start_worker(**env)

    def freeze_worker(self) -> Heal | None:
        """Let a worker stand still, perhaps for longer than it takes to be given up."""
        worker = self.dice.choice(self.workers)
        began = time.monotonic()
        family = [worker.pid]
        with contextlib.suppress(psutil.NoSuchProcess):
            children = psutil.Process(worker.pid).children(recursive=True)
            family += [item.pid for item in children]
        thaw = self._freeze(worker.pid)

        def heal() -> None:
            if thaw is not None:
                thaw()
            self.frozen.append(Frozen(frozenset(family), began, time.monotonic()))

        return heal

    def freeze_child(self) -> Heal | None:
        """Let a process that runs jobs stand still."""
        child = self._child()
        return self._freeze(child.pid) if child is not None else None

    def freeze_nursery(self) -> Heal | None:
        """Let the process that starts those stand still."""
        nursery = self._nursery()
        return self._freeze(nursery.pid) if nursery is not None else None

    def freeze_api(self) -> Heal | None:
        """Let the API stand still."""
        return self._freeze(self.api.pid)

    def _freeze(self, pid: int) -> Heal | None:
        seconds = self.dice.uniform(*FREEZE_SECONDS)
        try:
            process = psutil.Process(pid)
            process.suspend()
        except psutil.NoSuchProcess:
            return None

        def thaw() -> None:
            time.sleep(seconds)
            # It may have been replaced in the meantime.
            with contextlib.suppress(psutil.NoSuchProcess):
                process.resume()

        return thaw

    def kill_api(self) -> None:
        """Kill the API, and start it again."""
        self.api.kill()
        self.api.wait(DEADLINE_SECONDS)
        self.api = self.system.start("api", "--port", str(self.system.port))

    def kill_queue(self) -> None:
        """Kill beanstalkd, and start it again from its log."""
        self.system.beanstalkd.kill()
        self.system.beanstalkd.start()

    def lose_queue(self) -> None:
        """Kill beanstalkd, and start it again without its log."""
        self.system.beanstalkd.kill()
        for file in (self.system.folder / "binlog").iterdir():
            file.unlink()
        self.system.beanstalkd.start()

    def freeze_queue(self) -> Heal:
        """Let beanstalkd stand still."""
        beanstalkd, seconds = self.system.beanstalkd, self.dice.uniform(*FREEZE_SECONDS)
        beanstalkd.signal(signal.SIGSTOP)

        def thaw() -> None:
            time.sleep(seconds)
            beanstalkd.signal(signal.SIGCONT)

        return thaw

    def lock_store(self) -> Heal:
        """Lock SQLite's file from another process."""
        command = [sys.executable, "-c", _LOCK, str(self.system.store_path)]
        seconds = self.dice.uniform(*LOCK_SECONDS)
        holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert holder.stdout is not None
        holder.stdout.readline()

        def unlock() -> None:
            time.sleep(seconds)
            holder.communicate()

        return unlock

    def cut_queue(self) -> None:
        """Cut connections between workers and beanstalkd: their next replies are lost."""
        if self._proxy is not None:
            self._proxy.cut_more(CUTS)

    def dead_workers(self) -> Iterator[int]:
        """Give the exit codes of workers that ended though nobody ended them."""
        for worker in self.workers:
            if (code := worker.poll()) is not None:
                yield code
