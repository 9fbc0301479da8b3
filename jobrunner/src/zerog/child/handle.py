"""The worker's side of the nursery: start it, ask it for children, talk to them, hear of their
death.

The nursery alone knows when a child is dead: it sends the signals and reaps. Every request to it
has a deadline. A nursery that dies or does not answer is killed with all its children, their deaths
are reported, and the next `fork` starts another one.
"""

import asyncio
import contextlib
import itertools
import logging
import os
import signal
import socket
from collections.abc import Sequence
from typing import Self

from zerog.child import procfs
from zerog.child.childhandle import ChildDeath, ChildHandle
from zerog.child.control import Control, close_all
from zerog.child.launch import Launch
from zerog.child.protocol import (
    EXIT_NO_PIPE,
    EXIT_UNEXPECTED,
    MAX_FRAME_BYTES,
    DiedFrame,
    FailedFrame,
    ForkedFrame,
    ForkFrame,
    FromNursery,
    ImportingFrame,
    KillFrame,
    PingFrame,
    RefusedFrame,
    TypesFrame,
)
from zerog.child.walls import Walls, plan
from zerog.model.documents import TypeDocument
from zerog.model.errors import NO_JOB, ConfigError, NurseryError

__all__ = ["ChildDeath", "ChildHandle", "NurseryHandle"]

log = logging.getLogger(__name__)

#: Importing the job modules may take a while; a fork may not.
START_SECONDS = 120.0
FORK_SECONDS = 10.0
#: A nursery that says nothing for this many pings is frozen. Pings are counted, not seconds: a
#: machine that was suspended loses one.
PING_SECONDS = 2.0
MAX_UNANSWERED_PINGS = 4
#: How long the nursery's own deadline for imports may be late.
_LATE_SECONDS = 5.0


class NurseryHandle:
    """Starts children."""

    def __init__(
        self, modules: Sequence[str], walls: Walls, start_seconds: float, owns_children: bool
    ) -> None:
        self._modules = list(modules)
        self._walls = walls
        self._start_seconds = start_seconds
        self._owns_children = owns_children
        self._launch: Launch | None = None
        self._control: Control | None = None
        self._children: dict[int, ChildHandle] = {}
        self._tickets = itertools.count(1)
        self._forks: dict[int, tuple[asyncio.Future[None], ChildHandle]] = {}
        self._described: asyncio.Future[list[TypeDocument]] | None = None
        self._importing: str | None = None
        self._starting = asyncio.Lock()
        self._burial: asyncio.Task[None] | None = None
        self._unanswered = 0
        self._next_ping: asyncio.TimerHandle | None = None
        self._is_closed = False
        #: Modules whose import was killed once.
        self._killed: set[str] = set()
        #: The documents of the imported job types.
        self.types: list[TypeDocument] = []
        #: Modules that ended the process when they were imported.
        self._left_out: set[str] = set()
        self._left_out_at_first: frozenset[str] = frozenset()
        #: Why modules could not be imported, by module. The others run.
        self.failures: dict[str, str] = {}

    @classmethod
    async def start(
        cls,
        modules: Sequence[str],
        *,
        start_seconds: float = START_SECONDS,
        owns_children: bool = False,
        secrets: Sequence[str] = (),
    ) -> Self:
        """Start a nursery and import the modules in it.

        What jobs can and cannot do to this process is logged. `secrets` are the files and folders
        that they have no business with (`zerog.child.walls`).

        A module that cannot be imported is logged and left out, while another one can be.
        `owns_children` promises that this process has no children but the nursery: whatever else
        becomes its child was left by a job, and is killed when a nursery dies.

        Raises:
            ConfigError: No module can be imported. It names each with file and line.
            NurseryError: The process died, or took too long. It is gone now.
        """
        nursery = cls(modules, plan(secrets), start_seconds, owns_children)
        log.info("%s", nursery._walls)
        if not procfs.is_there():
            log.warning(
                "there is no /proc: processes that a job detaches may outlive it, and a kill for "
                "lack of memory cannot be told from another one"
            )
        await nursery._ensure_started()
        return nursery

    @property
    def pid(self) -> int | None:
        """The nursery's process id."""
        return self._launch.process.pid if self._launch is not None else None

    def poll(self) -> int | None:
        """Return the nursery's exit code, None while it runs."""
        return self._launch.process.poll() if self._launch is not None else None

    async def fork(self, max_frame_bytes: int = MAX_FRAME_BYTES) -> ChildHandle:
        """Return a new child. `NurseryError` if none can be had now.

        One that sends a larger frame is killed.
        """
        await self._ensure_started()
        ticket = next(self._tickets)
        loop = asyncio.get_running_loop()
        try:
            printed, its_printed = os.pipe()
            try:
                ours, theirs = socket.socketpair()
            except OSError:
                close_all((printed, its_printed))
                raise
        except OSError as error:
            raise NurseryError(f"no new process for jobs: {error}") from error
        child = ChildHandle(self._signal_child, max_frame_bytes, printed)
        try:
            forked: asyncio.Future[None] = loop.create_future()
            self._forks[ticket] = (forked, child)
            self._send(ForkFrame(ticket), (theirs.detach(), its_printed))
            await asyncio.wait_for(forked, FORK_SECONDS)
            await loop.create_unix_connection(lambda: child, sock=ours)
        except BaseException as error:
            ours.close()
            child.close_printed()
            if child.pid:
                child.kill(signal.SIGKILL)
            if isinstance(error, OSError | TimeoutError):
                raise NurseryError(f"no new process for jobs: {error or 'no answer'}") from error
            raise
        finally:
            self._forks.pop(ticket, None)
        if not child.alive:
            raise NurseryError("a new process for jobs died at once")
        return child

    async def close(self, deadline_seconds: float) -> None:
        """End the nursery, all its children, and everything that they started."""
        self._is_closed = True
        importing = self._described is not None and not self._described.done()
        self._lost("the worker ends", 0 if importing else deadline_seconds)
        await self._buried()

    def _send(self, frame: ForkFrame, passed: Sequence[int]) -> None:
        if self._control is None:
            close_all(passed)
            raise NurseryError("the nursery has ended")
        self._control.send(frame, passed)

    def _signal_child(self, pid: int, signum: int) -> None:
        # By the nursery, which knows whether the process is still ours.
        if self._control is not None:
            self._control.send(KillFrame(pid, int(signum)))

    async def _ensure_started(self) -> None:
        async with self._starting:
            await self._buried()
            while self._control is None:
                if self._is_closed:
                    raise NurseryError("the nursery is closed")
                await self._start_once()

    async def _start_once(self) -> None:
        """Start a process. Return without one if a module ended it that is left out from now on."""
        loop = asyncio.get_running_loop()
        try:
            ours, theirs = socket.socketpair()
        except OSError as error:
            raise NurseryError(f"no nursery: {error}") from error
        with theirs:
            try:
                self._launch = Launch(
                    [name for name in self._modules if name not in self._left_out],
                    theirs,
                    seconds=self._start_seconds,
                    walls=self._walls,
                    owns_children=self._owns_children,
                )
            except OSError as error:
                ours.close()
                raise NurseryError(f"no nursery: {error}") from error
        self.failures = {name: self.failures[name] for name in self._left_out}
        self._described, self._importing, self._unanswered = loop.create_future(), None, 0
        self._control = Control(ours, self._take, self._lost)
        try:
            async with asyncio.timeout(self._start_seconds + _LATE_SECONDS):
                types = await self._described
        except TimeoutError:
            self._lost(f"the import takes longer than {self._start_seconds:.0f} s")
            await self._take_death_at_import()
        except NurseryError:
            await self._take_death_at_import()
        except BaseException:
            self._lost("nobody waits for it")
            await self._buried()
            raise
        else:
            await self._accept(types)

    async def _accept(self, types: list[TypeDocument]) -> None:
        """Serve these types from now on, if they are those that the worker has registered."""
        if not types:
            await self._refuse(f"no jobs: {NO_JOB}")
        if self.types and types != self.types:
            await self._refuse("the job modules have changed: restart this worker")
        if not self.types:
            self.types, self._left_out_at_first = types, frozenset(self._left_out)
        self._ping()

    async def _take_death_at_import(self) -> None:
        """Leave out the module that ended the nursery. `ConfigError` if no other one is left."""
        launch, module = self._launch, self._importing
        assert launch is not None
        await self._buried()
        if self._is_closed:
            raise NurseryError("the nursery is closed")
        if module is None:
            raise NurseryError("the nursery died before it imported a module")
        killed = launch.process.poll() == -signal.SIGKILL
        if killed and module not in self._killed and not launch.last_report():
            # By the kernel, for want of memory, or by a person: once does not count.
            self._killed.add(module)
            log.warning("the import of %s was killed, and is tried again", module)
            return
        if module not in self._left_out:
            if launch.last_report().startswith("Timeout"):
                how = f"its import takes longer than {self._start_seconds:.0f} s"
            else:
                how = _how_it_ended(launch.process.poll())
            where = f", at {place}" if (place := launch.place()) else ""
            self._fail(module, f"the module {module} cannot be imported: {how}{where}")
            self._left_out.add(module)
        if self.types or self._left_out.issuperset(self._modules):
            await self._refuse("no jobs")

    async def _refuse(self, why: str) -> None:
        self._lost(why)
        await self._buried()
        message = "; ".join([*self.failures.values()] or [why])
        if not self.types:
            raise ConfigError(message)
        # It has served before: what changed may change back.
        self._left_out = set(self._left_out_at_first)
        raise NurseryError(message)

    def _fail(self, module: str, why: str) -> None:
        self.failures[module] = why
        log.error("%s", self.failures[module])

    def _ping(self) -> None:
        if self._control is None:
            return
        if self._unanswered >= MAX_UNANSWERED_PINGS:
            self._lost("the nursery does not answer")
            return
        self._unanswered += 1
        self._control.send(PingFrame())
        self._next_ping = asyncio.get_running_loop().call_later(PING_SECONDS, self._ping)

    def _take(self, frame: FromNursery) -> None:
        self._unanswered = 0
        match frame:
            case ImportingFrame(module):
                self._importing = module
            case FailedFrame(module, error, fatal):
                self._fail(module, error)
                if fatal:
                    self._left_out.add(module)
            case TypesFrame(types):
                if self._described is not None and not self._described.done():
                    self._described.set_result(types)
            case ForkedFrame(ticket, pid):
                self._take_forked(ticket, pid)
            case RefusedFrame(ticket, error):
                if ticket in self._forks and not self._forks[ticket][0].done():
                    error_ = NurseryError(f"no new process: {error}")
                    self._forks[ticket][0].set_exception(error_)
            case DiedFrame(pid, exitcode, oom, max_rss_bytes, cpu_seconds, killed):
                dead = self._children.pop(pid, None)
                if self._launch is not None:
                    self._launch.sessions.discard(pid)
                if dead is not None:
                    reason = dead.reason_if_killed() if killed else _own_reason(exitcode)
                    dead.died(exitcode, oom, max_rss_bytes, reason, cpu_seconds)

    def _take_forked(self, ticket: int, pid: int) -> None:
        if self._launch is not None:
            self._launch.sessions.add(pid)
        forked, child = self._forks.get(ticket, (None, None))
        if forked is None or child is None or forked.done():  # nobody waits for it any more
            self._signal_child(pid, signal.SIGKILL)
            return
        # Known from now on: its death may be the next thing that is reported.
        child.pid = pid
        self._children[pid] = child
        forked.set_result(None)

    def _lost(self, why: str, patience_seconds: float = 0.0) -> None:
        """Bury a nursery that is gone, frozen or not wanted any more, with all its children."""
        if self._control is None or self._launch is None:
            return
        self._control.close()
        self._control = None
        if self._next_ping is not None:
            self._next_ping.cancel()
        if self._described is not None and not self._described.done():
            self._described.set_exception(NurseryError(f"{why} while it imported the jobs"))
            self._described.exception()  # nobody may be waiting
        for forked, _ in self._forks.values():
            if not forked.done():
                forked.set_exception(NurseryError(why))
        children, self._children = list(self._children.values()), {}
        self._burial = asyncio.get_running_loop().create_task(
            self._bury(self._launch, children, why, patience_seconds)
        )

    async def _buried(self) -> None:
        """Wait until the last nursery that was lost is gone."""
        if self._burial is not None:
            await asyncio.shield(self._burial)

    async def _bury(
        self, launch: Launch, children: list[ChildHandle], why: str, patience_seconds: float
    ) -> None:
        try:
            await launch.end(patience_seconds)
        finally:
            for child in children:
                with contextlib.suppress(Exception):
                    child.died(-signal.SIGKILL, None, 0, why)


def _how_it_ended(exitcode: int | None) -> str:
    if exitcode is None:
        return "it did not end"
    if exitcode < 0:
        with contextlib.suppress(ValueError):
            return f"its import ended the process by {signal.Signals(-exitcode).name}"
    return f"its import ended the process with exit code {exitcode}"


def _own_reason(exitcode: int) -> str | None:
    """Return what an exit code of the child's own part means, None if the job chose it."""
    return {
        0: "the job ended its process by os._exit(0)",
        EXIT_UNEXPECTED: "ZeroG's part of the job's process failed: see the worker's output",
        EXIT_NO_PIPE: "the job's process could not reach its worker: the job closed the pipe",
    }.get(exitcode)
