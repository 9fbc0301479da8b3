"""Job types that the tests of the job path run: well-behaved ones and all kinds of bad ones."""

import ctypes
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import zerog


class Echo(zerog.Job):
    """Return what was given."""

    value: Any = None
    log: str = ""

    def run(self, ctx: zerog.Context) -> Any:
        if self.log:
            ctx.info(self.log)
        return self.value


class AsyncEcho(zerog.Job):
    """The same, asynchronously."""

    value: Any = None

    async def run(self, ctx: zerog.Context) -> Any:
        return self.value


class Steps(zerog.Job):
    """Do steps that take time; a line in a file tells of each attempt that came to its end.

    After its first step it waits until the file `hold` is there: it runs as long as a test needs.
    """

    path: str = ""
    steps: int = 10
    seconds: float = 0.05
    hold: str = ""

    class Options:
        # No attempt but one after an error ever waits; a test would see that.
        backoff_seconds = 3600
        backoff_max_seconds = 3600

    def run(self, ctx: zerog.Context) -> int:
        for step in ctx.track(range(self.steps)):
            time.sleep(self.seconds)
            ctx.info(f"step {step}")
            while self.hold and not os.path.exists(self.hold) and not ctx.cancelled:
                time.sleep(0.02)
        if self.path:
            with open(self.path, "a") as file:
                file.write(f"{ctx.uuid} {ctx.attempt}\n")
        return self.steps


class Followed(zerog.Job):
    """Begin each step when somebody has noted in a folder that the progress so far was seen."""

    folder: str
    steps: int

    def run(self, ctx: zerog.Context) -> None:
        for step in ctx.track(range(self.steps)):
            while step and not Path(self.folder, f"{ctx.completeness:.2f}").exists():
                time.sleep(0.02)
            ctx.info(f"step {step}")


class Stubborn(zerog.Job):
    """Ignore every polite request to end."""

    def run(self, ctx: zerog.Context) -> None:
        while True:
            try:
                time.sleep(0.05)
            except BaseException:
                continue


class Careful(zerog.Job):
    """Clean up when told to end."""

    path: str

    def run(self, ctx: zerog.Context) -> None:
        try:
            ctx.info("begun")
            while True:
                time.sleep(0.02)
        finally:
            Path(self.path).write_text("cleaned up")


class Polite(zerog.Job):
    """Notice a cancel by itself."""

    def run(self, ctx: zerog.Context) -> None:
        while not ctx.cancelled:
            time.sleep(0.02)
        raise zerog.Cancelled


class Slow(zerog.Job):
    """Run longer than allowed."""

    class Options:
        timeout = 2
        max_errors = 1

    def run(self, ctx: zerog.Context) -> None:
        ctx.set_completeness(0.5)
        time.sleep(60)


class Failing(zerog.Job):
    """Raise, every time."""

    class Options:
        max_errors = 2
        backoff_seconds = 0.1

    def run(self, ctx: zerog.Context) -> None:
        raise ValueError("this never works")


class Recovering(zerog.Job):
    """Fail once, then succeed with what was kept."""

    class Options:
        backoff_seconds = 0.1

    def run(self, ctx: zerog.Context) -> Any:
        tried = ctx.state.get("tried", 0)
        ctx.state["tried"] = tried + 1
        if tried == 0:
            raise zerog.Retry(0, "once more")
        return ctx.state


class Counting(zerog.Job):
    """Continue until a number is reached."""

    until: int = 3

    def run(self, ctx: zerog.Context) -> Any:
        ctx.state["n"] = ctx.state.get("n", 0) + 1
        if ctx.state["n"] < self.until:
            return zerog.Continue(0)
        return zerog.Result({"n": ctx.state["n"]}, 207)


class Choosing(zerog.Job):
    """End with a code of its own."""

    code: int

    def run(self, ctx: zerog.Context) -> None:
        raise zerog.Finish(self.code, "as asked")


class Dying(zerog.Job):
    """Die in one of many ways, at the first attempt or always."""

    how: str
    always: bool = False

    class Options:
        # After an error it waits; after a crash it does not.
        backoff_seconds = 3600
        backoff_max_seconds = 3600

    def run(self, ctx: zerog.Context) -> str:
        if ctx.attempt == 1 or self.always:
            getattr(self, f"_{self.how}")()
        return "alive"

    def _exit(self) -> None:
        os._exit(7)

    def _kill(self) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def _segfault(self) -> None:
        ctypes.string_at(0)

    def _sysexit(self) -> None:
        sys.exit(3)

    def _closepipe(self) -> None:
        os.closerange(3, 1000)
        time.sleep(30)

    def _eat(self) -> None:
        # Touched, not only asked for. Whoever has no limit is told.
        hog = [b"x" * (10 * 2**20) for _ in range(100)]
        raise AssertionError(len(hog))

    def _memory(self) -> None:
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (400 * 2**20, 400 * 2**20))
        hog = [bytearray(50 * 2**20) for _ in range(100)]
        raise AssertionError(len(hog))


class Messy(zerog.Job):
    """Leave a mess: another folder, environment, processes, threads, sockets, output."""

    def run(self, ctx: zerog.Context) -> dict[str, Any]:
        before = {
            "cwd": os.getcwd(),
            "env": os.environ.get("MESSY"),
            "pid": os.getpid(),
        }
        os.chdir("/")
        os.environ["MESSY"] = "yes"
        os.umask(0)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("output " * 1000)
        sleeper = subprocess.Popen(["sleep", "300"], start_new_session=True)
        threading.Thread(target=time.sleep, args=(300,), daemon=True).start()
        self._socket = socket.create_server(("127.0.0.1", 0))
        return {**before, "sleeper": sleeper.pid}

    model_config = {"extra": "allow"}


class Loud(zerog.Job):
    """Report very much, very fast."""

    count: int = 50_000

    def run(self, ctx: zerog.Context) -> float:
        ctx.set_ticks(self.count)
        for number in range(self.count):
            ctx.tick()
            if number % 100 == 0:
                ctx.info(f"line {number}")
        return ctx.completeness


class Big(zerog.Job):
    """Return much data, or data that has no JSON form."""

    size: int = 100_000
    text: str = ""

    def run(self, ctx: zerog.Context) -> Any:
        return object() if self.size < 0 else "x" * self.size


class Urgent(zerog.Job):
    """Say when it ran."""

    path: str
    name: str

    class Options:
        queue = "lane"

    def run(self, ctx: zerog.Context) -> None:
        with open(self.path, "a") as file:
            file.write(self.name + "\n")


class Deep(zerog.Job):
    """Return data that nests deeply."""

    depth: int

    class Options:
        backoff_seconds = 3600
        backoff_max_seconds = 3600

    def run(self, ctx: zerog.Context) -> Any:
        data: Any = 1
        for _ in range(self.depth):
            data = [data]
        return data


class Tough(zerog.Job):
    """Return a number after a while, however often it is killed on the way."""

    value: int
    seconds: float = 0.0

    class Options:
        max_crashes = 1000

    def run(self, ctx: zerog.Context) -> int:
        for step in ctx.track(range(10)):
            time.sleep(self.seconds / 10)
            ctx.info(f"step {step}")
        return self.value


class Chatty(zerog.Job):
    """Write to standard output and error in every way."""

    class Options:
        max_errors = 1

    def run(self, ctx: zerog.Context) -> None:
        for _ in range(100):
            print("output " * 100)
            print("error " * 100, file=sys.stderr, flush=True)
            logging.getLogger("chatty").warning("log %s", "x" * 500)
        sys.stdout.flush()
        ctx.info("printed")
