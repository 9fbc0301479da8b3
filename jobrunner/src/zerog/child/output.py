"""Standard output of the processes that run jobs: it is the worker's, and its reader may be gone.

A job that prints must not fail for that (`zerog.standardfiles`), nor the programs that it starts.
"""

import contextlib
import os
import select

from zerog.standardfiles import discard

_OUTPUTS = (1, 2)


def let_wait() -> None:
    """Undo `O_NONBLOCK`, which other processes share: the worker's log would have gaps.

    A job's programs set it: node does.
    """
    for fd in _OUTPUTS:
        with contextlib.suppress(OSError):
            if not os.get_blocking(fd):
                os.set_blocking(fd, True)


class Readers:
    """Looks after the readers of standard output. One system call."""

    def __init__(self) -> None:
        self._poll = select.poll()
        for fd in _OUTPUTS:
            self._poll.register(fd, 0)

    def replace_dead(self) -> bool:
        """Send what nobody reads to /dev/null, also for the programs that jobs start."""
        dead = [
            fd for fd, event in self._poll.poll(0) if event & (select.POLLERR | select.POLLNVAL)
        ]
        for fd in dead:
            discard(fd)
        return bool(dead)
