"""The nursery: imports the job modules once and forks a child whenever the worker wants one.

It has one thread and no event loop, so that forking it is safe; what it imported is
shared with its children by the kernel. It alone knows when a child is dead: it sends
the signals, reaps, and reports. When the worker goes away, all end. Run as `python -m
zerog.child.nursery FD MODULE…`, where FD is its end of a socket pair.
"""

import contextlib
import gc
import os
import select
import signal
import socket
import sys
from collections.abc import Sequence
from typing import Any

from zerog.child import frames, procfs
from zerog.child.process import child_main
from zerog.model.errors import ConfigError
from zerog.sdk.registry import JobType, import_jobs

_RECEIVE_BYTES = 65536
_MAX_FDS = 16


class Nursery:
    """Forks children and watches over them."""

    def __init__(self, control: socket.socket, types: Sequence[JobType]) -> None:
        self._control = control
        self._types = {job_type.name: job_type for job_type in types}
        self._reader = frames.FrameReader()
        self._children: set[int] = set()
        self._fds: list[int] = []
        self._oom_kills = procfs.oom_kills()
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._wake_writer.setblocking(False)

    def serve(self) -> None:
        """Serve until the worker closes the socket."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_writer.fileno(), warn_on_full_buffer=False)
        try:
            while True:
                readable, _, _ = select.select([self._control, self._wake_reader], [], [])
                if self._wake_reader in readable:
                    with contextlib.suppress(BlockingIOError):
                        self._wake_reader.recv(_RECEIVE_BYTES)
                    self._reap()
                if self._control in readable and not self._take_requests():
                    return
        finally:
            signal.set_wakeup_fd(-1)
            for pid in self._children:
                _kill_group(pid)

    def _take_requests(self) -> bool:
        data, fds, _, _ = socket.recv_fds(self._control, _RECEIVE_BYTES, _MAX_FDS)
        self._fds += fds
        for frame in self._reader.feed(data):
            match frame["op"]:
                case "fork":
                    self._fork(self._fds.pop(0))
                case "kill":
                    self._kill(frame["pid"], frame["signal"])
        return bool(data)

    def _fork(self, fd: int) -> None:
        try:
            pid = os.fork()
        except OSError as error:  # a limit of processes or memory: the other children live on
            os.close(fd)
            self._send({"op": "refused", "error": error.strerror})
            return
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for own in (self._control, self._wake_reader, self._wake_writer):
                own.close()
            child_main(socket.socket(fileno=fd), self._types)
        os.close(fd)
        self._children.add(pid)
        self._send({"op": "forked", "pid": pid})

    def _kill(self, pid: int, signum: int) -> None:
        # A child that is dead but not reported yet is not reaped yet: its id is still its own.
        if pid not in self._children:
            return
        if signum == signal.SIGKILL:
            _kill_group(pid)
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signum)

    def _reap(self) -> None:
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in self._children:
                self._children.discard(pid)
                _kill_group(pid)
                self._report_death(pid, os.waitstatus_to_exitcode(status), usage.ru_maxrss)

    def _report_death(self, pid: int, exitcode: int, max_rss_kib: int) -> None:
        oom = None
        if exitcode == -signal.SIGKILL:
            before, self._oom_kills = self._oom_kills, procfs.oom_kills()
            if before is not None and self._oom_kills is not None:
                oom = self._oom_kills > before
        self._send(
            {
                "op": "died",
                "pid": pid,
                "exitcode": exitcode,
                "oom": oom,
                "maxRssBytes": max_rss_kib * 1024,
            }
        )

    def _send(self, frame: dict[str, Any]) -> None:
        self._control.sendall(frames.encode(frame))


def _kill_group(pid: int) -> None:
    """Kill a child and what it started; each child leads a process group of its own."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def main(arguments: Sequence[str]) -> int:
    """Import, report the types, serve."""
    control = socket.socket(fileno=int(arguments[0]))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    procfs.adopt_orphans()
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        try:
            types = import_jobs(arguments[1:])
        except ConfigError as error:
            control.sendall(frames.encode({"op": "failed", "error": str(error)}))
            return 1
        documents = [job_type.to_document() for job_type in types]
        control.sendall(frames.encode({"op": "types", "types": documents}))
        # Objects that live as long as the nursery are not touched, and so stay shared.
        gc.collect()
        gc.freeze()
        Nursery(control, types).serve()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
