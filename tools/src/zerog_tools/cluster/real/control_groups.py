"""The control groups of a node's pods: the one thing of a node that outlives its machine.

The kubelet makes its groups below one that must be there in every hierarchy of version 1;
under version 2 there is one hierarchy. When all processes have ended they are removed.
"""

import contextlib
import os
from pathlib import Path

from zerog_tools.cluster.process import wait_until

ROOT = Path("/sys/fs/cgroup")
#: Files that a new group of the `cpuset` hierarchy must take over before a process can join.
CPUSET_FILES = ("cpuset.cpus", "cpuset.mems")
#: Processes that were killed take so long to be gone, on a busy machine.
REMOVE_SECONDS = 30.0


def hierarchies() -> list[Path]:
    """Return the roots of this machine's hierarchies."""
    if (ROOT / "cgroup.controllers").exists():
        return [ROOT]
    found = [path for path in ROOT.iterdir() if path.is_dir() and not path.is_symlink()]
    return [path for path in found if (path / "cgroup.procs").exists()]


def create(name: str) -> None:
    """Make a group of this name in every hierarchy. Idempotent."""
    for root in hierarchies():
        group = root / name
        group.mkdir(exist_ok=True)
        for file in CPUSET_FILES:
            # The root of version 2 has no such files, and its groups need none.
            if (root / file).exists() and not (group / file).read_text().strip():
                (group / file).write_text((root / file).read_text())


def remove(name: str) -> None:
    """Remove the groups of this name and all below, once their processes have ended. Idempotent.

    Raises:
        ClusterError: Some are still in use after a while.
    """
    wait_until(lambda: not _remove(name), REMOVE_SECONDS, f"the control groups {name} are free")


def _remove(name: str) -> bool:
    """Remove what can be; whether something is left."""
    groups = [root / name for root in hierarchies()]
    for group in groups:
        for folder, _, _ in os.walk(group, topdown=False):
            with contextlib.suppress(OSError):
                os.rmdir(folder)
    return any(group.exists() for group in groups)
