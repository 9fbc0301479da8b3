"""The child's end of the pipe: reports go out at once where that costs nothing, and never block
the job; what the worker sends is read here, too.

All of it happens under one lock, from whatever thread of the job. A finalizer, which may run in
the midst of it, may report, too: it leaves the sending to what it interrupts. A report is sent when
the pipe takes it. What it does not take, and completeness that comes too fast, is sent by a thread
that starts when it is first needed. The end follows everything that was reported.

A signal that ends the job must not break a frame in two, nor find the lock held by its own thread:
`Shield` holds it back while the main thread is in here.
"""

import contextlib
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable

from msgspec.structs import replace

from zerog.child.protocol import (
    CancelFrame,
    CheckedFrame,
    EndFrame,
    FrameError,
    FrameReader,
    LineFrame,
    ProgressFrame,
    ReceivedByChild,
    SpanFrame,
    StateFrame,
    encode,
)
from zerog.model.documents import LogLine
from zerog.model.record import JobState

#: Completeness is sent at most this often; the worker writes it less often still.
PROGRESS_INTERVAL_SECONDS = 0.02
#: How long the thread waits for the pipe before it looks again.
_FLUSH_SECONDS = 0.02
_RECEIVE_BYTES = 256 * 1024


class Shield:
    """Holds back what a signal handler does while the main thread is inside."""

    def __init__(self) -> None:
        self._depth = 0
        self._held: Callable[[], None] | None = None

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            self._depth += 1

    def __exit__(self, *_: object) -> None:
        if threading.current_thread() is threading.main_thread():
            self._depth -= 1
            if self._depth == 0 and self._held is not None:
                held, self._held = self._held, None
                held()

    def do_or_hold(self, action: Callable[[], None]) -> None:
        """Act now, or when the main thread leaves the shield."""
        if self._depth:
            self._held = action
        else:
            action()

    def drop(self) -> None:
        """Forget what is held: the job is over."""
        self._held = None


class Pipe:
    """The child's end of the pipe, and a `zerog.sdk.context.Channel` for the run of the moment."""

    def __init__(self, end: socket.socket, shield: Shield) -> None:
        self._end = end
        self._shield = shield
        #: Also for the lines of a context: with two locks a finalizer could take them in the other
        #: order than the thread that waits for it.
        self.lock = threading.RLock()
        self._wake = threading.Condition(self.lock)
        self._thread: threading.Thread | None = None
        self._is_readable = select.poll()
        self._is_readable.register(end, select.POLLIN)
        self._reader: FrameReader[ReceivedByChild] = FrameReader(ReceivedByChild)
        self._inbox: deque[ReceivedByChild] = deque()
        self._buffer = bytearray()
        self._is_sending = False
        self._state: JobState | None = None
        self._progress: float | None = None
        self._progress_at = 0.0
        self._run = ""
        self._why: str | None = None

    # What comes in.

    def next_frame(self) -> ReceivedByChild:
        """Wait for a frame. `EOFError` if the worker is gone."""
        while not self._inbox:
            self._receive()
        return self._inbox.popleft()

    def begin(self, run: str) -> None:
        """Report for this run from now on."""
        with self._shield, self.lock:
            self._run, self._why = run, None
            self._take_cancels()

    def cancelled(self) -> bool:
        """Whether the worker wants the run to end."""
        return self.why() is not None

    def why(self) -> str | None:
        """Return why the worker wants the run to end, None if it does not."""
        with self._shield, self.lock:
            if self._why is None and self._is_readable.poll(0):
                try:
                    self._receive()
                except (OSError, EOFError, FrameError):
                    self._why = "the worker is gone"
                self._take_cancels()
            return self._why

    def _take_cancels(self) -> None:
        for frame in [item for item in self._inbox if isinstance(item, CancelFrame)]:
            self._inbox.remove(frame)
            if frame.run == self._run:
                self._why = frame.why

    def _receive(self) -> None:
        data = self._end.recv(_RECEIVE_BYTES)
        if not data:
            raise EOFError
        self._inbox += self._reader.feed(data)

    # What goes out.

    def progress(self, completeness: float) -> None:
        """Report completeness."""
        with self._shield, self.lock:
            self._progress = completeness
            if time.monotonic() - self._progress_at >= PROGRESS_INTERVAL_SECONDS:
                self._send_some()
            self._leave_rest_to_thread()

    def line(self, line: LogLine) -> None:
        """Report a log line."""
        assert not isinstance(line.data, dict)  # only stored lines have that
        data = encode(
            LineFrame(
                self._run, line.seq, line.time, line.level, line.message, line.data, line.logger
            )
        )
        self._post(data)

    def span(self, span: SpanFrame) -> None:
        """Report a span. `ValueError` if it is too large."""
        self._post(encode(replace(span, run=self._run)))

    def _post(self, data: bytes) -> None:
        with self._shield, self.lock:
            self._buffer += data
            self._send_some()
            self._leave_rest_to_thread()

    def save_state(self, state: JobState) -> None:
        """Report the job's state. Of several that wait only the last one is sent."""
        with self._shield, self.lock:
            self._state = state
            self._send_some()
            self._leave_rest_to_thread()

    def finish(self, end: EndFrame | CheckedFrame) -> None:
        """Send everything that waits and then the end. Blocks until the worker has it.

        Raises:
            ValueError: The frame cannot be sent. Nothing of it was.
        """
        data = encode(end)
        with self._shield, self.lock:
            self._is_sending = True
            self._take_waiting()
            self._buffer += data
            self._end.sendall(self._buffer)
            self._buffer.clear()
            self._is_sending = False

    def disable(self) -> None:
        """Leave the pipe to the process that this one was forked from. The lock may be held."""
        with contextlib.suppress(OSError):
            self._end.close()

    def _send_some(self) -> None:
        if self._is_sending:
            return
        self._is_sending = True
        try:
            # What did not fit is a few frames at most, unless the worker does not read.
            if not self._buffer or len(self._buffer) < _RECEIVE_BYTES:
                self._take_waiting()
            sent = self._end.send(self._buffer, socket.MSG_DONTWAIT)
            del self._buffer[:sent]
        except BlockingIOError:
            pass
        finally:
            self._is_sending = False

    def _take_waiting(self) -> None:
        if self._state is not None:
            self._buffer += encode(StateFrame(self._run, self._state))
            self._state = None
        if self._progress is not None:
            self._buffer += encode(ProgressFrame(self._run, self._progress))
            self._progress = None
            self._progress_at = time.monotonic()

    def _leave_rest_to_thread(self) -> None:
        if not self._something_waits():
            return
        if self._thread is None:
            thread = threading.Thread(target=self._flush, name="zerog-reports", daemon=True)
            # Without one (a job may have used up all threads), the next report sends the rest.
            with contextlib.suppress(RuntimeError, MemoryError):
                thread.start()
                self._thread = thread
        self._wake.notify()

    def _something_waits(self) -> bool:
        return bool(self._buffer) or self._progress is not None or self._state is not None

    def _flush(self) -> None:
        writable = select.poll()
        writable.register(self._end, select.POLLOUT)
        while True:
            with self._wake:
                while not self._something_waits():
                    self._wake.wait()
            time.sleep(PROGRESS_INTERVAL_SECONDS)
            writable.poll(_FLUSH_SECONDS * 1000)
            with self.lock:
                if self._something_waits():
                    try:
                        self._send_some()
                    except OSError:
                        return  # the worker is gone, and so will be this process
