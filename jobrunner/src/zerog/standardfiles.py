"""Standard input, output and error: open in every process of ZeroG, whoever reads them.

Each command begins with `open_missing`. A process that runs until it is stopped calls `protect`,
too: it goes on when the reader of its log ends, or when the disk is full.
"""

import contextlib
import errno
import io
import os
import sys
from collections.abc import Callable
from typing import Any

_HARMLESS = frozenset({errno.EPIPE, errno.EIO, errno.ENOSPC})


class PatientFile(io.FileIO):
    """A file whose reader or disk may be gone."""

    def write(self, data: Any, /) -> int:
        try:
            return super().write(data)
        except OSError as error:
            if error.errno not in _HARMLESS:
                raise
            if error.errno == errno.EPIPE:
                discard(self.fileno())
            return len(data)


def open_missing() -> None:
    """Open what is closed, so that no other file gets the numbers 0, 1 and 2."""
    for fd, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(fd)
        except OSError:
            discard(fd)
        if getattr(sys, name) is None:
            # Not closed with the object, which anybody may replace.
            stream = open(fd, "r" if fd == 0 else "w", encoding="utf-8", closefd=False)  # noqa: SIM115
            setattr(sys, name, stream)


def protect() -> None:
    """Let writing to standard output and error succeed whatever becomes of the reader."""
    replace_streams(
        lambda fd, stream: io.TextIOWrapper(
            PatientFile(fd, "w", closefd=False),
            encoding=stream.encoding,
            errors=stream.errors,
            write_through=True,
        )
    )


def replace_streams(make: Callable[[int, io.TextIOWrapper], io.TextIOWrapper]) -> None:
    """Put others in the place of `sys.stdout` and `sys.stderr`, where those are still Python's.

    `make` gets a descriptor and its stream, which is flushed.
    """
    for name, fd in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is not getattr(sys, f"__{name}__") or not isinstance(stream, io.TextIOWrapper):
            continue  # somebody has put something else there
        with contextlib.suppress(OSError, ValueError):
            stream.flush()
        with contextlib.suppress(OSError, ValueError):
            made = make(fd, stream)
            setattr(sys, name, made)
            setattr(sys, f"__{name}__", made)


def discard(fd: int) -> None:
    """Point a descriptor at /dev/null."""
    null = os.open(os.devnull, os.O_RDWR)
    if null != fd:
        os.dup2(null, fd)
        os.close(null)
    os.set_inheritable(fd, True)
