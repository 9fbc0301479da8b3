"""`python -m tests.chaos --seed N --minutes M`: break a real system at random, then check it."""

import argparse
import contextlib
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median

from tests.chaos import checks
from tests.chaos.faults import KINDS, Chaos
from tests.chaos.jobs import MARKS
from tests.chaos.load import UNFINISHED_STATES, Expected, Load
from tests.chaos.preload import HAS_COMPILER
from tests.integration.client.cutting_proxy import CuttingProxy
from tests.integration.path.conftest import System, until

from zerog.client import Client
from zerog.model.errors import ZeroGError

JOBS = Path(__file__).with_name("jobs.py")
#: Submits pause while this many jobs are open, so that the end is near when the faults are over.
MAX_OPEN = 80
PER_ROUND, ROUND_SECONDS = 5, 0.4
#: Between the recovery from a fault and the next one.
PAUSE_SECONDS = (0.2, 1.5)
#: One fault in this many gets a second one at the same time.
TOGETHER = 5
RECOVERY_SECONDS = 120.0
END_SECONDS = 300.0
#: What is cleaned up late is no violation.
PASSING_SECONDS = 30.0
SHOWN = 20


class Run:
    """One run: load, faults, healing, checks."""

    def __init__(self, folder: Path, seed: int, seconds: float) -> None:
        self.dice = random.Random(seed)
        self.seconds = seconds
        self.marks = folder / "marks"
        self._kinds = [kind for kind in KINDS if HAS_COMPILER or kind != "shift_clock"]
        self.system = System(folder)
        self.faults: Counter[str] = Counter()
        self.recovery: dict[str, list[float]] = defaultdict(list)
        self.violations: list[str] = []
        self._load = Load(f"http://127.0.0.1:{self.system.port}", random.Random(self.dice.random()))
        self._canary = Client(f"http://127.0.0.1:{self.system.port}", retry_seconds=60)
        self._stop = threading.Event()
        self._threads = ThreadPoolExecutor(2)

    @property
    def jobs(self) -> list[Expected]:
        return self._load.acknowledged

    def go(self) -> None:
        """Run everything; `violations` has what is wrong."""
        system = self.system
        try:
            system.beanstalkd.start()
            system.start_api(**{MARKS: str(self.marks)})
            checks.watch(system.store_path)
            with CuttingProxy(system.beanstalkd.port, cut=0) as proxy:
                queue = proxy.url.removeprefix("http://")
                env = {MARKS: str(self.marks), "ZEROG_QUEUE": queue}
                chaos = Chaos(system, self.dice, JOBS, proxy=proxy, env=env)
                until(lambda: len(system.client.workers()) == 2, what="the workers are there")
                self._break(chaos)
                self._heal(chaos)
                self._check(chaos)
                self._end(chaos)
        finally:
            self._stop.set()
            system.close()

    def _break(self, chaos: Chaos) -> None:
        thread = threading.Thread(target=self._submit, daemon=True)
        thread.start()
        self._wait_for_canary()
        ends = time.monotonic() + self.seconds
        while time.monotonic() < ends:
            self._fault(chaos)
            time.sleep(self.dice.uniform(*PAUSE_SECONDS))
        self._stop.set()
        thread.join(RECOVERY_SECONDS)

    def _submit(self) -> None:
        while not self._stop.wait(ROUND_SECONDS):
            try:
                if self._open() < MAX_OPEN:
                    self._load.submit_some(PER_ROUND)
            except Exception as error:
                self.violations.append(f"while submitting: {error!r}")

    def _open(self) -> int:
        states = str(UNFINISHED_STATES)
        ((count,),) = checks.query(
            self.system.store_path,
            f"SELECT count(*) FROM document WHERE collection = 'jobs' AND state IN {states}",
        )
        return int(count)

    def _fault(self, chaos: Chaos) -> None:
        kinds = [self.dice.choice(self._kinds)]
        if self.dice.randrange(TOGETHER) == 0:
            kinds.append(self.dice.choice(self._kinds))
        self.faults.update(kinds)
        began = time.monotonic()
        heals = [self._threads.submit(chaos.strike(kind)) for kind in kinds]
        answered = self._wait_for_canary()
        for heal in heals:
            heal.result()
        took = time.monotonic() - began
        name = kinds[0] if len(kinds) == 1 else "two at once"
        if answered:
            self.recovery[name].append(answered - began)
        else:
            self.violations.append(f"{' and '.join(kinds)}: no job got through in {took:.0f} s")
        shown = f"{answered - began:.2f} s" if answered else "never"
        print(f"{len(self.jobs):6} jobs  {' + '.join(kinds):32} {shown}", flush=True)

    def _wait_for_canary(self) -> float | None:
        """Let a job go through end to end, and return when it has."""
        try:
            uuid = self._canary.submit("Plain", {"value": -1}, priority=0)
            self._canary.wait(uuid, RECOVERY_SECONDS)
        except ZeroGError as error:
            print(f"       canary: {error}", flush=True)
            return None
        self._load.acknowledged.append(Expected(uuid, "canary", "succeeded", -1, 200))
        return time.monotonic()

    def _heal(self, chaos: Chaos) -> None:
        print("       all is healed; waiting for the end of every job", flush=True)
        self._load.finish()
        try:
            until(lambda: self._open() == 0, END_SECONDS, "every job has ended")
        except AssertionError:
            left = list(self.system.client.list(states=UNFINISHED_STATES))
            self.violations.append(f"{len(left)} jobs have not ended: {left[:3]}")

    def _check(self, chaos: Chaos) -> None:
        client, store = self.system.client, self.system.store_path
        outcomes: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for uuid, before, after in checks.reported(store):
            outcomes[uuid].append((before, after))
        known = {item["uuid"] for item in client.list()}
        for job in self.jobs:
            if job.uuid not in known:
                self.violations.append(f"{job.kind} job {job.uuid} is lost")
                continue
            found = checks.record_faults(job, client.get(job.uuid), outcomes[job.uuid])
            self.violations += [f"{job.kind} job {job.uuid}: {fault}" for fault in found]
        surplus = len(known) - len({job.uuid for job in self.jobs})
        if surplus > self._load.unknown:
            self.violations.append(f"{surplus} jobs that nobody submitted")
        runs = checks.read_runs(self.marks)
        self.violations += checks.overlap_faults(runs, chaos.frozen)
        self.violations += checks.early_faults(self.jobs, runs)
        # A cancelled job's entry and a given up attempt's documents go a moment later.
        self.violations += _lasting(lambda: list(checks.queue_faults(self.system.beanstalkd.port)))
        self.violations += _lasting(lambda: list(checks.store_faults(store)))
        self.violations += [
            f"a worker ended by itself with code {code}" for code in chaos.dead_workers()
        ]

    def _end(self, chaos: Chaos) -> None:
        for process in [*chaos.workers, chaos.api]:
            self.system.stop(process)
        self.violations += _lasting(lambda: list(checks.process_faults(self.marks)))
        self.violations += checks.log_faults(self.system.folder)

    def report(self, seed: int) -> None:
        """Print what happened, as a table for the docs."""
        print(f"\n| Fault | Times | Recovery p50 | max |\n|{'---|' * 4}")
        for kind in [*KINDS, "two at once"]:
            times = self.recovery[kind]
            if times:
                print(f"| {kind.replace('_', ' ')} | {len(times)} | {median(times):.1f} s "
                      f"| {max(times):.1f} s |")  # fmt: skip
        kinds = Counter(job.kind for job in self.jobs)
        print(f"\n{len(self.jobs)} acknowledged jobs: "
              + ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items())))  # fmt: skip
        print(f"{self.faults.total()} faults, {len(self.violations)} violations")
        for text, count in self._load.refused.most_common(5):
            print(f"{count} calls failed: {text}")
        for violation in self.violations[:SHOWN]:
            print(f"VIOLATION {violation}")
        print(f"again: make chaos SEED={seed} MINUTES={self.seconds / 60:g}")


def _lasting(look: Callable[[], list[str]]) -> list[str]:
    """Return the faults that do not pass by themselves."""
    with contextlib.suppress(AssertionError):
        until(lambda: not look(), PASSING_SECONDS)
    return look()


def main() -> int:
    """Run, print the table, and return 1 if anything was violated."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--folder", type=Path, help="where data and logs stay")
    options = parser.parse_args()
    # An end by `kill` or `timeout` leaves no processes either.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    print(f"seed {options.seed}, {options.minutes:g} minutes", flush=True)
    with tempfile.TemporaryDirectory(prefix="chaos-") as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        run = Run(folder, options.seed, 60 * options.minutes)
        run.go()
        run.report(options.seed)
    return 1 if run.violations else 0


if __name__ == "__main__":
    sys.exit(main())
