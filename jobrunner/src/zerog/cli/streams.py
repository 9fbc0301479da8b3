"""Standard input, output and error. The caller of the command may have closed them, given them
another encoding than UTF-8, or let them run full."""

import contextlib
import io
import os
import sys
from typing import TextIO

from zerog.cli import codes
from zerog.cli.words import say


def mend() -> None:
    """Write what an encoding does not have as its escape."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def finish(code: int) -> int:
    """Write what is left and return the exit code: another one if the output cannot be written."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:  # the reader of our output has enough
        _discard(sys.stdout)
    except OSError as error:
        _discard(sys.stdout)
        if code == codes.OK:
            code = codes.FAILED
            say(f"zerog: error: the output cannot be written: {error.strerror}")
    try:
        sys.stderr.flush()
    except (OSError, ValueError):  # remarks are no output; a module may have closed it
        _discard(sys.stderr)
    return code


def _discard(stream: TextIO) -> None:
    """Let nothing be left that the interpreter would try to write at its end."""
    with contextlib.suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
        stream.flush()
