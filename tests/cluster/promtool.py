"""Prometheus' own tool, which checks metrics and rules.

It is built like the clusters' programs, by `make cluster-binaries` or when it is first asked for
there; that takes many minutes, so a test that finds none skips, and fails with `CI` set.
"""

import os
from pathlib import Path

import pytest
from tests.cluster.binaries import ALL


def find_promtool() -> Path:
    """Return the program; skip the test where it is not built."""
    path = ALL["promtool"].path
    if not path.exists():
        say = pytest.fail if os.environ.get("CI") else pytest.skip
        say("promtool is not built: run `python -m tests.cluster.binaries promtool`")
    return path
