"""The worker's side of the nursery: start it, ask it for children, talk to them, hear
of their death.

A child's death is told by the nursery and by nobody else. If the nursery itself dies,
all its children have died with it, and the next `fork` starts another one.
"""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, Self, cast

from zerog.child import frames
from zerog.model.errors import ConfigError, NurseryError

#: Importing the job modules may take a while; a fork may not.
START_SECONDS = 120.0
FORK_SECONDS = 10.0
_RECEIVE_BYTES = 65536


def _ignore_frame(frame: dict[str, Any]) -> None:
    pass


def _ignore_death(exitcode: int, oom: bool | None) -> None:
    pass


class Child(asyncio.Protocol):
    """A process that runs jobs. `on_frame` and `on_death` tell what it says and when it dies."""

    def __init__(self, nursery: "Nursery") -> None:
        self.pid = 0
        self.alive = True
        self.on_frame: Callable[[dict[str, Any]], None] = _ignore_frame
        self.on_death: Callable[[int, bool | None], None] = _ignore_death
        self._nursery = nursery
        self._reader = frames.FrameReader()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        try:
            for frame in self._reader.feed(data):
                self.on_frame(frame)
        except frames.FrameError:
            self.kill(signal.SIGKILL)

    def connection_lost(self, exc: Exception | None) -> None:
        # A job has closed the pipe, or the process is dying; either way it is of no more use.
        self.kill(signal.SIGKILL)

    def send(self, frame: dict[str, Any]) -> None:
        """Send a frame. To a child that is dying it goes nowhere; `on_death` follows."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(frames.encode(frame))

    def kill(self, signum: int) -> None:
        """Send a signal, unless the child is known to be dead."""
        if self.alive:
            self._nursery.signal_child(self.pid, signum)

    def discard(self, deadline_seconds: float) -> None:
        """Let an idle child go; kill it if it has not gone in time."""
        self.on_frame, self.on_death = _ignore_frame, _ignore_death
        self.send({"op": "exit"})
        loop = asyncio.get_running_loop()
        loop.call_later(deadline_seconds, self.kill, signal.SIGKILL)

    def died(self, exitcode: int, oom: bool | None) -> None:
        """Take note of the death."""
        self.alive = False
        if self._transport is not None:
            self._transport.abort()
        self.on_death(exitcode, oom)


class Nursery:
    """Starts children."""

    def __init__(self, modules: Sequence[str]) -> None:
        self._modules = list(modules)
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None
        self._reader = frames.FrameReader()
        self._children: dict[int, Child] = {}
        self._forking: deque[tuple[asyncio.Future[None], Child]] = deque()
        self._described: asyncio.Future[list[dict[str, Any]]] | None = None
        self._starting = asyncio.Lock()
        #: The documents of the imported job types.
        self.types: list[dict[str, Any]] = []

    @classmethod
    async def start(cls, modules: Sequence[str]) -> Self:
        """Start a nursery and import the modules in it. `ConfigError` if that fails."""
        nursery = cls(modules)
        await nursery._ensure_started()
        return nursery

    @property
    def pid(self) -> int | None:
        """The nursery's process id."""
        return self._process.pid if self._process is not None else None

    def poll(self) -> int | None:
        """Return the nursery's exit code, None while it runs."""
        return self._process.poll() if self._process is not None else None

    async def fork(self) -> Child:
        """Return a new child. `NurseryError` if there is none to be had now."""
        await self._ensure_started()
        assert self._control is not None
        ours, theirs = socket.socketpair()
        loop = asyncio.get_running_loop()
        child = Child(self)
        try:
            future: asyncio.Future[None] = loop.create_future()
            self._forking.append((future, child))
            with theirs:
                socket.send_fds(self._control, [frames.encode({"op": "fork"})], [theirs.fileno()])
            await asyncio.wait_for(future, FORK_SECONDS)
        except (OSError, TimeoutError) as error:
            ours.close()
            raise NurseryError(f"no new process for jobs: {error or 'no answer'}") from error
        except NurseryError:
            ours.close()
            raise
        await loop.create_unix_connection(lambda: child, sock=ours)
        if not child.alive:
            raise NurseryError("a new process for jobs died at once")
        return child

    def signal_child(self, pid: int, signum: int) -> None:
        """Send a signal to a child, by the nursery, which knows whether it still is ours."""
        if self._control is not None:
            with contextlib.suppress(OSError):
                self._control.sendall(
                    frames.encode({"op": "kill", "pid": pid, "signal": int(signum)})
                )

    async def close(self, deadline_seconds: float) -> None:
        """End the nursery and all its children."""
        process = self._process
        self._lost("the worker ends")
        if process is None:
            return
        loop = asyncio.get_running_loop()
        deadline = loop.time() + deadline_seconds
        while process.poll() is None and loop.time() < deadline:
            await asyncio.sleep(0.005)
        if process.poll() is None:
            process.kill()
            process.wait(deadline_seconds)

    async def _ensure_started(self) -> None:
        async with self._starting:
            if self._process is not None and self._control is not None:
                return
            ours, theirs = socket.socketpair()
            self._reader = frames.FrameReader()
            with theirs:
                command = [sys.executable, "-m", "zerog.child.nursery", str(theirs.fileno())]
                # A group of its own: ^C in a terminal goes to the worker, which decides.
                self._process = subprocess.Popen(
                    [*command, *self._modules],
                    pass_fds=[theirs.fileno()],
                    stdin=subprocess.DEVNULL,
                    process_group=0,
                    env={**os.environ, "PYTHONUNBUFFERED": "1"},
                )
            ours.setblocking(False)
            self._control = ours
            loop = asyncio.get_running_loop()
            self._described = loop.create_future()
            loop.add_reader(ours.fileno(), self._readable)
            try:
                self.types = await asyncio.wait_for(self._described, START_SECONDS)
            except TimeoutError as error:
                self._lost("it does not answer")
                raise NurseryError("importing the job modules takes too long") from error

    def _readable(self) -> None:
        assert self._control is not None
        try:
            data = self._control.recv(_RECEIVE_BYTES)
            if not data:
                raise ConnectionResetError
            for frame in self._reader.feed(data):
                self._take(frame)
        except BlockingIOError:
            return
        except (OSError, frames.FrameError):
            self._lost("the nursery died")

    def _take(self, frame: dict[str, Any]) -> None:
        match frame["op"]:
            case "types":
                if self._described is not None and not self._described.done():
                    self._described.set_result(frame["types"])
            case "failed":
                if self._described is not None and not self._described.done():
                    self._described.set_exception(ConfigError(frame["error"]))
            case "forked":
                future, child = self._forking.popleft()
                if future.done():  # nobody waits for it any more
                    self.signal_child(frame["pid"], signal.SIGKILL)
                    return
                # Known from now on: its death may be the next thing that is told.
                child.pid = frame["pid"]
                self._children[child.pid] = child
                future.set_result(None)
            case "refused":
                future, _ = self._forking.popleft()
                if not future.done():
                    future.set_exception(NurseryError(f"no new process: {frame['error']}"))
            case "died":
                dead = self._children.pop(frame["pid"], None)
                if dead is not None:
                    dead.died(frame["exitcode"], frame["oom"])

    def _lost(self, why: str) -> None:
        """Forget a nursery that is gone; its children are gone with it."""
        if self._control is not None:
            asyncio.get_running_loop().remove_reader(self._control.fileno())
            self._control.close()
            self._control = None
        if self._described is not None and not self._described.done():
            self._described.set_exception(NurseryError(f"{why} while it imported the jobs"))
        for future, _ in self._forking:
            if not future.done():
                future.set_exception(NurseryError(why))
        self._forking.clear()
        children, self._children = self._children, {}
        for child in children.values():
            child.died(-signal.SIGKILL, None)
