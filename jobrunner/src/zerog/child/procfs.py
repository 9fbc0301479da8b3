"""What the worker, its nursery and the children ask of Linux: prctl, descendants, memory.

Everything here works without /proc, with less: descendants are then found by process group only,
and nobody can tell an out-of-memory kill from another one.
"""

import contextlib
import ctypes
import os
import resource
import signal
import time
from collections.abc import Callable, Container
from pathlib import Path

_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
#: A fifth of all memory is added to what the process really has when a victim is chosen.
_OOM_SCORE, _MAX_OOM_SCORE = 200, 1000
_libc = ctypes.CDLL(None, use_errno=True)
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
#: How long processes may take to vanish after SIGKILL.
KILL_SECONDS = 2.0


def is_there() -> bool:
    """Whether this process can see itself in /proc."""
    return os.path.exists("/proc/self/stat")


def die_with_parent(signum: int = signal.SIGKILL) -> None:
    """Let the kernel send this process a signal when its parent dies."""
    _libc.prctl(_PR_SET_PDEATHSIG, int(signum))


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
    """Return this process's resident memory; the most that it ever had without /proc."""
    try:
        # Half of the time that `open` takes.
        fd = os.open("/proc/self/statm", os.O_RDONLY)
        try:
            return int(os.read(fd, 100).split()[1]) * _PAGE_BYTES
        finally:
            os.close(fd)
    except (OSError, IndexError, ValueError):
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def children() -> list[int]:
    """Return the ids of this process's children, none without /proc."""
    found: list[int] = []
    try:
        for task in os.listdir("/proc/self/task"):
            with open(f"/proc/self/task/{task}/children", "rb") as file:
                found += map(int, file.read().split())
    except FileNotFoundError:  # a kernel without this file, or a thread that just ended
        return _children_by_stat()
    except OSError:
        return []
    return found


def _children_by_stat() -> list[int]:
    found = []
    with contextlib.suppress(OSError):
        for name in os.listdir("/proc"):
            with contextlib.suppress(OSError, IndexError, ValueError):
                if name.isdigit():
                    stat = Path("/proc", name, "stat").read_bytes()
                    if int(stat.rpartition(b")")[2].split()[1]) == os.getpid():
                        found.append(int(name))
    return found


def kill(pid: int, signum: int = signal.SIGKILL) -> None:
    """Send a signal to a process that may be gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.kill(pid, signum)


def kill_group(pid: int) -> None:
    """Kill a process group that may be gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def has_children() -> bool:
    """Whether there is a child, dead or alive. One system call."""
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


def kill_children(
    keep: Container[int] = (), mine: Callable[[int], bool] = lambda _pid: True
) -> bool:
    """Kill and reap children, and what they leave, until none is left. Whether there was one.

    Children in `keep`, and those that are not `mine`, are left alone. The caller must have called
    `adopt_orphans`: what a killed child had started becomes a child of this process then.
    """
    #: Also once it is a zombie, of which little can be seen.
    found: set[int] = set()
    deadline = time.monotonic() + KILL_SECONDS
    while targets := [pid for pid in children() if pid not in keep and (pid in found or mine(pid))]:
        found.update(targets)
        for pid in targets:
            kill(pid)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        if time.monotonic() > deadline:
            break
        time.sleep(0.001)
    return bool(found)


def session_of(pid: int) -> int:
    """Return the session of a process, 0 if it is gone."""
    try:
        return os.getsid(pid)
    except OSError:
        return 0


def has_in_environment(pid: int, marker: bytes) -> bool:
    """Whether a process was started with a variable in its environment."""
    try:
        return marker in Path("/proc", str(pid), "environ").read_bytes().split(b"\0")
    except OSError:
        return False


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
