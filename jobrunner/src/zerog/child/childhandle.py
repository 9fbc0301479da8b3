"""The worker's side of one child: a pipe to it, what it says, and when it is dead.

Only the nursery knows that a child is dead (`zerog.child.handle`); signals go through it.
"""

import asyncio
import os
import select
import signal
from collections.abc import Callable
from typing import cast

from msgspec import Struct

from zerog.child.cost import Meter
from zerog.child.protocol import (
    MAX_FRAME_BYTES,
    EndFrame,
    ExitFrame,
    FrameError,
    FrameReader,
    FromChild,
    ToChild,
    encode,
)

#: How long what a dead child said last may take to arrive.
_DRAIN_SECONDS = 1.0
#: How long a process may take to die after its files were closed.
_DYING_SECONDS = 0.5
#: What a pipe holds, and what is read at once.
_PIPE_BYTES = 64 * 1024
#: A job may make its pipe larger: as root without limit, else up to 1 MiB.
_MAX_READS = 17
#: A SIGTERM is sent again after these pauses while the run continues. Python loses sight of a
#: signal that arrives just before a thread begins to wait, and a second one that is not needed does
#: no harm: the child ends a run once, and only the run that a cancel frame has named.
_REPEAT_SECONDS = (0.2, 0.5, 1.0, 2.0)


class ChildDeath(Struct, frozen=True):
    """A child is gone, and everything that it started."""

    #: As `subprocess` counts: negative for a signal.
    exitcode: int
    #: Whether the kernel killed it for memory; None if nobody can tell.
    oom: bool | None
    max_rss_bytes: int
    #: Why it had to die, when that is known; otherwise the exit code says all there is.
    reason: str | None = None
    #: Processor time of its whole life; None: unknown.
    cpu_seconds: float | None = None
    #: The file and line where Python crashed, if it said so.
    place: str | None = None


def _ignore_frame(frame: FromChild) -> None:
    pass


def _ignore_printed(data: bytes) -> None:
    pass


def _ignore_death(death: ChildDeath) -> None:
    pass


class ChildHandle(asyncio.Protocol):
    """A process that runs jobs. `on_frame` and `on_death` report what it says and when it dies,
    `on_printed` what it and its programs write to the descriptors 1 and 2."""

    def __init__(
        self,
        signal_child: Callable[[int, int], None],
        max_frame_bytes: int = MAX_FRAME_BYTES,
        printed: int | None = None,
    ) -> None:
        self.pid = 0
        self.alive = True
        self.on_frame: Callable[[FromChild], None] = _ignore_frame
        self.on_death: Callable[[ChildDeath], None] = _ignore_death
        self.on_printed: Callable[[bytes], None] = _ignore_printed
        #: What its runs have cost so far.
        self.meter = Meter()
        self._signal_child = signal_child
        self._reader: FrameReader[FromChild] = FrameReader(FromChild, max_frame_bytes)
        self._transport: asyncio.Transport | None = None
        #: Why this handle itself wants the process to end.
        self._reason: str | None = None
        self._is_to_die = False
        self._death: ChildDeath | None = None
        self._repeats: list[asyncio.TimerHandle] = []
        self._is_connected = False
        #: The pipe of what it prints; None once nothing can come from it.
        self._printed = printed
        #: Whether something is in it: much cheaper than to read in vain, after each job.
        self._has_printed = select.poll()
        if printed is not None:
            os.set_blocking(printed, False)
            self._has_printed.register(printed, select.POLLIN)
            loop = asyncio.get_running_loop()
            # What Python says when it crashes stands behind the frames that arrive with it.
            loop.add_reader(printed, loop.call_soon, self._read_printed)

    @property
    def usable(self) -> bool:
        """Whether a job can be sent: it lives as far as is known, and its pipe is open."""
        return self.alive and not (self._transport is not None and self._transport.is_closing())

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._is_connected = True

    def _read_printed(self) -> bool:
        """Take what was printed, a part at a time. Whether there may be more."""
        if self._printed is None:
            return False
        try:
            data = os.read(self._printed, _PIPE_BYTES)
        except BlockingIOError:
            return False
        if data:
            self.on_printed(data)
        else:
            self.close_printed()
        return len(data) == _PIPE_BYTES

    def _read_all_printed(self) -> None:
        """Take what was printed until now."""
        if self._printed is not None and self._has_printed.poll(0):
            for _ in range(_MAX_READS):
                if not self._read_printed():
                    return

    def close_printed(self) -> None:
        """Read nothing more of what it prints."""
        printed, self._printed = self._printed, None
        if printed is not None:
            asyncio.get_running_loop().remove_reader(printed)
            self._has_printed.unregister(printed)
            os.close(printed)

    def data_received(self, data: bytes) -> None:
        if self._reason is not None:
            return
        try:
            for frame in self._reader.feed(data):
                if isinstance(frame, EndFrame):
                    if self._repeats:
                        self._stop_repeating()
                    self._read_all_printed()  # it was written before
                self.on_frame(frame)
        except FrameError as error:
            self._end(f"the job's process sent {error}")

    def connection_lost(self, exc: Exception | None) -> None:
        self._is_connected = False
        self._report_death()
        # Most likely the process is dying. If it is not, a job has closed the pipe.
        loop = asyncio.get_running_loop()
        loop.call_later(
            _DYING_SECONDS, self._end, "the job closed its process's pipe to the worker"
        )

    def send(self, frame: ToChild) -> None:
        """Send a frame. To a child that is dying it goes nowhere; `on_death` follows.

        Raises:
            ValueError: The frame has no JSON form, or it is too large.
        """
        data = encode(frame)
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def kill(self, signum: int) -> None:
        """Send a signal, unless the child is known to be dead."""
        self._is_to_die |= signum == signal.SIGKILL
        if self.alive:
            self._signal_child(self.pid, signum)
        if signum == signal.SIGTERM:
            self._stop_repeating()
            loop = asyncio.get_running_loop()
            self._repeats = [
                loop.call_later(pause, self._repeat, signum) for pause in _REPEAT_SECONDS
            ]

    def _repeat(self, signum: int) -> None:
        if self.alive:
            self._signal_child(self.pid, signum)

    def _stop_repeating(self) -> None:
        for repeat in self._repeats:
            repeat.cancel()
        self._repeats = []

    def discard(self, deadline_seconds: float) -> None:
        """Let an idle child go; kill it if it has not gone in time."""
        self.on_frame, self.on_death = _ignore_frame, _ignore_death
        self.on_printed = _ignore_printed
        self.send(ExitFrame())
        loop = asyncio.get_running_loop()
        loop.call_later(deadline_seconds, self.kill, signal.SIGKILL)

    def died(
        self,
        exitcode: int,
        oom: bool | None,
        max_rss_bytes: int,
        reason: str | None,
        cpu_seconds: float | None = None,
    ) -> None:
        """Take note of the death. For the nursery's handle."""
        self.alive = False
        self._stop_repeating()
        self._death = ChildDeath(exitcode, oom, max_rss_bytes, reason, cpu_seconds)
        if self._is_connected:
            # What it said last is still in the pipe, before its end.
            asyncio.get_running_loop().call_later(_DRAIN_SECONDS, self._report_death)
        else:
            self._report_death()

    def _report_death(self) -> None:
        death, self._death = self._death, None
        if death is None:
            return
        if self._transport is not None:
            self._transport.abort()
        self._read_all_printed()
        self.close_printed()
        self.on_death(death)

    def reason_if_killed(self) -> str | None:
        """Return why this handle asked for its end, None if it did not."""
        return self._reason

    def _end(self, reason: str) -> None:
        if not self._is_to_die and self.alive:
            self._reason = reason
        self.kill(signal.SIGKILL)
