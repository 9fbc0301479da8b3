"""Start ZeroG's programs for tests, as users do or without the time that Python's imports take.

`start_zerog` forks a warm process (`tests.warm`), which the first call starts. A process is started
cold where a fork would not be the same: with a command in front of it, or with variables that
Python, the C library or the loader read at their start. A test asks for that where it is about
memory, imports, or what `/proc` shows.
"""

import contextlib
import functools
import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

ROOT = Path(__file__).parents[1]
#: Variables that a program reads when it is started.
_OF_START = ("PYTHON", "LD_", "LC_", "LANG", "MALLOC_", "GLIBC_", "OPENSSL_", "COVERAGE_")
#: For what takes a moment. These machines are sometimes very slow.
_START_SECONDS = 200.0


class _Warm:
    """The parent of this process's warm starts of a program."""

    def __init__(self, program: str) -> None:
        #: Without a file: it is gone with the process that listens.
        self._address = f"\0zerog-tests-{secrets.token_hex(8)}"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self._address)
            listener.listen(64)
            # It ends when this process does, however that happens: its standard input ends.
            inherited, self._life = os.pipe()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.warm", program, str(listener.fileno())],
                cwd=ROOT, env=_clean(), stdin=inherited, pass_fds=[listener.fileno()],
                process_group=0,
            )  # fmt: skip
            os.close(inherited)

    def fork(
        self, arguments: Sequence[str], env: Mapping[str, str], folder: str, files: list[int]
    ) -> tuple[socket.socket, int]:
        """Start a process; return the connection that tells its end, and its id."""
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(_START_SECONDS)
        connection.connect(self._address)
        text = json.dumps({"arguments": list(arguments), "env": dict(env), "folder": folder})
        socket.send_fds(connection, [text[:1].encode()], files)
        connection.sendall(text[1:].encode())
        connection.shutdown(socket.SHUT_WR)
        return connection, _read_number(connection)


class Forked(subprocess.Popen[bytes]):
    """A process that was forked by the warm one; to tests it is one that they started."""

    #: For `subprocess`: this one has nothing to reap.
    _child_created = False

    def __init__(
        self, command: Sequence[str], env: Mapping[str, str], folder: str, files: list[int]
    ) -> None:
        self.args = command
        program, *arguments = command
        self.stdin = self.stdout = self.stderr = None
        self.returncode: int | None = None
        self._connection, self.pid = _warm(program).fork(arguments, env, folder, files)

    def poll(self) -> int | None:
        """Return the return code, None while it runs."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.wait(0)
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait for the end, return the return code: of a signal its number, negative."""
        if self.returncode is None:
            self._connection.settimeout(timeout)
            try:
                self.returncode = _read_number(self._connection)
            except (BlockingIOError, TimeoutError):
                raise subprocess.TimeoutExpired(self.args, timeout or 0) from None
            self._connection.close()
        return self.returncode


def start_zerog(
    arguments: Sequence[str],
    *,
    env: Mapping[str, str],
    stdout: IO[bytes] | int,
    stderr: IO[bytes] | None = None,
    cwd: Path | None = None,
    program: str = "zerog",
    prefix: Sequence[str] = (),
    cold: bool = False,
) -> subprocess.Popen[bytes]:
    """Start a process in a group of its own, with no standard input.

    By default its errors go where its output goes, which may also be a number of `subprocess`.
    """
    if cold or prefix or isinstance(stdout, int) or _read_at_start(env) != _read_at_start():
        return subprocess.Popen(
            [*prefix, sys.executable, "-m", program, *arguments], env=env, cwd=cwd,
            stdin=subprocess.DEVNULL, stdout=stdout,
            stderr=stderr or subprocess.STDOUT, process_group=0,
        )  # fmt: skip
    out = stdout.fileno()
    err = stderr.fileno() if stderr else out
    with open(os.devnull, "rb") as nothing:
        return Forked(
            [program, *arguments], env, str(cwd or Path.cwd()), [nothing.fileno(), out, err]
        )


def start_in_terminal(
    arguments: Sequence[str], terminal: int, *, env: Mapping[str, str], cwd: Path
) -> subprocess.Popen[bytes]:
    """Start `zerog` in a group of its own, with a terminal as its three standard files."""
    if _read_at_start(env) != _read_at_start():
        return subprocess.Popen(
            [sys.executable, "-m", "zerog", *arguments], env=env, cwd=cwd,
            stdin=terminal, stdout=terminal, stderr=terminal, process_group=0,
        )  # fmt: skip
    return Forked(["zerog", *arguments], env, str(cwd), 3 * [terminal])


def run_zerog(
    arguments: Sequence[str],
    *,
    env: Mapping[str, str],
    timeout: float,
    cwd: Path | None = None,
    cold: bool = False,
) -> subprocess.CompletedProcess[str]:
    """Run `zerog` to its end; return what it printed."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = start_zerog(arguments, env=env, stdout=out, stderr=err, cwd=cwd, cold=cold)
        try:
            code = process.wait(timeout)
        finally:
            process.kill()
        return subprocess.CompletedProcess(process.args, code, _text(out), _text(err))


@functools.cache
def _warm(program: str) -> _Warm:
    return _Warm(program)


def _clean() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("ZEROG_")}


def _read_at_start(env: Mapping[str, str] = os.environ) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.startswith(_OF_START)}


def _read_number(connection: socket.socket) -> int:
    text = b""
    while not text.endswith(b"\n"):
        more = connection.recv(1)
        if not more:
            raise AssertionError("the warm process has ended")
        text += more
    return int(text)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()
