"""docs/performance.md says what the simulator says, and what it says is what was promised."""

import pytest
from benchmarks.simulate import BEGIN, END, PAGE, simulate

from zerog_operator.simulation.comparison import QUANTILE
from zerog_operator.simulation.report import markdown
from zerog_operator.simulation.trace import SHIPPED

TARGET_SECONDS = 10.0


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", SHIPPED)
def test_a_traces_rows_in_the_docs_are_what_the_simulator_prints(name: str) -> None:
    _, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    documented = rest.partition(END)[0]

    comparison = simulate(name)

    head, rule, *rows = markdown([comparison]).splitlines()
    assert "\n".join(rows) in documented, "run python -m benchmarks.simulate"
    assert f"{head}\n{rule}" in documented
    zerog, _, tuned, _ = (row.outcome for row in comparison.rows)
    assert zerog is not None
    assert zerog.latency(QUANTILE) <= TARGET_SECONDS
    assert zerog.interrupted == 0
    # At no more worker-seconds than KEDA when that is tuned to be as fast.
    assert tuned is not None
    assert tuned.latency(QUANTILE) <= zerog.latency(QUANTILE)
    assert zerog.worker_seconds <= tuned.worker_seconds
