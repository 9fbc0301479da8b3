"""Servers as processes of this machine, each with its own process group and log.

A process belongs to the thread that started it: it gets SIGTERM when that thread ends, so
that a killed test run leaves nothing behind. Start them from the main thread.
"""

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import httpx

from zerog.queue.beanstalk.server import die_with_parent

T = TypeVar("T")
#: How long a server may take to end after SIGTERM before it is killed.
STOP_SECONDS = 10.0
#: Between two looks. Each look costs whoever is looked at something, too, and many look.
FIRST_PAUSE_SECONDS, LAST_PAUSE_SECONDS = 0.02, 0.25
_LINE_CHARACTERS = 500
#: A variable of each process of a node agent's pods: whoever inherits it ends with its container.
MARK = "NODE_AGENT_CONTAINER"


class ClusterError(Exception):
    """A cluster, or a part of it, does not do what it should."""


class Startable:
    """What runs while it is in a `with` block: the base of each class that runs a program."""

    def start(self) -> None:
        """Start it, and return once it is ready."""
        raise NotImplementedError

    def stop(self) -> None:
        """Stop it. Idempotent."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def wait_until(look: Callable[[], T | None], seconds: float, what: str) -> T:
    """Look until something true is there, and return it.

    Raises:
        ClusterError: It is not there in time.
    """
    deadline = time.monotonic() + seconds
    pause = FIRST_PAUSE_SECONDS
    while True:
        if found := look():
            return found
        if time.monotonic() > deadline:
            raise ClusterError(f"not within {seconds:.0f} s: {what}")
        time.sleep(pause)
        pause = min(1.25 * pause, LAST_PAUSE_SECONDS)


def answers(url: str) -> bool:
    """Return whether a local server answers, and with success."""
    try:
        return httpx.get(url, trust_env=False).is_success
    except httpx.TransportError:
        return False


def find_marked(prefix: str) -> list[int]:
    """Return the processes whose mark starts so."""
    wanted = f"{MARK}={prefix}".encode()
    found = []
    for entry in os.scandir("/proc"):
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                values = Path(entry.path, "environ").read_bytes().split(b"\0")
                if any(value.startswith(wanted) for value in values):
                    found.append(int(entry.name))
    return found


def signal_marked(prefix: str, signum: int) -> bool:
    """Send a signal to the processes whose mark starts so; return whether there were any."""
    found = find_marked(prefix)
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signum)
    return bool(found)


def kill_marked(prefix: str) -> None:
    """Kill the processes whose mark starts so, and wait for their end."""
    wait_until(
        lambda: not signal_marked(prefix, signal.SIGKILL),
        STOP_SECONDS,
        f"the processes of {prefix} end",
    )


class ServerProcess(Startable):
    """A server that a test may stop, kill, freeze and start again."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.log = log
        self._command = list(command)
        self._env = dict(env) if env is not None else None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The id of the process and of its group; None when it does not run."""
        running = self._process is not None and self._process.poll() is None
        return self._process.pid if running and self._process else None

    def start(self) -> None:
        """Start it; its readiness is for the caller to see, or for `start_until`."""
        if self.pid is not None:
            raise ClusterError(f"{self.name} runs already")
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                self._command,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                preexec_fn=die_with_parent(),
                process_group=0,
            )

    def start_until(self, is_ready: Callable[[], bool], seconds: float) -> None:
        """Start it, and return once it is ready.

        Raises:
            ClusterError: It has ended, or is late; it does not run then.
        """

        def look() -> bool:
            self.check()
            return is_ready()

        self.start()
        try:
            wait_until(look, seconds, f"{self.name} is ready")
        except BaseException:
            self.kill()
            raise

    def check(self) -> None:
        """Raise a ClusterError with the end of the log if it has ended."""
        if self._process is not None and self._process.poll() is not None:
            raise ClusterError(
                f"{self.name} ended with code {self._process.returncode}; {self.log} ends:\n"
                f"{self.read_log_end()}"
            )

    def stop(self, seconds: float = STOP_SECONDS) -> None:
        """End it and its group, by force if it does not end in time. Idempotent."""
        self.signal(signal.SIGTERM)
        self.signal(signal.SIGCONT)
        if self._process is None:
            return
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """End it and its group as a crash would, and wait for its end. Idempotent."""
        self.signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait(STOP_SECONDS)

    def signal(self, signum: int) -> None:
        """Send a signal to its group, e.g. SIGSTOP to freeze it."""
        if (pid := self.pid) is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, signum)

    def read_log_end(self, lines: int = 20) -> str:
        """Return the last lines of its log."""
        if not self.log.exists():
            return "(no log)"
        found = self.log.read_text(errors="replace").splitlines()[-lines:]
        return "\n".join(line[:_LINE_CHARACTERS] for line in found)
