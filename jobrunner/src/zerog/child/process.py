"""The process that runs jobs, one after another, on its main thread.

It trusts its worker and nobody trusts it: whatever a job does to this process ends with
this process. Between jobs the working directory, environment, umask and signal handlers
are put back, and processes that a job left behind are killed.
"""

import contextlib
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from types import FrameType
from typing import Any

from pydantic import ValidationError

from zerog.child import frames, procfs
from zerog.child.reporter import Reporter, Shield
from zerog.sdk.context import Context
from zerog.sdk.invoke import invoke
from zerog.sdk.registry import JobType
from zerog.sdk.signals import Cancelled, TimedOut

_RECEIVE_BYTES = 256 * 1024
#: How long leftovers of a job may take to vanish after SIGKILL.
_REAP_SECONDS = 2.0


def child_main(pipe: socket.socket, types: Mapping[str, JobType]) -> None:
    """Be a child until the pipe is closed. Does not return."""
    try:
        os.setsid()
        procfs.die_with_parent()
        procfs.adopt_orphans()
        procfs.go_first()
        _detach_stdin()
        Child(pipe, types).serve()
    except (EOFError, OSError, frames.FrameError):
        pass
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        # No handlers of the nursery, no atexit of job modules: this is a fork.
        os._exit(0)


def _detach_stdin() -> None:
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """What a job may change and the next one must not see."""

    directory: str
    environ: dict[str, str]
    umask: int

    @classmethod
    def now(cls) -> "_Surroundings":
        umask = os.umask(0o022)
        os.umask(umask)
        return cls(os.getcwd(), dict(os.environ), umask)

    def restore(self) -> None:
        if os.environ != self.environ:
            os.environ.clear()
            os.environ.update(self.environ)
        os.umask(self.umask)
        with contextlib.suppress(OSError):
            os.chdir(self.directory)


class Child:
    """Runs the jobs that arrive on the pipe."""

    def __init__(self, pipe: socket.socket, types: Mapping[str, JobType]) -> None:
        self._pipe = pipe
        self._types = types
        self._reader = frames.FrameReader()
        self._inbox: list[dict[str, Any]] = []
        self._shield = Shield()
        self._reporter = Reporter(pipe, self._shield, self._poll_cancel)
        #: The UUID of the job that runs now, and why it is to end.
        self._running: str | None = None
        self._why: str | None = None

    def serve(self) -> None:
        """Run jobs until the worker closes the pipe (`EOFError`)."""
        surroundings = _Surroundings.now()
        self._set_signals()
        while True:
            frame = self._next_frame()
            if frame.get("op") == "exit":
                return
            if frame.get("op") != "run":
                continue  # a cancel that came too late
            outcome = self._run(frame)
            surroundings.restore()
            self._set_signals()
            outcome["recycle"] = self._left_something()
            outcome["rssBytes"] = procfs.resident_bytes()
            self._reporter.finish(outcome)

    def _run(self, frame: dict[str, Any]) -> dict[str, Any]:
        job_type = self._types.get(frame["type"])
        if job_type is None:
            return _invalid(f"no job type {frame['type']} in this worker")
        try:
            job = job_type.cls.model_validate(frame["parameters"])
        except ValidationError as error:
            return _invalid(_describe(error))
        except Exception as error:  # a validator of the job's author
            return _invalid(f"{type(error).__name__}: {error}")
        deadline = frame["deadline"]
        context = Context(
            self._reporter,
            uuid=frame["uuid"],
            attempt=frame["attempt"],
            state=frame["state"],
            deadline=None if deadline is None else datetime.fromtimestamp(deadline, UTC),
        )
        self._why, self._running = None, frame["uuid"]
        try:
            return invoke(job, context)
        except (Cancelled, TimedOut):
            # The signal came after `run` and before the outcome was put together.
            return {"op": "outcome", "kind": "cancelled"}
        finally:
            self._running = None
            self._shield.drop()

    def _set_signals(self) -> None:
        signal.signal(signal.SIGTERM, self._terminated)
        # ^C in a terminal goes to the whole group of the worker; the worker decides.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.setitimer(signal.ITIMER_REAL, 0)

    def _terminated(self, signum: int, frame: FrameType | None) -> None:
        """SIGTERM: end the running job, if it is the one that the worker means."""
        with contextlib.suppress(OSError, EOFError, frames.FrameError):
            self._poll_cancel()
        if self._running is not None and self._why is not None:
            error = TimedOut if self._why == "timeout" else Cancelled
            self._shield.raise_or_hold(error(f"the worker ends the job: {self._why}"))

    def _poll_cancel(self) -> bool:
        while self._why is None and select.select([self._pipe], [], [], 0)[0]:
            self._receive()
            self._take_cancels()
        self._take_cancels()
        return self._why is not None

    def _take_cancels(self) -> None:
        for frame in [item for item in self._inbox if item.get("op") == "cancel"]:
            self._inbox.remove(frame)
            if frame.get("uuid") == self._running:
                self._why = str(frame.get("why"))

    def _next_frame(self) -> dict[str, Any]:
        while not self._inbox:
            self._receive()
        return self._inbox.pop(0)

    def _receive(self) -> None:
        data = self._pipe.recv(_RECEIVE_BYTES)
        if not data:
            raise EOFError
        self._inbox += self._reader.feed(data)

    def _left_something(self) -> bool:
        """Kill the processes that the job left; whether it left any, or threads."""
        threads = [
            thread
            for thread in threading.enumerate()
            if thread is not threading.main_thread() and thread.name != "zerog-reports"
        ]
        return _kill_children() or bool(threads)


def _kill_children() -> bool:
    try:
        # ECHILD is the usual answer, and costs one system call.
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    deadline = time.monotonic() + _REAP_SECONDS
    while time.monotonic() < deadline:
        for pid in procfs.children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            break
        time.sleep(0.001)
    return True


def _invalid(message: str) -> dict[str, Any]:
    return {"op": "outcome", "kind": "invalid", "message": message}


def _describe(error: ValidationError) -> str:
    faults = [
        ".".join(str(part) for part in fault["loc"]) + ": " + fault["msg"]
        for fault in error.errors(include_url=False, include_input=False)
    ]
    return "the parameters do not fit: " + "; ".join(faults)
