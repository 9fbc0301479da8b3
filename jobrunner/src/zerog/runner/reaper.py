"""Reap orphans when the worker is PID 1 of its container.

The nursery reaps the processes of jobs; what it cannot (it died itself) falls to PID 1.
The nursery's own end belongs to its `Popen`, so that is left alone.
"""

import asyncio
import contextlib
import os
import signal

from zerog.runner.nursery_client import Nursery


def install(loop: asyncio.AbstractEventLoop, nursery: Nursery) -> None:
    """Reap on every SIGCHLD, if this process is PID 1."""
    if os.getpid() == 1:
        loop.add_signal_handler(signal.SIGCHLD, reap, nursery)


def reap(nursery: Nursery) -> None:
    """Reap every child that has ended, except the nursery."""
    options = os.WEXITED | os.WNOHANG | os.WNOWAIT
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitid(os.P_ALL, 0, options)) is not None:
            if ended.si_pid == nursery.pid:
                nursery.poll()
                return
            os.waitpid(ended.si_pid, os.WNOHANG)
