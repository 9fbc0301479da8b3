"""What the child and its nursery ask of Linux: prctl, descendants, memory, out-of-memory kills."""

import contextlib
import ctypes
import os
import signal
from pathlib import Path

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
#: A fifth of all memory is added to what the process really has when a victim is chosen.
_OOM_SCORE, _MAX_OOM_SCORE = 200, 1000
_libc = ctypes.CDLL(None, use_errno=True)
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


def die_with_parent() -> None:
    """Let the kernel kill this process when its parent dies."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def adopt_orphans() -> None:
    """Become the parent of descendants whose own parent has died."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1)


def go_first() -> None:
    """Let the kernel, when memory runs out, kill this process before nursery and worker."""
    file = Path("/proc/self/oom_score_adj")
    with contextlib.suppress(OSError):
        score = min(int(file.read_text()) + _OOM_SCORE, _MAX_OOM_SCORE)
        file.write_text(str(score), encoding="ascii")


def resident_bytes() -> int:
    """Return this process's resident memory."""
    with open("/proc/self/statm", "rb") as file:
        return int(file.read().split()[1]) * _PAGE_BYTES


def children() -> list[int]:
    """Return the ids of this process's children."""
    found: list[int] = []
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):
            found += map(int, (task / "children").read_text().split())
    return found


def oom_kills() -> int | None:
    """Return how many processes of this cgroup were killed for memory; None if unknown."""
    for path, marker in _oom_files():
        with contextlib.suppress(OSError, ValueError):
            for line in path.read_text().splitlines():
                name, _, value = line.partition(" ")
                if name == marker:
                    return int(value)
    return None


def _oom_files() -> list[tuple[Path, str]]:
    root = Path("/sys/fs/cgroup")
    files = [(root / "memory.events", "oom_kill"), (root / "memory/memory.oom_control", "oom_kill")]
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers == "":
                files.insert(0, (root / path.lstrip("/") / "memory.events", "oom_kill"))
            elif controllers == "memory":
                files.insert(
                    0, (root / "memory" / path.lstrip("/") / "memory.oom_control", "oom_kill")
                )
    return files
