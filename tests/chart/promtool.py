"""Prometheus' own programs: its tool checks metrics and rules, its server scrapes a real run."""

import subprocess
from pathlib import Path

from zerog_tools.cluster.binaries import cache_folder
from zerog_tools.repository import ROOT

PROGRAMS = cache_folder() / "prometheus/usr/bin"


def find_promtool() -> Path:
    """Return the tool, fetched from Debian where it is missing."""
    return _find("promtool")


def find_prometheus() -> Path:
    """Return the server, likewise."""
    return _find("prometheus")


def _find(program: str) -> Path:
    if not (PROGRAMS / program).exists():
        subprocess.run(["bash", str(ROOT / "hack/prometheus.sh")], check=True, timeout=600)
    return PROGRAMS / program
