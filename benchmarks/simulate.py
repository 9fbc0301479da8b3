"""Simulate the built-in traces, write the table and the picture of docs/performance.md.

`make simulate`, or `python -m benchmarks.simulate`. No clock is in it: every machine writes the
same, in a few minutes on two cores. What was found is kept in
benchmarks/results/simulated.json, so that it can be played again without a search.
"""

import json
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from rich.progress import track

from zerog.console import ShownConsole
from zerog_simulate.cluster import ClusterSettings
from zerog_simulate.comparison import Comparison, compare
from zerog_simulate.contestant import Contestant, contestants
from zerog_simulate.engine import WrittenPool
from zerog_simulate.generate import SHAPES, load_trace
from zerog_simulate.options import DEFAULT_SPEC, GOAL_SECONDS, TRIES
from zerog_simulate.plot import draw
from zerog_simulate.report import markdown, to_json
from zerog_simulate.tuning import Search
from zerog_tools.blocks import alone, filled

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/performance.md"
FOUND = ROOT / "benchmarks/results/simulated.json"
PICTURE, PICTURED = ROOT / "docs/simulation.svg", "spike"
#: The ones that take longest are begun first.
ORDER = ("longtail", "step", "cron", "spike", "day")
#: A search on it takes more than on all others together: its rows are those as they come.
UNSEARCHED = "day"


def everyone() -> tuple[Contestant, ...]:
    """Return the contestants as they are without options."""
    return contestants(WrittenPool(spec=DEFAULT_SPEC), {}, {})


def simulate(name: str) -> Comparison:
    """Do what `zerog simulate --trace NAME` does without other options."""
    return compare(load_trace(name), everyone(), ClusterSettings(), search_of(name))


def search_of(name: str) -> Search:
    """Return the search on a trace."""
    return Search(GOAL_SECONDS, 0 if name == UNSEARCHED else TRIES)


def main() -> None:
    """Write the table and the picture."""
    with ProcessPoolExecutor() as pool:
        running = {name: pool.submit(simulate, name) for name in ORDER}
        shown = track(running, "simulating", console=ShownConsole(stderr=True))
        found = {name: running[name].result() for name in shown}
    comparisons = [found[name] for name in SHAPES]
    FOUND.write_text(json.dumps([to_json(item) for item in comparisons], indent=1) + "\n")
    draw(found[PICTURED], PICTURE)
    PAGE.write_text(filled(PAGE.read_text(), {"simulated": alone(markdown(comparisons))}))


if __name__ == "__main__":
    main()
