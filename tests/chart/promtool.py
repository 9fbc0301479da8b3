"""Prometheus' own tool, which checks metrics and rules."""

import subprocess
from pathlib import Path

from zerog_tools.cluster.binaries import cache_folder
from zerog_tools.repository import ROOT

PROGRAMS = cache_folder() / "prometheus/usr/bin"


def find_promtool() -> Path:
    """Return the program, fetched from Debian where it is missing."""
    subprocess.run(["bash", str(ROOT / "hack/prometheus.sh")], check=True, timeout=600)
    return PROGRAMS / "promtool"
