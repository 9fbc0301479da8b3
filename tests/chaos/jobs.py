"""The jobs of `make chaos`. Each marks in a shared file when its attempt begins, lives and ends.

A mark is one line: UUID, attempt, process, what, and the time by the machine's monotonic
clock, so that marks of different processes can be compared.
"""

import os
import subprocess
import time
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import zerog

#: Names the file; it also tells the processes of a run from all others.
MARKS = "CHAOS_MARKS"
TICK_SECONDS = 0.05


class Marked(zerog.Job):
    """A job with marks. It may be killed often: only its own errors use up a budget."""

    __abstract__ = True

    value: int = 0
    seconds: float = 0.0

    class Options:
        max_crashes = 1000
        backoff_seconds = 0.2
        backoff_max_seconds = 1.0

    def run(self, ctx: zerog.Context) -> Any:
        with self.marked(ctx):
            return self.work(ctx)

    @abstractmethod
    def work(self, ctx: zerog.Context) -> Any:
        """Do the work between the marks."""

    def mark(self, ctx: zerog.Context, what: str) -> None:
        """Write a line at once, whoever else writes."""
        line = f"{ctx.uuid} {ctx.attempt} {os.getpid()} {what} {time.monotonic():.4f}\n"
        file = os.open(os.environ[MARKS], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(file, line.encode())
        os.close(file)

    @contextmanager
    def marked(self, ctx: zerog.Context) -> Iterator[None]:
        """Mark begin and end."""
        self.mark(ctx, "begin")
        try:
            yield
        finally:
            self.mark(ctx, "end")

    def live(self, ctx: zerog.Context, seconds: float) -> None:
        """Let time pass, with marks."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            time.sleep(TICK_SECONDS)
            self.mark(ctx, "lives")


class Plain(Marked):
    """Return the number after a while."""

    def work(self, ctx: zerog.Context) -> int:
        self.live(ctx, self.seconds)
        return self.value


class Continuing(Marked):
    """Count in the state over several attempts."""

    def work(self, ctx: zerog.Context) -> Any:
        ctx.state["n"] = ctx.state.get("n", 0) + 1
        if ctx.state["n"] < 3:
            return zerog.Continue(0)
        return zerog.Result(ctx.state["n"], 207)


class Retrying(Marked):
    """Ask for a retry, then return."""

    def work(self, ctx: zerog.Context) -> int:
        if not ctx.state.get("tried"):
            ctx.state["tried"] = True
            raise zerog.Retry(0, "once more")
        return self.value


class Failing(Marked):
    """Raise until the budget is used up."""

    class Options:
        max_errors = 2

    def work(self, ctx: zerog.Context) -> None:
        raise ValueError("this never works")


class Crashing(Marked):
    """End the process in the first attempt."""

    def work(self, ctx: zerog.Context) -> int:
        if ctx.attempt == 1:
            os._exit(7)
        return self.value


class Hopeless(Marked):
    """End the process until the budget is used up."""

    class Options:
        max_crashes = 2

    def work(self, ctx: zerog.Context) -> None:
        os._exit(7)


class Big(Marked):
    """Return large parameters reversed."""

    text: str = ""

    def work(self, ctx: zerog.Context) -> str:
        return self.text[::-1]


class Saving(Marked):
    """Save each step, and begin after the last one that was saved."""

    def work(self, ctx: zerog.Context) -> int:
        for step in range(ctx.state.get("step", 0), 5):
            self.live(ctx, TICK_SECONDS)
            ctx.state["step"] = step + 1
            ctx.save_state()
        return int(ctx.state["step"])


class Printing(Marked):
    """Print and log much."""

    def work(self, ctx: zerog.Context) -> int:
        for line in range(200):
            print(f"line {line} " + "x" * 100)
            ctx.info(f"line {line}")
        return self.value


class Forking(Marked):
    """Leave processes behind that outlive the job if nobody ends them."""

    def work(self, ctx: zerog.Context) -> int:
        subprocess.Popen(["sleep", "300"], start_new_session=True)
        if os.fork() == 0:
            time.sleep(300)
            os._exit(0)
        self.live(ctx, self.seconds)
        return self.value
