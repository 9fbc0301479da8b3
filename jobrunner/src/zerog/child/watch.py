"""Watch over the import of the job modules, which may hang, exit, crash or start threads.

While modules are imported, the nursery's main thread belongs to them. A second thread sees what the
nursery must not miss: the worker is gone, or SIGTERM. Then everything ends at once. It is gone
before anything is forked.
"""

import contextlib
import faulthandler
import os
import select
import signal
import socket
import sys
import threading
from types import FrameType, TracebackType
from typing import Self

from zerog.child import procfs

#: While a module is imported, `os._exit` is another function (`zerog.sdk.importing`).
_exit = os._exit


class ImportWatch:
    """A context in which modules are imported."""

    def __init__(self, control: socket.socket, report: int, seconds: float) -> None:
        self._control = control
        self._report = report
        self._seconds = seconds
        self._wake_reader, self._wake_writer = os.pipe()
        os.set_blocking(self._wake_writer, False)
        self._thread = threading.Thread(target=self._watch, name="zerog-imports", daemon=True)

    def __enter__(self) -> Self:
        # Both write without Python's help: after a segmentation fault, or while an extension hangs.
        faulthandler.enable(self._report)
        if self._seconds > 0:
            faulthandler.dump_traceback_later(self._seconds, exit=True, file=self._report)
        # The thread reads the signal from the pipe, whatever the main thread is doing.
        signal.set_wakeup_fd(self._wake_writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGTERM, _do_nothing)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        signal.set_wakeup_fd(-1)
        os.write(self._wake_writer, b"\0")
        self._thread.join()
        faulthandler.cancel_dump_traceback_later()
        faulthandler.disable()
        os.close(self._wake_reader)
        os.close(self._wake_writer)

    def _watch(self) -> None:
        while True:
            waiting = (self._control.fileno(), self._wake_reader)
            readable, _, _ = select.select(waiting, [], [])
            if self._wake_reader in readable:
                signals = os.read(self._wake_reader, 100)
                if signal.SIGTERM in signals:
                    _end_everything()
                if 0 in signals:
                    return
            elif self._control.fileno() in readable:
                with contextlib.suppress(OSError):
                    if self._control.recv(1, socket.MSG_PEEK):
                        return  # a request: nobody sends one before the types are there
                _end_everything()


def _do_nothing(signum: int, frame: FrameType | None) -> None:
    pass


def _end_everything() -> None:
    procfs.kill_children()
    with contextlib.suppress(Exception):
        sys.stdout.flush()
    _exit(1)
