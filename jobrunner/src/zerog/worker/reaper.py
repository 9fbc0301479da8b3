"""Reap orphans when the worker is PID 1 of its container.

The nursery reaps the processes of jobs; what it cannot (it died itself) falls to PID 1.
The nursery's own end belongs to its `Popen`, so that is left alone. It looks now and then
instead of on SIGCHLD, which uvloop keeps to itself.
"""

import asyncio
import contextlib
import os

from zerog.child.handle import NurseryHandle

#: How long an orphan may stay a zombie.
LOOK_SECONDS = 1.0


def is_needed() -> bool:
    """Whether orphans come to this process."""
    return os.getpid() == 1


async def run(nursery: NurseryHandle) -> None:
    """Reap until cancelled."""
    while True:
        reap(nursery)
        await asyncio.sleep(LOOK_SECONDS)


def reap(nursery: NurseryHandle) -> None:
    """Reap every child that has ended, the nursery by its own `Popen`."""
    options = os.WEXITED | os.WNOHANG | os.WNOWAIT
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitid(os.P_ALL, 0, options)) is not None:
            if ended.si_pid == nursery.pid:
                nursery.poll()
            else:
                os.waitpid(ended.si_pid, os.WNOHANG)
