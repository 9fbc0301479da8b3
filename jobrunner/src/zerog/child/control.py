"""A socket to the nursery that never blocks the worker's loop.

Frames and file descriptors go out in order, and wait here while the nursery does not read. Frames
come in by a callback. `on_lost` is called once, when the other side is gone or talks nonsense.
"""

import asyncio
import contextlib
import os
import socket
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from zerog.child.protocol import FrameError, FrameReader, FromNursery, ToNursery, encode

_RECEIVE_BYTES = 65536


class Control:
    """The worker's end of the socket."""

    def __init__(
        self,
        end: socket.socket,
        on_frame: Callable[[FromNursery], None],
        on_lost: Callable[[str], None],
    ) -> None:
        end.setblocking(False)
        self._end = end
        self._on_frame, self._on_lost = on_frame, on_lost
        self._reader: FrameReader[FromNursery] = FrameReader(FromNursery)
        #: What waits to be sent, each with the descriptors that go with its first byte.
        self._waiting: deque[tuple[bytes, Sequence[int]]] = deque()
        self._is_open = True
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(end.fileno(), self._readable)

    def send(self, frame: ToNursery, passed: Sequence[int] = ()) -> None:
        """Send a frame, and with it descriptors, which are closed here afterwards."""
        self._waiting.append((encode(frame), passed))
        if len(self._waiting) == 1:
            self._writable()

    def close(self) -> None:
        """Close the socket. `on_lost` is not called any more."""
        if not self._is_open:
            return
        self._is_open = False
        self._loop.remove_reader(self._end.fileno())
        self._loop.remove_writer(self._end.fileno())
        self._end.close()
        for _, passed in self._waiting:
            close_all(passed)
        self._waiting.clear()

    def _writable(self) -> None:
        while self._is_open and self._waiting:
            data, passed = self._waiting[0]
            try:
                sent = socket.send_fds(self._end, [data], passed)
            except (BlockingIOError, InterruptedError):
                self._loop.add_writer(self._end.fileno(), self._writable)
                return
            except OSError as error:
                self._lost(f"the nursery cannot be reached: {error}")
                return
            close_all(passed)
            if sent < len(data):
                self._waiting[0] = (data[sent:], ())
            else:
                self._waiting.popleft()
        if self._is_open:
            with contextlib.suppress(ValueError):
                self._loop.remove_writer(self._end.fileno())

    def _readable(self) -> None:
        try:
            data = self._end.recv(_RECEIVE_BYTES)
            if not data:
                self._lost("the nursery died")
                return
            for frame in self._reader.feed(data):
                self._on_frame(frame)
                if not self._is_open:
                    return
        except (BlockingIOError, InterruptedError):
            return
        except (OSError, FrameError) as error:
            self._lost(f"the nursery cannot be understood: {error}")

    def _lost(self, why: str) -> None:
        if self._is_open:
            self.close()
            self._on_lost(why)


def close_all(fds: Iterable[int]) -> None:
    """Close descriptors."""
    for fd in fds:
        os.close(fd)
