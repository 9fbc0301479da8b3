"""What the comparison with the real KEDA is made of: settings as manifests, and the docs' table."""

import json
from typing import Any

import pytest
from benchmarks.entrants import (
    ENTRANTS,
    EXPERT,
    LONGEST_SECONDS,
    ZEROG,
    Entrant,
    build_objects,
    build_trace,
    spread,
    summarize,
    table,
)
from benchmarks.keda import FOUND, PAGE

from zerog.model.names import tube_name
from zerog_simulate.outcome import Outcome
from zerog_tools.blocks import alone, block

QUEUE = "127.0.0.1:11300"


def find(namespace: str) -> Entrant:
    (entrant,) = [item for item in ENTRANTS if item.namespace == namespace]
    return entrant


def build_outcome(wait: float, interrupted: int = 0) -> Outcome:
    return Outcome(
        latencies=(wait,),
        worker_seconds=1234.5,
        busy_seconds=1.0,
        interrupted=interrupted,
        peak_workers=3,
        finished=1,
    )


def test_the_documented_table_is_made_of_what_was_measured() -> None:
    rows = json.loads(FOUND.read_text())

    assert list(rows) == [entrant.title for entrant in ENTRANTS]
    assert block(PAGE.read_text(), "measured") == alone(table(rows)), "run make keda"


def test_a_cell_has_what_was_measured_and_the_simulators_median_and_range() -> None:
    played = [build_outcome(wait) for wait in (1.0, 4.0, 2.0)]
    row = {"measured": summarize(build_outcome(3.0, 1)), "simulated": spread(played)}

    (line,) = table({"KEDA": row}).splitlines()[2:]

    assert line == (
        "| KEDA | **3.0** · 2.0 (1.0 to 4.0) | **3.0** · 2.0 (1.0 to 4.0) "
        "| **1,234** · 1,234 | **1** · 0 | **3** · 3 |"
    )


def test_the_trace_is_the_same_each_time_and_has_no_job_that_outlasts_it() -> None:
    trace = build_trace()

    assert trace == build_trace()
    assert max(item.job_seconds for item in trace.arrivals) <= LONGEST_SECONDS
    assert trace.jobs > 300


@pytest.mark.parametrize("entrant", ENTRANTS, ids=lambda entrant: str(entrant.namespace))
def test_an_entrant_scales_by_its_own_tube_up_to_the_same_number(entrant: Entrant) -> None:
    spec: dict[str, Any] = build_objects(entrant, QUEUE)[-1]["spec"]

    if entrant.model == ZEROG:
        most, tube = spec["maxReplicas"], tube_name(spec["queue"])
    else:
        most, tube = spec["maxReplicaCount"], spec["triggers"][0]["metadata"]["tube"]
    assert (most, tube) == (100, tube_name(entrant.namespace))


def test_only_an_expert_gives_the_autoscaler_a_behavior() -> None:
    _, default = build_objects(find("object"), QUEUE)
    deployment, expert = build_objects(find("object-expert"), QUEUE)

    assert "advanced" not in default["spec"]
    rules = expert["spec"]["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    assert rules["scaleUp"] == {
        "stabilizationWindowSeconds": 0,
        "selectPolicy": "Max",
        "tolerance": "0",
        "policies": [
            {"type": "Percent", "value": 1000, "periodSeconds": 1},
            {"type": "Pods", "value": 100, "periodSeconds": 1},
        ],
    }
    grace = deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert grace == EXPERT["terminationGracePeriodSeconds"]
