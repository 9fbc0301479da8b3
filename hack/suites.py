"""Run suites of tests, make's targets, and say at the end what has become of each.

    python hack/suites.py TARGET…

Two run at the same time, in the order of the arguments: most tests wait more than they compute.
Each goes on when another one has failed. What a suite prints goes to a file; of one that fails the
end is shown at once. A line every now and then says how far each is.

If a few tests with real processes failed, they run once more at the end, when nothing else runs: a
machine that others use may stand still for longer than a test waits. The summary names those that
passed then, and they are worth a look. `TEST_AGAIN=0`, as CI sets at night, counts them as failed.

What pytest counts comes from `tests/outcome.py`; a suite without tests just passes or fails.
"""

import contextlib
import dataclasses
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

LOGS = Path(".cache/tests")
AT_ONCE = 2
_LOOK_SECONDS = 0.2
#: Between two lines about progress: often enough to see that it goes on, in a log of CI, too.
_PROGRESS_SECONDS = 20.0
_SHOWN_LINES = 80
#: Suites of one run of pytest, with real processes. What is not slow has no second try.
_AGAIN = ("test-integration", "test-cluster", "test-web")
#: More failures than this are no accident.
_MAX_AGAIN = 5

Command = Callable[[str], Sequence[str]]


@dataclasses.dataclass(frozen=True)
class Counts:
    """What has become of a suite's tests: the sum over its runs of pytest."""

    total: int = 0
    passed: int = 0
    failed: tuple[str, ...] = ()
    skipped: tuple[tuple[str, int], ...] = ()

    @property
    def done(self) -> int:
        """How many tests have ended."""
        return self.passed + len(self.failed) + sum(count for _, count in self.skipped)


@dataclasses.dataclass(frozen=True)
class Result:
    """What has become of a suite."""

    name: str
    code: int
    seconds: float
    counts: Counts
    #: Tests that failed, and passed when they were tried again.
    again: tuple[str, ...] = ()


def read_counts(files: Iterable[Path]) -> Counts:
    """Add up what runs of pytest have written."""
    total, passed = 0, 0
    failed: dict[str, None] = {}
    skipped = Counter[str]()
    for file in files:
        run = json.loads(file.read_text())
        total, passed = total + run["total"], passed + run["passed"]
        failed |= dict.fromkeys(run["failed"])
        skipped.update(run["skipped"])
    return Counts(total, passed, tuple(failed), tuple(skipped.items()))


def clock(seconds: float) -> str:
    """Return seconds as minutes and seconds."""
    return f"{int(seconds) // 60}:{int(seconds) % 60:02}"


def progress(seconds: float, running: Iterable[tuple[str, Counts]]) -> str:
    """Return the line that says how far the suites are."""
    parts = [
        f"{name} {counts.done} of {counts.total}" if counts.total else name
        for name, counts in running
    ]
    return f"{clock(seconds)}  running: {', '.join(parts)}"


def line(result: Result) -> str:
    """Return what has become of a suite, in a line."""
    counts = result.counts
    tests = f"{counts.passed:>7}{len(counts.failed):>8}{sum(n for _, n in counts.skipped):>9}"
    word = "passed" if result.code == 0 else "FAILED"
    return f"{result.name:<18}{word}{tests if counts.total else ' ' * 24}{clock(result.seconds):>9}"


def summary(results: Sequence[Result], seconds: float) -> str:
    """Return the table of all suites, the reasons of skipped tests and the names of failed ones."""
    text = [f"{'suite':<24}{'passed':>7}{'failed':>8}{'skipped':>9}{'time':>9}"]
    text += [line(result) for result in results]
    skipped = sum((Counter(dict(result.counts.skipped)) for result in results), Counter[str]())
    if skipped:
        text += ["", "skipped:", *(f"  {n} × {reason}" for reason, n in skipped.most_common())]
    again = [name for result in results for name in result.again]
    if again:
        text += [
            "",
            "failed, then passed when tried again alone:",
            *(f"  {name}" for name in again),
        ]
    failed = [name for result in results for name in result.counts.failed]
    if failed:
        text += ["", "failed:", *(f"  {name}" for name in failed)]
    bad = [result.name for result in results if result.code]
    end = f"FAILED: {', '.join(bad)}; logs are in {LOGS}/" if bad else "all passed"
    return "\n".join([*text, "", f"{clock(seconds)}  {end}"])


class Suite:
    """A suite that runs."""

    def __init__(self, name: str, command: Sequence[str], **variables: str) -> None:
        self.name, self.log = name, LOGS / f"{name}.log"
        for old in LOGS.glob(f"{name}.*"):
            old.unlink()
        self._started = time.monotonic()
        # What a make above has for its own parts is not for these.
        env = {key: v for key, v in os.environ.items() if key not in ("MAKEFLAGS", "MAKELEVEL")}
        with self.log.open("wb") as file:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
                env={**env, **variables, "TEST_OUTCOME": str(LOGS.absolute() / name)},
            )  # fmt: skip

    def counts(self) -> Counts:
        """Return what has become of its tests so far."""
        return read_counts(LOGS.glob(f"{self.name}.*.json"))

    def result(self) -> Result | None:
        """Return what has become of it, None while it runs."""
        code = self.process.poll()
        if code is None:
            return None
        return Result(self.name, code, time.monotonic() - self._started, self.counts())

    def last_lines(self) -> str:
        """Return the end of what it printed."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-_SHOWN_LINES:])


def run(names: Sequence[str], command: Command, say: Callable[[str], None]) -> list[Result]:
    """Run suites; return their results in the order of their names."""
    LOGS.mkdir(parents=True, exist_ok=True)
    started = said = time.monotonic()
    waiting, running = list(names), list[Suite]()
    results: dict[str, Result] = {}
    while waiting or running:
        while waiting and len(running) < AT_ONCE:
            name = waiting.pop(0)
            running.append(Suite(name, command(name)))
        for suite in running.copy():
            if (result := suite.result()) is not None:
                running.remove(suite)
                results[suite.name] = result
                if result.code:
                    say(f"--- {suite.name}: the end of {suite.log}\n{suite.last_lines()}\n---")
                say(f"{clock(time.monotonic() - started)}  {line(result)}")
        if running and time.monotonic() - said > _PROGRESS_SECONDS:
            said = time.monotonic()
            say(progress(said - started, [(each.name, each.counts()) for each in running]))
        time.sleep(_LOOK_SECONDS)
    return [results[name] for name in names]


def is_tried_again(result: Result) -> bool:
    """Whether a suite's failed tests are worth another try."""
    failed = result.counts.failed
    every = result.counts.done >= result.counts.total
    return result.code != 0 and result.name in _AGAIN and every and 0 < len(failed) <= _MAX_AGAIN


def try_again(result: Result, command: Command, say: Callable[[str], None]) -> Result:
    """Run a suite's failed tests once more; return the suite's result with them."""
    failed = result.counts.failed
    say(f"trying {len(failed)} of {result.name} again")
    only = LOGS / f"{result.name}.again"
    only.write_text(json.dumps(failed))
    suite = Suite(f"{result.name}-again", command(result.name), TEST_ONLY=str(only.absolute()))
    code = suite.process.wait()
    if code or suite.counts().passed != len(set(failed)):
        say(f"--- {suite.name}: the end of {suite.log}\n{suite.last_lines()}\n---")
        return result
    counts = dataclasses.replace(
        result.counts, passed=result.counts.passed + len(failed), failed=()
    )
    return dataclasses.replace(result, code=0, counts=counts, again=failed)


def main() -> int:
    """Run the targets that the arguments name."""
    make = os.environ.get("MAKE", "make")
    started = time.monotonic()

    def command(name: str) -> list[str]:
        return [make, "--no-print-directory", name]

    def say(text: str) -> None:
        print(text, flush=True)

    try:
        results = run(sys.argv[1:], command, say)
        if os.environ.get("TEST_AGAIN") != "0":
            results = [
                try_again(result, command, say) if is_tried_again(result) else result
                for result in results
            ]
    except KeyboardInterrupt:  # the suites got it, too
        with contextlib.suppress(ChildProcessError):
            while True:
                os.wait()
        return 130
    print(f"\n{summary(results, time.monotonic() - started)}")
    return 1 if any(result.code for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
