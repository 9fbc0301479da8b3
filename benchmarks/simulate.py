"""Simulate the shipped traces and write the table and the picture of docs/performance.md.

`python -m benchmarks.simulate`. No clock is in it: every machine writes the same.
"""

import sys
from pathlib import Path

from zerog_operator.pool import PoolSpec
from zerog_operator.simulation.cluster import ClusterSettings
from zerog_operator.simulation.comparison import Comparison, compare
from zerog_operator.simulation.options import KEDA_VALUE, MAX_REPLICAS
from zerog_operator.simulation.plot import draw
from zerog_operator.simulation.report import markdown
from zerog_operator.simulation.trace import SHIPPED, load_trace

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/performance.md"
PICTURE, PICTURED = ROOT / "docs/simulation.svg", "spike"
BEGIN, END = "<!-- simulated: begin -->", "<!-- simulated: end -->"


def simulate(name: str) -> Comparison:
    """Do what `zerog simulate --trace NAME` does without other options."""
    spec = PoolSpec("simulated", max_replicas=MAX_REPLICAS)
    return compare(load_trace(name), spec, ClusterSettings(), keda_value=KEDA_VALUE)


def main() -> None:
    """Write the table and the picture."""
    comparisons = []
    for name in SHIPPED:
        print(f"simulating {name}", file=sys.stderr, flush=True)
        comparisons.append(simulate(name))
        if name == PICTURED:
            draw(comparisons[-1], PICTURE)
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{markdown(comparisons)}\n{END}{after}", encoding="utf-8")


if __name__ == "__main__":
    main()
