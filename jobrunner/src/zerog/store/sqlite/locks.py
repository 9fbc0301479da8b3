"""Which process holds the write lock of a SQLite file, as Linux tells it."""

import contextlib
import os
from pathlib import Path

#: In write-ahead-log mode a writer locks this byte of the file `…-shm`: WAL_WRITE_LOCK, see "The
#: WAL-Index File Format" in SQLite's documentation.
_WRITE_LOCK_BYTE = 120


def describe_holder(path: Path) -> str:
    """Say who holds the lock: its process and command, or "another process"."""
    with contextlib.suppress(OSError, ValueError):
        pid = _holder(path.with_name(path.name + "-shm"))
        if pid is not None and pid != os.getpid():
            words = Path(f"/proc/{pid}/cmdline").read_bytes().decode("utf-8", "replace").split("\0")
            return f"process {pid} ({' '.join(words)[:80].strip()})"
    return "another process"


def _holder(file: Path) -> int | None:
    """Find the lock in `/proc/locks`: `1: POSIX  ADVISORY  WRITE 123 08:01:456 120 120`."""
    inode = os.stat(file).st_ino
    for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
        _, kind, _, mode, pid, place, first, last = line.split()[:8]
        if kind != "POSIX" or mode != "WRITE" or int(place.rpartition(":")[2]) != inode:
            continue
        if int(first) <= _WRITE_LOCK_BYTE and (last == "EOF" or int(last) >= _WRITE_LOCK_BYTE):
            return int(pid)
    return None
