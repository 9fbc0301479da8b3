"""The process that runs jobs, one after another, on its main thread; or checks their parameters.

It trusts its worker and nobody trusts it: whatever a job does to this process ends with this
process. After each job the surroundings are compared with what they were before the first one. If
anything differs, the end says so, and the worker replaces the process.

A process that a job forks never gets here: it cannot use the pipe, and it ends where it leaves
`run` (`zerog.sdk.invoke`).

A check makes the instance that a run begins with, and goes no further. What its class refuses is a
fault. Whatever else a validator raises is unknown: here it may only lack what the worker has.
"""

import contextlib
import contextvars
import os
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from types import FrameType
from typing import NoReturn

from msgspec.structs import replace
from pydantic import ValidationError

from zerog import standardfiles
from zerog.child import landlock, output, procfs, spans
from zerog.child.cost import Gauge
from zerog.child.pipe import Pipe, Shield
from zerog.child.protocol import (
    EXIT_NO_PIPE,
    EXIT_UNEXPECTED,
    CheckedFrame,
    EndFrame,
    ExitFrame,
    FrameError,
    ReceivedCheck,
    ReceivedRun,
)
from zerog.child.surroundings import Surroundings, reseed
from zerog.model import jsontext
from zerog.model.events import Invalid, Raised, RunEnd
from zerog.model.limits import one_line
from zerog.sdk.context import Context, close
from zerog.sdk.faults import Fault, find_faults, in_one_line
from zerog.sdk.invoke import Invocation
from zerog.sdk.job import Job
from zerog.sdk.registry import JobType
from zerog.sdk.signals import Cancelled, TimedOut
from zerog.sdk.text import describe

#: A job may put something else into `os`.
_exit = os._exit


def child_main(
    fd: int,
    types: Mapping[str, JobType],
    printed: int,
    inherited: Sequence[int] = (),
    hidden: Sequence[str] | None = None,
) -> NoReturn:
    """Be a child until the pipe is closed. A fork gets here, and nothing after it may run.

    `printed` is the pipe for what is printed; what is `inherited` is for others.
    """
    code = EXIT_UNEXPECTED
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for end in inherited:
            os.close(end)
        if hidden is not None:
            landlock.enter(around=hidden)  # other children are outside
        os.setsid()
        procfs.die_with_parent()
        procfs.adopt_orphans()
        procfs.go_first()
        standardfiles.discard(0)
        output.connect(printed)
        output.install_streams()  # a module may have closed the streams
        Child(socket.socket(fileno=fd), types).serve()
        code = 0
    except (EOFError, BrokenPipeError, ConnectionResetError):
        code = 0  # the worker is gone
    except (OSError, FrameError):
        code = EXIT_NO_PIPE
    except BaseException:
        with contextlib.suppress(BaseException):
            traceback.print_exc()
    finally:
        try:
            for stream in (sys.stdout, sys.stderr):
                with contextlib.suppress(BaseException):
                    stream.flush()
        finally:
            # No handlers of the nursery, no atexit of job modules: this is a fork.
            _exit(code)


class Child:
    """Runs the jobs that arrive on the pipe."""

    def __init__(self, end: socket.socket, types: Mapping[str, JobType]) -> None:
        self._types = types
        self._process = os.getpid()
        self._shield = Shield()
        self._pipe = Pipe(end, self._shield)
        spans.connect(self._pipe.span)
        #: The blocked signals of threads that are forking.
        self._masks: dict[int, set[int | signal.Signals]] = {}
        #: The job that runs now.
        self._invocation: Invocation | None = None

    def serve(self) -> None:
        """Run jobs until the worker says to leave, or closes the pipe (`EOFError`)."""
        signal.signal(signal.SIGTERM, self._terminated)
        # ^C in a terminal goes to the whole group of the worker; the worker decides.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.register_at_fork(
            before=self._before_fork,
            after_in_parent=self._after_fork,
            after_in_child=self._after_fork_in_child,
        )
        gauge = Gauge()
        surroundings = Surroundings()
        while True:
            frame = self._pipe.next_frame()
            if isinstance(frame, ExitFrame):
                return
            match frame:
                case ReceivedRun():
                    gauge.begin()
                    end = self._run(frame)
                    self._finish(frame, end, _changes(surroundings), gauge)
                case ReceivedCheck():
                    checked = self._check(frame)
                    spoiled = _changes(surroundings) is not None
                    self._pipe.finish(replace(checked, spoiled=spoiled))
                case _:
                    pass  # a cancel that came too late

    def _run(self, frame: ReceivedRun) -> RunEnd:
        reseed()
        try:
            # A job's context variables end with it, e.g. its decimal context.
            return contextvars.copy_context().run(self._run_in_context, frame)
        # The cancel came between `run` and here, or this code is wrong. The job must end.
        except BaseException as error:
            message = f"ZeroG failed to run the job: {describe(error)}"
            return Raised(frame.attempt, one_line(message) or "")
        finally:
            self._invocation = None
            self._shield.drop()

    def _run_in_context(self, frame: ReceivedRun) -> RunEnd:
        self._pipe.begin(frame.run)
        context = Context(
            self._pipe,
            uuid=frame.uuid,
            attempt=frame.attempt,
            state=None if frame.state is None else jsontext.loads(frame.state),
            deadline=frame.deadline,
            trace_parent=frame.trace_parent,
        )
        job_type = self._types.get(frame.type)
        if job_type is not None and job_type.options.log_output:
            output.begin(context)
        try:
            job = self._load(frame)
            if isinstance(job, Invalid):
                return job
            self._invocation = Invocation(job, context)
            spans.enter(frame.trace_parent)  # it ends with the job's context variables
            return self._invocation.run()
        finally:
            output.end()
            with contextlib.suppress(Exception):
                close(context)

    def _load(self, frame: ReceivedRun) -> Job | Invalid:
        job_type = self._types.get(frame.type)
        if job_type is None:
            return Invalid(frame.attempt, f"no job type {frame.type} in this worker")
        process = os.getpid()
        try:
            # JSON mode: what the parameters mean when they are POSTed.
            return job_type.cls.model_validate_json(bytes(frame.parameters))
        except ValidationError as error:
            faults = find_faults(error, bytes(frame.parameters))
            message = f"the parameters do not fit: {in_one_line(faults, error.error_count())}"
        except BaseException as error:  # a validator of the job's author
            message = f"the parameters do not fit: {describe(error)}"
        finally:
            if os.getpid() != process:
                _exit(1)
        return Invalid(frame.attempt, one_line(message) or "")

    def _check(self, frame: ReceivedCheck) -> CheckedFrame:
        job_type = self._types.get(frame.type)
        if job_type is None:
            return CheckedFrame(frame.run, None, f"there is no job type {frame.type}")
        process, parameters = os.getpid(), bytes(frame.parameters)
        try:
            # A validator's context variables end with it, as a job's do.
            context = contextvars.copy_context()
            return CheckedFrame(frame.run, context.run(_faults, job_type, parameters))
        except BaseException as error:
            return CheckedFrame(frame.run, None, one_line(describe(error)) or "")
        finally:
            if os.getpid() != process:
                _exit(1)

    def _finish(self, frame: ReceivedRun, end: RunEnd, spoiled: str | None, gauge: Gauge) -> None:
        cost = gauge.end()
        about = (
            spoiled, gauge.rss_bytes, cost.cpu_seconds, cost.peak_bytes, gauge.total_cpu_seconds,
        )  # fmt: skip
        try:
            self._pipe.finish(EndFrame(frame.run, end, *about))
        except ValueError as error:
            message = one_line(f"the end of the job cannot be reported: {describe(error)}")
            short = Raised(frame.attempt, message or "")
            self._pipe.finish(EndFrame(frame.run, short, *about))

    def _terminated(self, signum: int, frame: FrameType | None) -> None:
        """SIGTERM: end the running job, if it is the one that the worker means."""
        if os.getpid() != self._process:  # forked by a library, which Python does not know
            _exit(128 + signum)
        if self._invocation is not None:
            self._shield.do_or_hold(self._stop)

    def _stop(self) -> None:
        invocation = self._invocation
        why = self._pipe.why() if invocation is not None else None
        if invocation is not None and why is not None:
            kind = TimedOut if why == "timeout" else Cancelled
            invocation.stop(kind(f"the worker ends the job: {why}"))

    # A SIGTERM that comes during a fork must find neither this process's handler in the other one,
    # nor be lost there: Python forgets signals when it forks.

    def _before_fork(self) -> None:
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGTERM,))
        self._masks[threading.get_ident()] = mask

    def _after_fork(self) -> None:
        mask = self._masks.pop(threading.get_ident(), None)
        if mask is not None:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def _after_fork_in_child(self) -> None:
        """Make a process that a job forked one that cannot speak for the job."""
        self._pipe.disable()
        signal.set_wakeup_fd(-1)
        if signal.getsignal(signal.SIGTERM) == self._terminated:
            with contextlib.suppress(ValueError):
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
        self._after_fork()


def _faults(job_type: JobType, parameters: bytes) -> list[Fault]:
    try:
        job_type.cls.model_validate_json(parameters)
    except ValidationError as error:
        return find_faults(error, parameters)
    return []


def _changes(surroundings: Surroundings) -> str | None:
    """End what was left, and say what is not as it was; None if everything is."""
    output.let_wait()
    changes = surroundings.changes()
    if procfs.has_children():
        procfs.kill_children()
        changes.append("processes")
    return one_line("; ".join(changes))
