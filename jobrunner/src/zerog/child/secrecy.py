"""What a process does so that others of its user, jobs among them, do not learn its secrets.

Of ZeroG's variables jobs get those of the client, which somebody has set for their own calls. All
others are kept from them, so that no setting has to be known as a secret.
"""

import contextlib
import ctypes
import os
from collections.abc import Mapping
from pathlib import Path

_SETTINGS = "ZEROG_"
FOR_JOBS = frozenset({"ZEROG_URL", "ZEROG_URL_FILE", "ZEROG_TOKEN", "ZEROG_TOKEN_FILE"})
_PR_SET_DUMPABLE = 4
#: Where the numbers of the environment's addresses are in `/proc/PID/stat`, behind the name.
_ENV_START, _ENV_END = 47, 48
_libc = ctypes.CDLL(None, use_errno=True)


def for_jobs(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the part of an environment that jobs may have."""
    return {name: value for name, value in environ.items() if _is_for_jobs(name)}


def hide_process() -> None:
    """Keep other processes of the same user out of this one: memory, environment, open files.

    It leaves no core dump then, and a debugger needs root. What it starts can be looked into.
    Idempotent.
    """
    _libc.prctl(_PR_SET_DUMPABLE, 0)
    with contextlib.suppress(OSError):  # no /proc, in which nobody can look either
        _wipe_environment()


def _is_for_jobs(name: str) -> bool:
    return not name.startswith(_SETTINGS) or name in FOR_JOBS


def _wipe_environment() -> None:
    """Wipe what the process was started with: a right of root's is enough to read that.

    Python has read it long ago; `os.environ` stays as it is.
    """
    numbers = Path("/proc/self/stat").read_bytes().rpartition(b") ")[2].split()
    start, end = int(numbers[_ENV_START]), int(numbers[_ENV_END])
    if not start < end:
        return
    for entry in ctypes.string_at(start, end - start).split(b"\0"):
        if not _is_for_jobs(os.fsdecode(entry).partition("=")[0]):
            ctypes.memset(start, 0, len(entry))
        start += len(entry) + 1
