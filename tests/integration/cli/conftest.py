"""A whole `zerog dev` of its own for a test, and the command as people call it."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.processes import run_zerog, start_zerog
from tests.readiness import is_success

from zerog_tools.cluster.ports import free_port

DEADLINE_SECONDS = 240.0
JOBS = '''
import os
import time
import zerog

if "LONG_LINE" in os.environ:
    print("x" * int(os.environ["LONG_LINE"]))

class Hello(zerog.Job):
    """Say hello."""
    name: str
    seconds: float = 0
    hold: str = ""
    def run(self, ctx):
        while self.hold and not os.path.exists(self.hold):
            time.sleep(0.02)
        for _ in ctx.track(range(10)):
            time.sleep(self.seconds / 10)
        ctx.info(f"greeted {self.name}")
        return f"Hello, {self.name}."

class Broken(zerog.Job):
    """Never works."""
    class Options: max_errors = 1
    def run(self, ctx):
        raise ValueError("broken by design")

class Partial(zerog.Job):
    """Does a part of it."""
    def run(self, ctx):
        return zerog.Result({"rows": 7}, code=422)

class Large(zerog.Job):
    """Returns much."""
    def run(self, ctx):
        return {"text": "x" * 100_000}

class Stubborn(zerog.Job):
    """Does not notice that it should end."""
    def run(self, ctx):
        deadline = time.monotonic() + 600
        while time.monotonic() < deadline:
            try:
                time.sleep(1)
            except BaseException:
                pass
'''


class Dev:
    """A running `zerog dev`."""

    def __init__(self, folder: Path, *arguments: str, **env: str) -> None:
        self.folder, self.port = folder, free_port()
        self.jobs = folder / "jobs.py"
        self.jobs.write_text(JOBS)
        self.log = folder / "dev.log"
        self.env = {k: v for k, v in os.environ.items() if not k.startswith("ZEROG_")} | env
        command = ["dev", "--port", str(self.port), *arguments, str(self.jobs)]
        with self.log.open("wb") as file:
            self.process = start_zerog(command, cwd=folder, env=self.env, stdout=file)
        self.wait_for("ZeroG is up")

    def wait_for(self, text: str, count: int = 1) -> None:
        """Wait until the log has the text so often."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while self.log.read_text().count(text) < count:
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)

    def wait_until(self, look: Callable[[], bool]) -> None:
        """Look until it is so."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not look():
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)

    def run(self, *arguments: str, code: int = 0) -> str:
        """Call `zerog` beside it; return what it printed, errors after output."""
        result = self._call(*arguments)
        assert result.returncode == code, result.stdout + result.stderr
        return result.stdout + result.stderr

    def submit(self, *arguments: str) -> str:
        """Submit a job; return its uuid, without the remark that no worker serves it yet."""
        result = self._call("submit", *arguments)
        assert result.returncode == 0, result.stderr
        return result.stdout.strip()

    def tried(self, *parameters: str) -> str:
        """Submit a `Hello`, whether that works or not; return what the command printed."""
        result = self._call("submit", "Hello", *parameters)
        return result.stdout + result.stderr

    def _call(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return run_zerog(arguments, env=self.env, timeout=DEADLINE_SECONDS, cwd=self.folder)

    def json(self, *arguments: str) -> Any:
        """Call it with --json and read the answer."""
        return json.loads(self.run(*arguments, "--json"))

    def state(self, uuid: str) -> str:
        """Return a job's state, without the time a command takes to start."""
        url = f"http://127.0.0.1:{self.port}/v1/jobs/{uuid}/progress"
        return str(httpx.get(url, timeout=60).json()["state"])

    def answers(self) -> bool:
        """Whether the API is there."""
        return is_success(f"http://127.0.0.1:{self.port}/healthz")

    def stop(self) -> int:
        """One ^C, as the terminal sends it to the whole group."""
        os.killpg(self.process.pid, signal.SIGINT)
        return self.process.wait(DEADLINE_SECONDS)

    def close(self) -> None:
        """End what is left."""
        if self.process.poll() is None:
            self.stop()


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    """One system for the tests that break nothing."""
    made = Dev(tmp_path_factory.mktemp("dev"))
    yield made
    made.close()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Any]:
    """Start systems with options and an environment; they end with the test."""
    made: list[Dev] = []

    def start(*arguments: str, **env: str) -> Dev:
        made.append(Dev(tmp_path, *arguments, **env))
        return made[-1]

    yield start
    for item in made:
        item.close()
