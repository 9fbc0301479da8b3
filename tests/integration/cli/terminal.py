"""A terminal for tests: a command in it, and what it has on its screen at the end."""

import contextlib
import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from select import select

from tests.processes import start_in_terminal

DEADLINE_SECONDS = 240.0


class Terminal:
    """A command that runs in a terminal of some width; `zerog` is forked from a warm process."""

    def __init__(
        self, command: Sequence[str], *, columns: int, folder: Path, env: Mapping[str, str]
    ) -> None:
        self.raw = ""
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        plain = {name: value for name, value in env.items() if name not in ("COLUMNS", "NO_COLOR")}
        plain["TERM"] = "xterm-256color"
        if command[0] == "zerog":
            self.process = start_in_terminal(command[1:], slave, env=plain, cwd=folder)
        else:
            self.process = subprocess.Popen(
                command, stdin=slave, stdout=slave, stderr=slave, cwd=folder, env=plain,
                start_new_session=True,
            )  # fmt: skip
        os.close(slave)

    def read_until(self, found: Callable[[str], bool]) -> str:
        """Read until what was written is what is looked for, or the command has ended."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not found(self.raw):
            assert time.monotonic() < deadline, self.raw
            if not self.read(0.5):
                break
        return self.raw

    def read(self, seconds: float) -> bool:
        """Read what there is, or comes soon. False if nobody has the terminal any more."""
        if select([self._master], [], [], seconds)[0]:
            try:
                self.raw += os.read(self._master, 65536).decode("utf-8", "replace")
            except OSError:
                return False
        return True

    def press(self, keys: str) -> None:
        """Type this."""
        os.write(self._master, keys.encode())

    def interrupt(self) -> None:
        """What ^C does."""
        os.killpg(self.process.pid, signal.SIGINT)

    def end(self) -> tuple[int, str]:
        """Read to the end, return exit code and all that was written."""
        written = self.read_until(lambda _: False)
        return self.process.wait(DEADLINE_SECONDS), written

    def close(self) -> None:
        """End what is left."""
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(DEADLINE_SECONDS)
        os.close(self._master)
