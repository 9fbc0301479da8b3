"""The child's side of the pipe: reports go out at once where that costs nothing, and
never block the job.

A report is sent when the pipe takes it; what it does not take, and completeness that
comes too fast, is sent by a thread that starts when it is first needed. The outcome
follows everything that was reported. A signal that ends the job must not break a frame
in two, so sending is shielded: `Shield` holds the signal back until the frame is out.
"""

import select
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from zerog.child import frames

#: Completeness is sent at most this often; the worker writes it less often still.
PROGRESS_INTERVAL_SECONDS = 0.02
#: How long the thread waits for the pipe before it looks again.
_FLUSH_SECONDS = 0.02


class Shield:
    """Holds back what a signal handler wants to raise while the main thread is inside."""

    def __init__(self) -> None:
        self._depth = 0
        self._held: BaseException | None = None

    def __enter__(self) -> None:
        if threading.current_thread() is threading.main_thread():
            self._depth += 1

    def __exit__(self, *_: object) -> None:
        if threading.current_thread() is threading.main_thread():
            self._depth -= 1
            if self._depth == 0 and self._held is not None:
                held, self._held = self._held, None
                raise held

    def raise_or_hold(self, error: BaseException) -> None:
        """Raise now, or when the main thread leaves the shield."""
        if self._depth:
            self._held = error
        else:
            raise error

    def drop(self) -> None:
        """Forget what is held: the job is over."""
        self._held = None


class Reporter:
    """A `zerog.sdk.context.Channel` over the pipe to the worker."""

    def __init__(
        self, pipe: socket.socket, shield: Shield, poll_cancel: Callable[[], bool]
    ) -> None:
        self._pipe = pipe
        self._shield = shield
        self._poll_cancel = poll_cancel
        self._lock = threading.Lock()
        self._wake = threading.Condition(self._lock)
        self._thread: threading.Thread | None = None
        self._buffer = bytearray()
        self._progress: float | None = None
        self._progress_at = 0.0

    def progress(self, completeness: float) -> None:
        """Report completeness."""
        with self._shield, self._lock:
            self._progress = completeness
            if time.monotonic() - self._progress_at >= PROGRESS_INTERVAL_SECONDS:
                self._send_some()
            self._leave_rest_to_thread()

    def event(self, frame: dict[str, Any]) -> None:
        """Report a log line."""
        with self._shield, self._lock:
            self._buffer += frames.encode(frame)
            self._send_some()
            self._leave_rest_to_thread()

    def save_state(self, state: dict[str, Any]) -> None:
        """Report the job's state."""
        self.event({"op": "state", "state": state})

    def cancelled(self) -> bool:
        """Whether the worker has asked the job to end."""
        with self._shield:
            return self._poll_cancel()

    def finish(self, outcome: dict[str, Any]) -> None:
        """Send everything that waits and then the outcome. Blocks until the worker has it."""
        with self._lock:
            self._take_progress()
            self._buffer += frames.encode(outcome)
            self._pipe.sendall(self._buffer)
            self._buffer.clear()

    def _send_some(self) -> None:
        self._take_progress()
        try:
            sent = self._pipe.send(self._buffer, socket.MSG_DONTWAIT)
            del self._buffer[:sent]
        except BlockingIOError:
            pass

    def _take_progress(self) -> None:
        if self._progress is not None:
            frame = {"op": "progress", "completeness": self._progress}
            self._buffer += frames.encode(frame)
            self._progress = None
            self._progress_at = time.monotonic()

    def _leave_rest_to_thread(self) -> None:
        if not self._buffer and self._progress is None:
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._flush, name="zerog-reports", daemon=True)
            self._thread.start()
        self._wake.notify()

    def _flush(self) -> None:
        while True:
            with self._wake:
                while not self._buffer and self._progress is None:
                    self._wake.wait()
            time.sleep(PROGRESS_INTERVAL_SECONDS)
            select.select([], [self._pipe], [], _FLUSH_SECONDS)
            with self._lock:
                if self._buffer or self._progress is not None:
                    try:
                        self._send_some()
                    except OSError:
                        return  # the worker is gone, and so will be this process
