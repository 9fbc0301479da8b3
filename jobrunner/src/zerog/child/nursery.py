"""The nursery: imports the job modules once and forks a child whenever the worker wants one.

It has one thread and no event loop, so that forking it is safe; what it imported is shared with its
children by the kernel. It alone knows when a child is dead: it sends the signals, reaps, kills what
the child left, and reports. When the worker dies, everything below the nursery ends.

A fork never runs this code: `child_main` does not return.

Run as `python -m zerog.child.nursery FD FD SECONDS WALL MODULE…`: its end of a socket pair, a file
for last words, how long the imports may take, and the folders that its wall hides (null: no wall).
"""

import contextlib
import faulthandler
import gc
import os
import resource
import select
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence

import msgspec

from zerog import standardfiles
from zerog.child import landlock, output, procfs, spans
from zerog.child.control import close_all
from zerog.child.process import child_main
from zerog.child.protocol import (
    FDS_OF_CHILD,
    DiedFrame,
    FailedFrame,
    ForkedFrame,
    ForkFrame,
    FrameReader,
    FromNursery,
    ImportingFrame,
    KillFrame,
    PingFrame,
    PongFrame,
    RefusedFrame,
    ToNursery,
    TypesFrame,
    encode,
)
from zerog.child.watch import ImportWatch
from zerog.model.errors import ConfigError
from zerog.model.limits import MAX_LINE_CHARS
from zerog.sdk.importing import import_module_of_jobs
from zerog.sdk.registry import REGISTRY, JobType
from zerog.sdk.text import cut

_RECEIVE_BYTES = 65536
_MAX_FDS = 16


class Nursery:
    """Forks children and watches over them."""

    def __init__(
        self,
        control: socket.socket,
        types: Mapping[str, JobType],
        hidden: Sequence[str] | None = None,
    ) -> None:
        self._control = control
        self._types = types
        #: What the wall around it hides; None if there is no wall.
        self._hidden = hidden
        self._reader: FrameReader[ToNursery] = FrameReader(ToNursery)
        self._children: set[int] = set()
        #: Those that lived when the worker wanted them killed.
        self._killed: set[int] = set()
        self._fds: list[int] = []
        self._oom_kills = procfs.oom_kills()
        self._wake_reader, self._wake_writer = socket.socketpair()
        self._wake_reader.setblocking(False)
        self._wake_writer.setblocking(False)
        #: What the job modules started; it ends with the nursery.
        self._own_children = frozenset(procfs.children())

    def serve(self) -> None:
        """Serve until the worker closes the socket."""
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self._wake_writer.fileno(), warn_on_full_buffer=False)
        waiting = select.poll()
        waiting.register(self._control, select.POLLIN)
        waiting.register(self._wake_reader, select.POLLIN)
        while True:
            readable = [fd for fd, _ in waiting.poll()]
            if self._wake_reader.fileno() in readable:
                with contextlib.suppress(BlockingIOError):
                    self._wake_reader.recv(_RECEIVE_BYTES)
                self._reap()
            if self._control.fileno() in readable and not self._take_requests():
                return

    def end(self) -> None:
        """Kill all children and everything that they started."""
        signal.set_wakeup_fd(-1)
        for pid in self._children:
            procfs.kill_group(pid)
            procfs.kill(pid)
        procfs.kill_children()

    def _take_requests(self) -> bool:
        data, fds, _, _ = socket.recv_fds(self._control, _RECEIVE_BYTES, _MAX_FDS)
        if len(fds) < FDS_OF_CHILD:  # the kernel had no descriptor left for them
            close_all(fds)
        else:
            self._fds += fds
        for frame in self._reader.feed(data):
            match frame:
                case ForkFrame(ticket):
                    self._fork(ticket)
                case KillFrame(pid, signum):
                    self._kill(pid, signum)
                case PingFrame():
                    self._send(PongFrame())
        return bool(data)

    def _fork(self, ticket: int) -> None:
        if not self._fds:
            self._send(RefusedFrame(ticket, "too many open files"))
            return
        fd, printed = self._fds.pop(0), self._fds.pop(0)
        try:
            pid = os.fork()
        except OSError as error:  # a limit of processes or memory: the other children live on
            close_all((fd, printed))
            self._send(RefusedFrame(ticket, error.strerror or str(error)))
            return
        if pid == 0:
            # The ends of other children's pipes must not stay open in this one.
            ends = [end.detach() for end in (self._control, self._wake_reader, self._wake_writer)]
            child_main(fd, self._types, printed, ends + self._fds, self._hidden)
        close_all((fd, printed))
        self._children.add(pid)
        self._send(ForkedFrame(ticket, pid))

    def _kill(self, pid: int, signum: int) -> None:
        # A child that is dead but not reported yet is not reaped yet: its id is still its own.
        if pid not in self._children:
            return
        if signum == signal.SIGKILL:
            if not _is_dead(pid):
                self._killed.add(pid)
            procfs.kill_group(pid)
        procfs.kill(pid, signum)

    def _reap(self) -> None:
        deaths = []
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if pid == 0:
                break
            if pid in self._children:
                self._children.discard(pid)
                procfs.kill_group(pid)
                deaths.append((pid, os.waitstatus_to_exitcode(status), usage))
        if deaths:
            # Orphans of the dead have come to this process.
            procfs.kill_children(keep=self._children | self._own_children)
        for death in deaths:
            self._report_death(*death)

    def _report_death(self, pid: int, exitcode: int, usage: resource.struct_rusage) -> None:
        oom = None
        killed = pid in self._killed and exitcode == -signal.SIGKILL
        self._killed.discard(pid)
        if exitcode == -signal.SIGKILL:
            before, self._oom_kills = self._oom_kills, procfs.oom_kills()
            if before is not None and self._oom_kills is not None:
                oom = self._oom_kills > before
        cpu_seconds = usage.ru_utime + usage.ru_stime
        self._send(DiedFrame(pid, exitcode, oom, usage.ru_maxrss * 1024, cpu_seconds, killed))

    def _send(self, frame: FromNursery) -> None:
        self._control.sendall(encode(frame))


def _is_dead(pid: int) -> bool:
    with contextlib.suppress(ChildProcessError):
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    return True


def _import_all(control: socket.socket, modules: Sequence[str]) -> None:
    """Import the modules, and report the types of those that can be."""
    threads = threading.active_count()
    for module in modules:
        control.sendall(encode(ImportingFrame(module)))
        try:
            import_module_of_jobs(module)
        except ConfigError as error:
            # Threads cannot be ended, and with them a fork is unsafe.
            fatal = threading.active_count() > threads
            control.sendall(encode(FailedFrame(module, cut(str(error), MAX_LINE_CHARS), fatal)))
            if fatal:
                os._exit(1)
    documents = [REGISTRY.types[name].document for name in sorted(REGISTRY.types)]
    control.sendall(encode(TypesFrame(documents)))


def main(arguments: Sequence[str]) -> int:
    """Import, report the types, serve."""
    standardfiles.open_missing()
    output.install()
    control = socket.socket(fileno=int(arguments[0]))
    report, seconds, modules = int(arguments[1]), float(arguments[2]), arguments[4:]
    hidden = msgspec.json.decode(arguments[3], type=list[str] | None)
    for fd in (int(arguments[0]), report):
        os.set_inheritable(fd, False)
    procfs.adopt_orphans()
    # A nursery that a job has stopped must see that its worker is dead.
    procfs.die_with_parent(signal.SIGCONT)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hidden is not None:
        # Where it was promised and does not stand, nothing of an author may run.
        landlock.enter(hidden)
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        with ImportWatch(control, report, seconds):
            _import_all(control, modules)
        output.take_over_logging()
        spans.install(os.environ)
        os.close(report)
        # The worker decides when its nursery ends, also if a SIGTERM goes to all processes.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        # Objects that live as long as the nursery are not touched, and so stay shared.
        gc.collect()
        gc.freeze()
        with contextlib.suppress(RuntimeError, OSError, ValueError):  # no standard error
            faulthandler.enable()
        nursery = Nursery(control, REGISTRY.types, hidden)
        try:
            nursery.serve()
        finally:
            nursery.end()
    return 0


if __name__ == "__main__":
    # Not by `sys.exit`: what the job modules registered with `atexit` could wait for ever.
    code = 1
    try:
        code = main(sys.argv[1:])
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)
