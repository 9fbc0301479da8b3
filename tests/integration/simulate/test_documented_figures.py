"""docs/performance.md says what the simulator says, and what it says is what was promised.

What the search found is played again; that the search finds it anew is not tried, it takes long.
"""

import json
from typing import Any

import pytest
from benchmarks.simulate import FOUND, PAGE, ROOT, everyone, search_of

from zerog_simulate.cluster import ClusterSettings
from zerog_simulate.comparison import Comparison, Row, play
from zerog_simulate.generate import SHAPES, load_trace
from zerog_simulate.options import GOAL_SECONDS
from zerog_simulate.report import markdown, to_json
from zerog_simulate.setting import describe
from zerog_simulate.trace import Arrivals, Trace
from zerog_simulate.tuning import QUANTILE
from zerog_tools.blocks import block

CLUSTER = ClusterSettings()


def replay(found: dict[str, Any]) -> Comparison:
    """Return the comparison that was written down, with all its outcomes made anew."""
    trace, rows = load_trace(found["trace"]["name"]), []
    for row in found["policies"]:
        (it,) = (one for one in everyone() if one.name == row["name"].partition(",")[0])
        values = row["settings"]
        if row["outcome"] is None:
            rows.append(Row(row["name"], {}, "not reached", None))
            continue
        outcome = play(trace, it, values, CLUSTER)
        rows.append(Row(row["name"], values, describe(it.settings, values), outcome))
    return Comparison(trace, CLUSTER, search_of(trace.name), tuple(rows))


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", SHAPES)
def test_a_traces_rows_in_the_docs_are_what_the_simulator_prints(name: str) -> None:
    documented = block(PAGE.read_text(), "simulated")
    (found,) = (item for item in json.loads(FOUND.read_text()) if item["trace"]["name"] == name)

    comparison = replay(found)

    assert to_json(comparison) == found, "run make simulate"
    for part in markdown([comparison]).split("\n\n"):
        head, rule, *rows = part.strip().splitlines() if part.startswith("|") else ("", "", part)
        assert "\n".join(rows).strip() in documented, "run make simulate"
        assert f"{head}\n{rule}".strip() in documented
    for row in comparison.rows:
        if row.outcome is not None and (row.name == "ZeroG" or "tuned" in row.name):
            assert row.outcome.latency(QUANTILE) <= GOAL_SECONDS
            assert row.outcome.interrupted == 0


def test_a_scaled_job_is_cheaper_for_long_jobs_by_as_much_as_the_docs_say() -> None:
    arrivals = [Arrivals(600.0 * number, 5, 1200.0) for number in range(12)]
    trace = Trace("long", (*arrivals, Arrivals(9000.0, 0, 0.0)))

    zerog, scaled_object, job = (play(trace, it, it.given, CLUSTER) for it in everyone())

    page = " ".join((ROOT / "docs/explanation/comparison.md").read_text().split())
    cost = f"{job.worker_seconds:,.0f} worker-seconds against {zerog.worker_seconds:,.0f}"
    assert cost in page
    assert zerog.interrupted == job.interrupted == 0
    assert scaled_object.interrupted == 9
