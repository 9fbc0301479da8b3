"""`python -m tests.chaos`: break a real system at random, then check it. A round is a fault.

All faults hit one system, so a round cannot be repeated without those before it.
"""

import contextlib
import random
import sys
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
from tests.chaos.trial import Trial, trial
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


class Run:
    """One run: load, faults, healing, checks."""

    def __init__(self, trial: Trial) -> None:
        self._trial = trial
        self.dice = random.Random(trial.seed)
        self.marks = trial.folder / "marks"
        self._kinds = [kind for kind in KINDS if HAS_COMPILER or kind != "shift_clock"]
        self.system = System(trial.folder, cold=True)
        self.recovery: dict[str, list[float]] = defaultdict(list)
        self._load = Load(f"http://127.0.0.1:{self.system.port}", random.Random(self.dice.random()))
        self._canary = Client(f"http://127.0.0.1:{self.system.port}", retry_seconds=60)
        self._stop = threading.Event()
        self._threads = ThreadPoolExecutor(2)

    @property
    def jobs(self) -> list[Expected]:
        return self._load.acknowledged

    def go(self) -> None:
        """Run everything, and complain of what is wrong."""
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
        for _ in self._trial.seeds():
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
                self._trial.complain(f"while submitting: {error!r}")

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
        self._trial.thrown["faults"] += len(kinds)
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
            self._trial.complain(f"{' and '.join(kinds)}: no job got through in {took:.0f} s")
        shown = f"{answered - began:.2f} s" if answered else "never"
        self._trial.thrown["jobs"] = len(self.jobs)
        self._trial.say(f"{len(self.jobs):6} jobs  {' + '.join(kinds):32} {shown}")

    def _wait_for_canary(self) -> float | None:
        """Let a job go through end to end, and return when it has."""
        try:
            uuid = self._canary.submit("Plain", {"value": -1}, priority=0)
            self._canary.wait(uuid, RECOVERY_SECONDS)
        except ZeroGError as error:
            self._trial.say(f"       canary: {error}")
            return None
        self._load.acknowledged.append(Expected(uuid, "canary", "succeeded", -1, 200))
        return time.monotonic()

    def _heal(self, chaos: Chaos) -> None:
        self._trial.say("       all is healed; waiting for the end of every job")
        self._load.finish()
        try:
            until(lambda: self._open() == 0, END_SECONDS, "every job has ended")
        except AssertionError:
            left = list(self.system.client.list(states=UNFINISHED_STATES))
            self._trial.complain(f"{len(left)} jobs have not ended: {left[:3]}")

    def _check(self, chaos: Chaos) -> None:
        client, store = self.system.client, self.system.store_path
        outcomes: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for uuid, before, after in checks.reported(store):
            outcomes[uuid].append((before, after))
        known = {item["uuid"] for item in client.list()}
        for job in self.jobs:
            if job.uuid not in known:
                self._trial.complain(f"{job.kind} job {job.uuid} is lost")
                continue
            found = checks.record_faults(job, client.get(job.uuid), outcomes[job.uuid])
            self._trial.complain(*(f"{job.kind} job {job.uuid}: {fault}" for fault in found))
        surplus = len(known) - len({job.uuid for job in self.jobs})
        if surplus > self._load.unknown:
            self._trial.complain(f"{surplus} jobs that nobody submitted")
        runs = checks.read_runs(self.marks)
        self._trial.complain(*checks.overlap_faults(runs, chaos.frozen))
        self._trial.complain(*checks.early_faults(self.jobs, runs))
        # A cancelled job's entry and a given up attempt's documents go a moment later.
        self._trial.complain(
            *_lasting(lambda: list(checks.queue_faults(self.system.beanstalkd.port)))
        )
        self._trial.complain(*_lasting(lambda: list(checks.store_faults(store))))
        self._trial.complain(
            *(f"a worker ended by itself with code {code}" for code in chaos.dead_workers())
        )

    def _end(self, chaos: Chaos) -> None:
        for process in [*chaos.workers, chaos.api]:
            self.system.stop(process)
        self._trial.complain(*_lasting(lambda: list(checks.process_faults(self.marks))))
        self._trial.complain(*checks.log_faults(self.system.folder))

    def report(self) -> None:
        """Print what happened, as a table for the docs."""
        say = self._trial.say
        say(f"\n| Fault | Times | Recovery p50 | max |\n|{'---|' * 4}")
        for kind in [*KINDS, "two at once"]:
            times = self.recovery[kind]
            if times:
                middle, most = median(times), max(times)
                name = kind.replace("_", " ")
                say(f"| {name} | {len(times)} | {middle:.1f} s | {most:.1f} s |")
        kinds = Counter(job.kind for job in self.jobs)
        listed = ", ".join(f"{count} {kind}" for kind, count in sorted(kinds.items()))
        say(f"\n{len(self.jobs)} acknowledged jobs: {listed}")
        for text, count in self._load.refused.most_common(5):
            say(f"{count} calls failed: {text}")


def _lasting(look: Callable[[], list[str]]) -> list[str]:
    """Return the faults that do not pass by themselves."""
    with contextlib.suppress(AssertionError):
        until(lambda: not look(), PASSING_SECONDS)
    return look()


def main() -> int:
    """Run, print the table, and return 1 if anything was violated."""
    with trial("chaos", __doc__, alone=False) as made:
        run = Run(made)
        run.go()
        made.thrown["jobs"] = len(run.jobs)
        run.report()
        return made.end()


if __name__ == "__main__":
    sys.exit(main())
