"""Parts are killed at random while jobs come in: every job ends once, and with its result.

`ZEROG_CHAOS_SECONDS` lengthens it, `ZEROG_CHAOS_SEED` repeats a run.
"""

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from .conftest import DEADLINE_SECONDS, JOBS, System, until

SECONDS = float(os.environ.get("ZEROG_CHAOS_SECONDS", "15"))
WORKERS = 2
#: Every write of a control document goes through here, whichever process does it.
WATCH = """
CREATE TABLE reported (uuid TEXT, before TEXT, after TEXT);
CREATE TRIGGER watch AFTER UPDATE OF state ON document
WHEN NEW.collection = 'jobs' AND (NEW.state IN ('succeeded', 'failed', 'cancelled')
                                  OR OLD.state IN ('succeeded', 'failed', 'cancelled'))
BEGIN INSERT INTO reported VALUES (NEW.key, OLD.state, NEW.state); END;
"""


class Chaos:
    """Breaks a system, one part after another, and puts back what it broke."""

    def __init__(self, system: System, dice: random.Random) -> None:
        self.system, self.dice = system, dice
        self.api = system.processes[0]
        self.ready: dict[int, Path] = {}
        self.workers = [self._start_worker() for _ in range(WORKERS)]
        self.done: Counter[str] = Counter()

    def _start_worker(self) -> subprocess.Popen[bytes]:
        ready = self.system.folder / f"ready-{len(self.ready)}"
        worker = self.system.start(
            "worker", str(JOBS), "--slots", "2", "--grace-seconds", "1",
            ZEROG_KILL_GRACE_SECONDS="0.5", ZEROG_READY_FILE=str(ready),
        )  # fmt: skip
        self.ready[worker.pid] = ready
        return worker

    def step(self) -> None:
        """Break something."""
        actions: list[Callable[[], None]] = [
            self.kill_child, self.kill_child, self.kill_nursery, self.kill_worker,
            self.stop_worker, self.freeze_worker, self.kill_api, self.kill_queue, self.lose_queue,
        ]  # fmt: skip
        action = self.dice.choice(actions)
        self.done[action.__name__] += 1
        action()

    def kill_child(self) -> None:
        """Kill a process that runs jobs, or a nursery."""
        self._kill_below(lambda family: family[-1])

    def kill_nursery(self) -> None:
        """Kill the process that starts those."""
        self._kill_below(lambda family: family[0])

    def _kill_below(self, choose: Callable[[list[psutil.Process]], psutil.Process]) -> None:
        worker = self.dice.choice(self.workers)
        if not self.ready[worker.pid].exists():
            return  # jobs that cannot be imported at all end a worker, and shall
        with contextlib.suppress(psutil.NoSuchProcess):
            if family := psutil.Process(worker.pid).children(recursive=True):
                choose(family).kill()

    def kill_worker(self) -> None:
        """Kill a worker, and start another one."""
        self._replace(signal.SIGKILL)

    def stop_worker(self) -> None:
        """Drain a worker, and start another one."""
        self._replace(signal.SIGTERM)

    def _replace(self, signum: int) -> None:
        at = self.dice.randrange(len(self.workers))
        self.workers[at].send_signal(signum)
        self.workers[at] = self._start_worker()

    def freeze_worker(self) -> None:
        """Let a worker stand still for longer than it takes to be given up."""
        worker = self.dice.choice(self.workers)
        worker.send_signal(signal.SIGSTOP)
        time.sleep(2)
        worker.send_signal(signal.SIGCONT)

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


def reported(system: System) -> list[tuple[str, str, str]]:
    """Return every write of an end, and every write after one."""
    with contextlib.closing(sqlite3.connect(system.store_path, timeout=30)) as file:
        return file.execute("SELECT uuid, before, after FROM reported").fetchall()


@pytest.mark.timeout(300 + 3 * SECONDS)
def test_every_job_ends_once_and_with_its_result_whatever_is_killed(system: System) -> None:
    seed = int(os.environ.get("ZEROG_CHAOS_SEED", str(random.randrange(10**6))))
    print(f"ZEROG_CHAOS_SEED={seed}")
    with contextlib.closing(sqlite3.connect(system.store_path, timeout=30)) as file:
        file.executescript(WATCH)
    chaos = Chaos(system, random.Random(seed))
    until(lambda: len(system.client.workers()) == WORKERS, what="the workers are there")
    expected: dict[str, int] = {}

    ends = time.monotonic() + SECONDS
    while time.monotonic() < ends:
        values = range(len(expected), len(expected) + 8)
        jobs = [
            {"type": "Tough", "parameters": {"value": value, "seconds": chaos.dice.random()}}
            for value in values
        ]
        expected.update(zip(system.client.submit_many(jobs), values, strict=True))
        chaos.step()

    until(
        lambda: not list(system.client.list(states=["queued", "running", "waiting"])),
        seconds=120, what="every job has ended",
    )  # fmt: skip
    print(f"{len(expected)} jobs, {dict(chaos.done)}")
    assert [worker.poll() for worker in chaos.workers] == [None] * WORKERS
    documents = {uuid: system.client.get(uuid) for uuid in expected}
    assert {uuid: item["data"] for uuid, item in documents.items()} == expected
    assert {item["uuid"] for item in system.client.list()} == set(expected)
    assert Counter(uuid for uuid, _, _ in reported(system)) == Counter(list(expected))
    for item in documents.values():
        check_attempts(item)


def check_attempts(document: dict[str, object]) -> None:
    """A record tells of every attempt by whom, from when to when, and why it ended."""
    attempts = document["attempts"]
    assert isinstance(attempts, list)
    assert [attempt["number"] for attempt in attempts] == list(range(1, len(attempts) + 1))
    for attempt in attempts:
        assert attempt["worker"]["name"]
        assert attempt["startedTime"] <= attempt["endedTime"]
    causes = [attempt["cause"] for attempt in attempts]
    assert causes[-1] == "succeeded"
    assert set(causes[:-1]) <= {"crash", "interrupted"}
