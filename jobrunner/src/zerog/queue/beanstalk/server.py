"""A beanstalkd as a child process, for `zerog dev`."""

import contextlib
import ctypes
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from zerog.model.errors import ConfigError, QueueUnavailableError
from zerog.privatefile import FILE_MODE, make_folder

#: How long it may take to answer after its start, and to end after SIGTERM.
START_SECONDS = 10.0
STOP_SECONDS = 5.0
_PR_SET_PDEATHSIG = 1


def free_port() -> int:
    """Return a port of the loopback interface that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def die_with_parent(libc: ctypes.CDLL | None = None) -> Callable[[], None]:
    """Return a function for `preexec_fn`: the child gets SIGTERM when its parent dies."""
    library = libc or ctypes.CDLL(None)

    def prepare() -> None:
        library.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    return prepare


def _open_log(path: Path) -> BinaryIO:
    return open(path, "ab", opener=lambda name, flags: os.open(name, flags, FILE_MODE))


class LocalBeanstalkd:
    """A beanstalkd on the loopback interface; it dies with this process."""

    #: A crash of the machine may lose what was put in this time; 0: nothing.
    fsync_milliseconds = 50

    def __init__(
        self, *, port: int | None = None, binlog: Path | None = None, log: Path | None = None
    ) -> None:
        self.port = port or free_port()
        self._binlog = binlog
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it and return once it answers.

        Raises:
            ConfigError: There is no beanstalkd on this machine, or it ends at once.
            QueueUnavailableError: It does not answer in time.
        """
        binary = shutil.which("beanstalkd")
        if binary is None:
            raise ConfigError("beanstalkd is not installed: run `apt-get install beanstalkd`")
        command = [binary, "-l", "127.0.0.1", "-p", str(self.port)]
        if self._binlog is not None:
            make_folder(self._binlog)
            command += ["-b", str(self._binlog), f"-f{self.fsync_milliseconds}"]
        with contextlib.ExitStack() as stack:
            output = stack.enter_context(_open_log(self._log)) if self._log else None
            # It leads its own group, so that ^C in a terminal ends it last, by our hand.
            self._process = subprocess.Popen(
                command,
                # Jobs of the same user can read what it has.
                env={name: v for name, v in os.environ.items() if not name.startswith("ZEROG_")},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=die_with_parent(),
                process_group=0,
            )
        self._wait_until_it_answers()

    def stop(self) -> None:
        """Stop it and wait for its end. Idempotent."""
        process = self._process
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)
        self._process = None

    def _wait_until_it_answers(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self._process is not None and (code := self._process.poll()) is not None:
                raise ConfigError(
                    f"beanstalkd ended at once with code {code}: is port {self.port} in use, or "
                    f"its folder {self._binlog} in use by another one?{self._where_it_logs()}"
                )
            if self._answers():
                return
            time.sleep(0.01)
        self.stop()
        raise QueueUnavailableError(f"beanstalkd does not answer on {self.address}")

    def _where_it_logs(self) -> str:
        return f" Its output is in {self._log}" if self._log else ""

    def _answers(self) -> bool:
        # It listens before it has locked its binlog: a connection alone says nothing.
        with (
            contextlib.suppress(OSError),
            socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection,
        ):
            connection.sendall(b"list-tube-used\r\n")
            return connection.recv(64).startswith(b"USING")
        return False
