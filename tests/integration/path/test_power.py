"""A power failure loses nothing that was answered. `make power` cuts much more often."""

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from tests.chaos.disk import Disk
from tests.chaos.power import Machine
from tests.chaos.preload import HAS_COMPILER, build

pytestmark = pytest.mark.skipif(not HAS_COMPILER, reason="there is no gcc here")

#: Names, and what is done to each; the folder is synced where the name says so.
WRITE = """
import os, sys
def write(name, data, *, sync):
    file = os.open(os.path.join(sys.argv[1], name), os.O_WRONLY | os.O_CREAT)
    os.write(file, data)
    if sync:
        os.fsync(file)
    return file
file = write("synced", b"before", sync=True)
write("unsynced", b"before", sync=False)
folder = os.open(sys.argv[1], os.O_RDONLY)
os.fsync(folder)
os.pwrite(file, b"behind", 0)
write("unnamed", b"before", sync=True)
os.rename(os.path.join(sys.argv[1], "unsynced"), os.path.join(sys.argv[1], "renamed"))
"""


def written_then_cut(folder: Path, share: float) -> dict[str, bytes]:
    """Return what is in a folder when the power failed after `WRITE`."""
    (folder / "disk").mkdir()
    disk = Disk(folder / "disk", build("forget", folder), folder / "journal")
    command = [sys.executable, "-c", WRITE, str(disk.folder)]
    subprocess.run(command, env={**os.environ, **disk.env}, check=True)
    disk.cut(random.Random(1), share)
    return {path.name: path.read_bytes() for path in disk.folder.iterdir()}


def test_a_cut_leaves_what_was_synced_under_the_name_that_was_synced(tmp_path: Path) -> None:
    assert written_then_cut(tmp_path, 0.0) == {"synced": b"before", "unsynced": b""}


def test_a_cut_may_leave_what_was_not_synced(tmp_path: Path) -> None:
    assert written_then_cut(tmp_path, 1.0)["synced"] == b"behind"


def test_what_was_answered_survives_a_power_failure(tmp_path: Path) -> None:
    machine = Machine(tmp_path, random.Random(1))

    machine.run(1, to_the_end=False)

    assert machine.violations == []
    assert machine.answers.acknowledged
