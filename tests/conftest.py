"""What every test may ask for: test clusters and a Couchbase, made only when asked.

No test is timed, so neither are Hypothesis's examples: these machines are sometimes very slow.
They are the same ones in each run, so that a run that passes passes again; `make fuzz` throws
others each time.

Their files are in memory where there is room: every accepted job is flushed to the disk, and a
disk that others use may take seconds for it. `make power` is what tries a disk.
"""

import os
import shutil
from pathlib import Path

from hypothesis import HealthCheck, settings

pytest_plugins = ["tests.cluster.fixtures", "tests.couchbase.fixtures", "tests.outcome"]

settings.register_profile(
    "untimed",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("untimed")

MEMORY = Path("/dev/shm")
#: What is free there must be more than this: some four times what a run leaves at once.
MIN_FREE_BYTES = 8 * 1024**3


def _has_room(folder: Path) -> bool:
    """Whether a folder has room for the files of tests, and lets programs among them run."""
    if not folder.is_dir() or os.statvfs(folder).f_flag & os.ST_NOEXEC:
        return False
    return os.access(folder, os.W_OK) and shutil.disk_usage(folder).free > MIN_FREE_BYTES


if _has_room(MEMORY):
    os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))
