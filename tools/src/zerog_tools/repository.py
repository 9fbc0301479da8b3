"""Where the repository is whose tools these are: the package always runs from its sources."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
#: ZeroG's Helm chart.
CHART = ROOT / "charts" / "zerog"
