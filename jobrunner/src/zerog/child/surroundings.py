"""What a job may change in its process, and the next job must not see.

A snapshot is taken before the first job and compared after each. Nothing is put back: a process in
which something differs is replaced. That is simpler than a list of repairs, and certain.

A probe costs a microsecond or two, a comparison about 50, so each asks the kernel as little as it
can.
What only the job's own modules know, e.g. their caches, is theirs: see docs/howto/write-a-job.md.
"""

import _signal  # type: ignore[import-not-found]
import _thread
import asyncio
import builtins
import contextlib
import decimal
import faulthandler
import gc
import locale
import logging
import os
import random
import resource
import signal
import socket
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

#: Threads of ZeroG in a child.
OWN_THREADS = frozenset({"zerog-reports"})
_LIMITS = sorted({getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")})
_SIGNALS = tuple(sorted(signal.valid_signals()))
_TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
_FDS = "/proc/self/fd"


def _directory() -> object:
    return os.getcwd()  # fails in a directory that was removed


def _environment() -> object:
    # `_data`: a copy of the mapping itself would decode every name and value.
    return id(os.environ), dict(getattr(os.environ, "_data", os.environ))


def _umask() -> object:
    umask = os.umask(0o022)
    os.umask(umask)
    return umask


def _handlers() -> object:
    # `signal.getsignal` makes enums of what it returns, which costs five times as much.
    return list(map(_signal.getsignal, _SIGNALS))


def _wakeup_fd() -> object:
    fd = signal.set_wakeup_fd(-1)
    if fd != -1:
        signal.set_wakeup_fd(fd)
    return fd


def _streams() -> object:
    streams = (sys.stdin, sys.stdout, sys.stderr)
    seen = [(id(stream), stream.closed) for stream in streams if stream is not None]
    return [*seen, sys.__stdout__ is sys.stdout, sys.__stderr__ is sys.stderr]


def _standard_files() -> object:
    return [(found.st_dev, found.st_ino) for found in map(os.fstat, (0, 1, 2))]


def _open_files() -> object:
    try:
        # Since Linux 6.2 the size is their number.
        return os.stat(_FDS).st_size or len(os.listdir(_FDS)) - 1
    except FileNotFoundError:  # no /proc
        return None


def _threads() -> object:
    threads = threading.enumerate()
    names = sorted(thread.name for thread in threads if thread.name not in OWN_THREADS)
    # The second number: threads that `threading` does not know.
    return names, _thread._count() + 1 - len(threads)


def _hooks() -> object:
    return (
        id(sys.excepthook), id(sys.displayhook), id(sys.unraisablehook), id(sys.breakpointhook),
        id(threading.excepthook), sys.gettrace(), sys.getprofile(),
        threading.gettrace(), threading.getprofile(), sys.get_asyncgen_hooks(),
    )  # fmt: skip


def _interpreter() -> object:
    return (
        sys.getrecursionlimit(), sys.getswitchinterval(), sys.get_int_max_str_digits(),
        gc.isenabled(), gc.get_threshold(), gc.get_debug(), threading.stack_size(), list(sys.argv),
    )  # fmt: skip


def _fault_handler() -> object:
    # Nobody can see whether it is set to end the process, so it is not.
    faulthandler.cancel_dump_traceback_later()
    return faulthandler.is_enabled()


def _imports() -> object:
    return list(sys.path), [*map(id, sys.meta_path)], [*map(id, sys.path_hooks)], id(sys.modules)


def _patches() -> object:
    """Functions that are replaced most often, e.g. by gevent or by a forgotten mock."""
    return (
        dict(vars(builtins)),
        id(time.sleep), id(time.time), id(socket.socket), id(threading.Thread), id(os.fork),
    )  # fmt: skip


def _arithmetic() -> object:
    context = decimal.getcontext()
    return (
        context.prec, context.rounding, context.Emin, context.Emax, context.capitals,
        context.clamp, [context.traps[kind] for kind in _TRAPS],
    )  # fmt: skip


_TRAPS = tuple(decimal.Context().traps)


def _warning_filters() -> object:
    return list(warnings.filters), id(warnings.showwarning)


def _logging() -> object:
    root = logging.root
    return [*map(id, root.handlers)], root.level, root.disabled, root.manager.disable


def _loop_policy() -> object:
    return id(asyncio.get_event_loop_policy())


_PROBES: dict[str, Callable[[], object]] = {
    "working directory": _directory,
    "environment": _environment,
    "umask": _umask,
    "signal handlers": _handlers,
    "blocked signals": lambda: signal.pthread_sigmask(signal.SIG_BLOCK, ()),
    "wakeup descriptor": _wakeup_fd,
    "timers": lambda: [signal.getitimer(timer) for timer in _TIMERS],
    "resource limits": lambda: list(map(resource.getrlimit, _LIMITS)),
    "nice value": lambda: os.getpriority(os.PRIO_PROCESS, 0),
    "processor affinity": lambda: (os.sched_getaffinity(0), os.sched_getscheduler(0)),
    "user or group": lambda: (os.getresuid(), os.getresgid(), os.getgroups()),
    "standard streams": _streams,
    "standard files": _standard_files,
    "open files": _open_files,
    "threads": _threads,
    "hooks": _hooks,
    "interpreter settings": _interpreter,
    "fault handler": _fault_handler,
    "import path": _imports,
    "replaced functions": _patches,
    "time zone": lambda: (time.tzname, time.timezone, time.altzone),
    "locale": lambda: locale.setlocale(locale.LC_ALL),
    "decimal context": _arithmetic,
    "socket timeout": socket.getdefaulttimeout,
    "warning filters": _warning_filters,
    "temporary directory": lambda: tempfile.tempdir,
    "asyncio policy": _loop_policy,
    "logging": _logging,
}


def _probe(probe: Callable[[], object]) -> object:
    try:
        return probe()
    except Exception as error:  # e.g. a directory that was removed
        return type(error)


class Surroundings:
    """A snapshot of this process, taken in its main thread."""

    def __init__(self) -> None:
        # What is set at its first use, and would look like a change then.
        with contextlib.suppress(OSError):
            tempfile.gettempdir()
        asyncio.get_event_loop_policy()
        decimal.getcontext()
        if "uvloop" in sys.modules:
            sys.modules["uvloop"].new_event_loop().close()
        #: Ids are compared: the objects must live.
        self._alive: tuple[Any, ...] = (
            sys.stdin, sys.stdout, sys.stderr, sys.excepthook, sys.displayhook,
            sys.unraisablehook, sys.breakpointhook, threading.excepthook, os.environ, sys.modules,
            *sys.meta_path, *sys.path_hooks, time.sleep, time.time,
            socket.socket, threading.Thread, os.fork, warnings.showwarning, *logging.root.handlers,
            asyncio.get_event_loop_policy(),
        )  # fmt: skip
        self._before = {name: _probe(probe) for name, probe in _PROBES.items()}

    def changes(self) -> list[str]:
        """Return what differs now, in words; usually nothing."""
        return [
            _describe(name, self._before[name], after)
            for name, probe in _PROBES.items()
            if (after := _probe(probe)) != self._before[name]
        ]


def _describe(name: str, before: Any, after: Any) -> str:
    match name:
        case "open files":
            return f"{name} ({before} before, {after} after)"
        case "threads" if isinstance(after, tuple):
            left = [thread for thread in after[0] if thread not in before[0]]
            return f"{name} ({', '.join(left) or 'unnamed'})"
    return name


#: Nobody outside can guess what is made from it.
_secret = 0


def reseed() -> None:
    """Give the job random numbers that no other job has had."""
    global _secret
    _secret = _secret + 1 if _secret else int.from_bytes(os.urandom(16))
    random.seed(_secret)
    numpy = sys.modules.get("numpy.random")
    if numpy is not None:
        with contextlib.suppress(Exception):
            numpy.seed(int.from_bytes(os.urandom(4)))
