"""Start a nursery's process, and end it with everything that it started.

While it imports the job modules, the nursery may hang or die without a word. So it gets a file into
which Python writes, even then, where it stood (`faulthandler`).

It gets nothing that only this process should have: of its descriptors two, of ZeroG's variables
those that are for jobs. Its standard error is this process's standard output: the log of this
process goes to standard error, so what the modules print while they are imported can be told from
it, and cannot pass for it.

The worker adopts orphans (`procfs.adopt_orphans`), so what a dead nursery leaves becomes its child.
A process that has other children, too, tells them apart by session and by a variable in their
environment. A job can hide from that, so a worker says that it has none (`owns_children`).
"""

import asyncio
import fcntl
import os
import secrets
import socket
import subprocess
import sys
from collections.abc import Sequence

import msgspec

from zerog.child import procfs, secrecy
from zerog.child.walls import Walls
from zerog.sdk.text import place_in

_LOOK_SECONDS = 0.005
_MAX_REPORT_BYTES = 64 * 1024
#: Not like a setting's name: a command of ZeroG that a job starts refuses those it does not know.
_MARKER = "NURSERY_OF_ZEROG"
#: Descriptors below stand for standard streams, even where those are closed.
_FIRST_FD = 10


class Launch:
    """A nursery's process."""

    def __init__(
        self,
        modules: Sequence[str],
        control: socket.socket,
        *,
        seconds: float,
        walls: Walls,
        owns_children: bool = False,
    ) -> None:
        procfs.adopt_orphans()
        secrecy.hide_process()
        self._owns_children = owns_children
        token = secrets.token_hex(8)
        self._marker = f"{_MARKER}={token}".encode()
        #: The sessions of its children: their process ids.
        self.sessions: set[int] = set()
        self._report = os.fdopen(os.memfd_create("zerog-nursery"), "rb")
        self._last_report = ""
        fds = []
        try:
            for fd in (control.fileno(), self._report.fileno()):
                fds.append(fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, _FIRST_FD))
            # -P: a job's file must not stand for a module of the standard library.
            command = [sys.executable, "-P", "-m", "zerog.child.nursery"]
            output = 1 if _is_standard(1) else subprocess.DEVNULL
            # A group of its own: ^C in a terminal goes to the worker, which decides.
            self.process = subprocess.Popen(
                [*command, *map(str, fds), str(seconds), _behind(walls), *modules],
                pass_fds=fds,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                process_group=0,
                env={**secrecy.for_jobs(os.environ), "PYTHONUNBUFFERED": "1", _MARKER: token},
            )
        except BaseException:
            self._report.close()
            raise
        finally:
            for fd in fds:
                os.close(fd)

    def last_report(self) -> str:
        """Return what Python wrote when the process died."""
        if not self._report.closed:
            self._report.seek(0)
            self._last_report = self._report.read(_MAX_REPORT_BYTES).decode("utf-8", "replace")
        return self._last_report

    def place(self) -> str | None:
        """Return the file and line where it stood when it died, None if that is not known."""
        return place_in(self.last_report())

    async def end(self, patience_seconds: float) -> None:
        """Wait for the end, kill it if it does not come, then kill what it left."""
        try:
            if not await self._ended_within(patience_seconds):
                self.process.kill()
                await self._ended_within(procfs.KILL_SECONDS)
            await asyncio.to_thread(self._sweep)
        finally:
            self.last_report()
            self._report.close()

    async def _ended_within(self, seconds: float) -> bool:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while self.process.poll() is None and loop.time() < deadline:
            await asyncio.sleep(_LOOK_SECONDS)
        return self.process.poll() is not None

    def _sweep(self) -> None:
        for pid in self.sessions:
            procfs.kill_group(pid)
        procfs.kill_children(keep={self.process.pid}, mine=self._is_mine)

    def _is_mine(self, pid: int) -> bool:
        return (
            self._owns_children
            or procfs.session_of(pid) in self.sessions
            or procfs.has_in_environment(pid, self._marker)
        )


def _behind(walls: Walls) -> str:
    return msgspec.json.encode(walls.hidden if walls.stand else None).decode()


def _is_standard(fd: int) -> bool:
    """Whether a descriptor is a standard stream, and not a file that got the number of a closed
    one."""
    try:
        return os.get_inheritable(fd)
    except OSError:
        return False
