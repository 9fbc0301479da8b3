"""What `make chaos`, `make power` and `make fuzz` share: seed, bound, progress and closing figure.

The seed is printed first, and decides everything that is thrown. A run ends after some minutes or
some rounds. Round n has the seed `seed + n`: where rounds do not depend on each other, each can be
repeated alone. What a round complains of is printed at once, and its folder stays.
"""

import argparse
import contextlib
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from zerog.console import ShownConsole

MINUTES = 3.0
#: Complaints that are printed; all are counted.
SHOWN = 20


@dataclass(frozen=True)
class Bound:
    """When a run ends: after minutes, or after rounds."""

    minutes: float = MINUTES
    rounds: int | None = None

    def __str__(self) -> str:
        return f"MINUTES={self.minutes:g}" if self.rounds is None else f"ROUNDS={self.rounds}"

    def share(self, rounds: int, seconds: float) -> float:
        """Return how much of a run is over: 1 or more at its end."""
        if self.rounds is None:
            return seconds / (60 * self.minutes)
        return rounds / self.rounds


@dataclass
class Trial:
    """One run of a command that throws things at ZeroG at random."""

    #: As in the Makefile.
    command: str
    seed: int
    bound: Bound
    folder: Path
    #: Whether a round can be repeated without those before it.
    alone: bool
    #: The folder stays, and gets a copy of what is printed.
    keeps: bool = False
    thrown: Counter[str] = field(default_factory=Counter)
    complaints: list[str] = field(default_factory=list)
    rounds: int = 0
    _began: float = field(default_factory=time.monotonic)
    _console: ShownConsole = field(default_factory=lambda: ShownConsole(file=sys.stdout))
    #: How the round that is under way can be repeated.
    _again: str = ""

    def __post_init__(self) -> None:
        self._again = self.again(self.seed, self.bound)
        self.say(self._again)

    def again(self, seed: int, bound: Bound) -> str:
        """Return the command that repeats a run."""
        return f"make {self.command} SEED={seed} {bound}"

    def say(self, text: str) -> None:
        """Print lines, above the progress bar if there is one."""
        self._console.print(text, soft_wrap=True)
        if self.keeps:
            with (self.folder / "said.txt").open("a") as file:
                file.write(text + "\n")

    def complain(self, *texts: str) -> None:
        """Note what was promised and did not hold."""
        for text in texts:
            self.complaints.append(text)
            if len(self.complaints) <= SHOWN:
                self.say(f"COMPLAINT {text}\n          {self._again}")

    def seeds(self) -> Iterator[int]:
        """Give the seed of each round until the run is over; on a terminal show how far it is."""
        columns = (BarColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        hidden = not self._console.is_terminal
        with Progress(*columns, console=self._console, disable=hidden) as bar:
            task = bar.add_task(self.figure(), total=1.0)
            while (share := self.bound.share(self.rounds, self.seconds)) < 1:
                bar.update(task, completed=share, description=self.figure())
                seed = self.seed + self.rounds
                if self.alone:
                    self._again = self.again(seed, Bound(rounds=1))
                self.rounds += 1
                yield seed

    @contextlib.contextmanager
    def round(self, seed: int) -> Iterator[Path]:
        """Give a round its folder. What is raised is a complaint; only then the folder stays."""
        before, folder = len(self.complaints), self.folder / str(seed)
        folder.mkdir(parents=True)
        try:
            yield folder
        except Exception:
            self.complain(traceback.format_exc())
        if len(self.complaints) == before:
            shutil.rmtree(folder)

    @property
    def seconds(self) -> float:
        """How long it has run."""
        return time.monotonic() - self._began

    def end(self) -> int:
        """Print the closing figure, and return the exit code."""
        self.say(f"\n{self.figure()}, in {self.seconds / 60:.1f} minutes")
        if self.keeps and self.complaints:
            self.say(f"logs and data: {self.folder}")
        self.say(f"again: {self.again(self.seed, self.bound)}")
        return 1 if self.complaints else 0

    def figure(self) -> str:
        """Return what was thrown until now, and how much there was to complain of."""
        thrown = [f"{count:,} {what}" for what, count in self.thrown.items()]
        counts = [f"{self.rounds:,} rounds", *thrown, f"{len(self.complaints):,} complaints"]
        return ", ".join(counts)


@contextlib.contextmanager
def trial(command: str, about: str, *, alone: bool) -> Iterator[Trial]:
    """Read the command line, and make a trial of it."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--rounds", type=int, help="instead of minutes")
    parser.add_argument("--folder", type=Path, help="where logs and data of complaints stay")
    options = parser.parse_args()
    # An end by `kill` or `timeout` leaves no processes either.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    bound = Bound(options.minutes, options.rounds)
    with tempfile.TemporaryDirectory(prefix=f"{command}-") as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        yield Trial(command, options.seed, bound, folder, alone, keeps=bool(options.folder))
