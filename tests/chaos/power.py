"""`python -m tests.chaos.power`: cut the power under load, and check all that was answered.

A system writes on a disk that forgets (`tests.chaos.disk`). All its processes are killed at once,
the disk forgets, all start again: each job that was acknowledged is there, and what was reported
finished still is, with the same result. At the end every job finishes. A round has some cuts, on a
new disk.
"""

import contextlib
import os
import random
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import psutil
from tests.beanstalkd import Beanstalkd
from tests.chaos.disk import Disk
from tests.chaos.jobs import MARKS
from tests.chaos.preload import build
from tests.chaos.trial import trial
from tests.integration.path.conftest import System, until

from zerog.client import Client
from zerog.client.calls import ApiError, UnreachableError

JOBS = Path(__file__).with_name("jobs.py")
CUTS_PER_ROUND = 5
#: From the first answer to the cut.
LOAD_SECONDS = (0.05, 1.5)
#: How much of what was not synced survives: nothing, or some pages.
SHARES = (0.0, 0.0, 0.3, 0.7)
BIG_CHARACTERS = 50_000
#: Looks after each submit, at jobs that end soon.
LOOKS = 3
END_SECONDS = 120.0


class Answers:
    """What the API has answered: it must hold after a power failure."""

    def __init__(self) -> None:
        #: The data that each acknowledged job must return.
        self.acknowledged: dict[str, Any] = {}
        #: What was reported of those that were finished.
        self.finished: dict[str, dict[str, Any]] = {}
        #: Cancelled and urgent jobs that were not seen finished yet. The others may wait for long.
        self.open: list[str] = []
        self.cancelled: set[str] = set()
        self.deleted: set[str] = set()
        #: The Idempotency-Key and the value that a job was submitted with.
        self.keys: dict[str, tuple[str, int]] = {}

    def gather(self, url: str, dice: random.Random, stop: threading.Event) -> None:
        """Submit, cancel, look and delete until the API answers no more."""
        with Client(url, retry_seconds=0) as client, contextlib.suppress(UnreachableError):
            while not stop.is_set():
                with contextlib.suppress(ApiError):
                    self._submit(client, dice)
                    self._look(client, dice)

    def _submit(self, client: Client, dice: random.Random) -> None:
        value = dice.randrange(10**6)
        if dice.random() < 0.2:
            text = str(value) * (BIG_CHARACTERS // 6)
            self.acknowledged[client.submit("Big", {"text": text})] = text[::-1]
        elif dice.random() < 0.1:
            uuid = client.submit("Plain", {"value": value}, delay=3600)
            self.acknowledged[uuid] = None
            client.cancel(uuid)
            self.cancelled.add(uuid)
            self.open.append(uuid)
        elif dice.random() < 0.1:
            key = f"key-{dice.getrandbits(64)}"
            uuid = client.submit("Plain", {"value": value}, idempotency_key=key)
            self.acknowledged[uuid], self.keys[uuid] = value, (key, value)
        elif dice.random() < 0.5:
            uuid = client.submit("Plain", {"value": value}, priority=0)
            self.acknowledged[uuid] = value
            self.open.append(uuid)
        else:
            uuid = client.submit("Plain", {"value": value, "seconds": 0.2})
            self.acknowledged[uuid] = value

    def _look(self, client: Client, dice: random.Random) -> None:
        for uuid in dice.sample(self.open, min(LOOKS, len(self.open))):
            progress = client.progress(uuid)
            if progress["state"] not in ("succeeded", "failed", "cancelled"):
                continue
            self.finished[uuid] = progress
            self.open.remove(uuid)
            if dice.random() < 0.1:
                # Without an answer it may be there or not: it is looked at no more.
                del self.acknowledged[uuid]
                client.delete(uuid)
                self.deleted.add(uuid)

    def violations(self, client: Client) -> Iterator[str]:
        """Compare with what is answered now."""
        known = {item["uuid"] for item in client.list()}
        yield from (f"job {uuid} was deleted and is back" for uuid in self.deleted & known)
        for uuid, (key, value) in self.keys.items():
            try:
                again = client.submit("Plain", {"value": value}, idempotency_key=key)
            except ApiError as error:
                again = str(error)
            if again != uuid:
                yield f"job {uuid} was submitted with key {key}, which gives {again} now"
        for uuid in self.acknowledged:
            try:
                now = client.progress(uuid)
            except ApiError as error:
                yield f"job {uuid} is lost: {error}"
                continue
            before = self.finished.get(uuid)
            if before is not None and now != before:
                yield f"job {uuid} was reported as {before}, now it is {now}"
            elif before is not None and client.data(uuid) != self._data(uuid):
                yield f"job {uuid} has lost its data"
            if uuid in self.cancelled and now["state"] != "cancelled":
                yield f"job {uuid} was cancelled, now it is {now}"

    def _data(self, uuid: str) -> Any:
        return None if uuid in self.cancelled else self.acknowledged[uuid]

    def end_violations(self, client: Client) -> Iterator[str]:
        """Give jobs that have not ended as they must."""
        for uuid in self.acknowledged:
            with contextlib.suppress(ApiError):  # that it is lost was said before
                if self._data(uuid) is None:  # a cancel that was not answered may have happened
                    continue
                end = client.progress(uuid)
                if end["state"] != "succeeded" or client.data(uuid) != self._data(uuid):
                    yield f"job {uuid} ended with other data or as {end}"


class Machine:
    """A system on a disk that forgets."""

    def __init__(self, folder: Path, dice: random.Random) -> None:
        self.dice = dice
        self.answers = Answers()
        self.violations: list[str] = []
        self.cuts = 0
        (folder / "disk" / "binlog").mkdir(parents=True)
        self.disk = Disk(folder / "disk", build("forget", folder), folder / "journal")
        self.system = System(folder, cold=True)
        self.system.store_path = self.disk.folder / "zerog.db"
        self.system.store = f"sqlite:///{self.system.store_path}"
        self.system.beanstalkd = Beanstalkd(binlog=self.disk.folder / "binlog")
        self._env = {**self.disk.env, MARKS: str(folder / "marks")}

    def run(self, cuts: int, *, to_the_end: bool = True) -> None:
        """Cut the power so often, then let every job end: that takes some ten seconds."""
        try:
            for _ in range(cuts):
                self._start()
                self._load_and_cut()
            self._start()
            self._check()
            if to_the_end:
                self._wait_for_the_end()
        finally:
            self.system.close()

    def _start(self) -> None:
        self.system.beanstalkd.fsync_milliseconds = self.dice.choice([0, 50])
        with patch.dict(os.environ, self.disk.env):
            self.system.beanstalkd.start()
        # Whoever comes first makes the file, or SQLite's log.
        if self.dice.random() < 0.5:
            self._start_worker()
            self.system.start_api(**self._env)
        else:
            self.system.start_api(**self._env)
            self._start_worker()

    def _start_worker(self) -> None:
        self.system.start("worker", str(JOBS), "--slots", "2", **self._env)

    def _check(self) -> None:
        found = list(self.answers.violations(self.system.client))
        self.violations += [f"after cut {self.cuts}: {violation}" for violation in found]

    def _load_and_cut(self) -> None:
        self._check()
        until(lambda: self.system.client.types(), what="the types are registered")
        stop = threading.Event()
        url = f"http://127.0.0.1:{self.system.port}"
        thread = threading.Thread(
            target=self.answers.gather, args=(url, random.Random(self.dice.random()), stop)
        )
        thread.start()
        time.sleep(self.dice.uniform(*LOAD_SECONDS))
        self._kill_all()
        stop.set()
        thread.join()
        self.disk.cut(self.dice, self.dice.choice(SHARES))
        self.cuts += 1

    def _kill_all(self) -> None:
        processes = [psutil.Process(process.pid) for process in self.system.processes]
        family = [child for process in processes for child in process.children(recursive=True)]
        self.system.beanstalkd.signal(signal.SIGKILL)
        for process in [*processes, *family]:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self.system.beanstalkd.kill()
        for popen in self.system.processes:
            popen.wait()
        psutil.wait_procs(family, timeout=10)
        self.system.processes.clear()

    def _wait_for_the_end(self) -> None:
        client = self.system.client
        # What is delayed by an hour was to be cancelled.
        for uuid, data in self.answers.acknowledged.items():
            if data is None:
                with contextlib.suppress(ApiError):  # lost jobs were reported by then
                    client.cancel(uuid)
        open_states = ["queued", "running", "waiting"]
        try:
            until(lambda: not list(client.list(states=open_states)), END_SECONDS, "all have ended")
        except AssertionError:
            self.violations.append(f"not ended: {list(client.list(states=open_states))[:3]}")
        self.violations += self.answers.end_violations(client)


def main() -> int:
    """Run some rounds, and return 1 if anything was violated."""
    with trial("power", __doc__, alone=True) as made:
        for seed in made.seeds():
            with made.round(seed) as folder:
                machine = Machine(folder, random.Random(seed))
                machine.run(CUTS_PER_ROUND)
                made.complain(*machine.violations)
                made.thrown["power cuts"] += machine.cuts
                made.thrown["acknowledged jobs"] += len(machine.answers.acknowledged)
                made.thrown["of them reported finished"] += len(machine.answers.finished)
                made.thrown["KiB not synced"] += machine.disk.forgotten // 1024
            made.say(made.figure())
        return made.end()


if __name__ == "__main__":
    sys.exit(main())
