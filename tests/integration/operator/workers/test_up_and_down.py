"""Real workers up, down and replaced, with the operator killed at random.

`TEST_CYCLES` sets how often; a few by default. Every job leaves a line in a file, so that a
job that ran twice to completion is seen. Many cycles need `--timeout=0`.
"""

import os
import random
from typing import Any

import httpx

from zerog_tools.cluster.process import wait_until

from ..conftest import DEADLINE_SECONDS
from .conftest import POOL, Works

CYCLES = int(os.environ.get("TEST_CYCLES", "5"))
#: Between two kills of the operator, on average.
CYCLES_PER_KILL = 3
#: How long jobs take, in seconds, and how often.
LENGTHS, HOW_OFTEN = (0.05, 0.25, 1.0, 5.0), (4, 4, 3, 1)


def test_no_job_is_lost_interrupted_or_run_twice_while_pools_go_up_and_down(works: Works) -> None:
    chance = random.Random(7)
    works.start_operator()
    works.apply(maxReplicas=4, slots=2)
    works.wait_for_types()

    for cycle in range(CYCLES):
        (seconds,) = chance.choices(LENGTHS, weights=HOW_OFTEN)
        works.submit(chance.randint(1, 8), seconds)
        if chance.random() < 1 / CYCLES_PER_KILL:
            works.kill_operator()
            works.start_operator()
        if cycle % 2:
            works.wait_until_done()

    works.wait_until_done()
    works.check()


def test_each_worker_shows_metrics_and_health_on_its_pods_address(works: Works) -> None:
    spec: dict[str, Any] = {"minReplicas": 2, "maxReplicas": 2}
    stage = works.stage
    works.start_operator()
    works.apply(**spec)
    works.wait_for_types()
    wait_until(lambda: stage.status(POOL).get("readyReplicas") == 2, DEADLINE_SECONDS, "ready")

    for pod in stage.pods():
        (container,) = pod["spec"]["containers"]
        (port,) = container["ports"]
        url = f"http://{pod['status']['podIP']}:{port['containerPort']}"
        for path in ("/metrics", container["livenessProbe"]["httpGet"]["path"], "/readyz"):
            answer = httpx.get(url + path, trust_env=False, timeout=DEADLINE_SECONDS)
            assert answer.status_code == 200, (path, answer.text)

    works.apply(**{**spec, "minReplicas": 0})
    works.check()


def test_a_worker_that_is_replaced_finishes_its_job_however_long_that_takes(works: Works) -> None:
    # A worker that drains says that it is not ready; deleting it would end its patience.
    spec: dict[str, Any] = {"minReplicas": 1, "maxReplicas": 1, "drainTimeoutSeconds": 1}
    stage = works.stage
    works.start_operator()
    works.apply(version=1, **spec)
    works.wait_for_types()
    (old,) = stage.wait_for_pods(1)
    (job,) = works.submit(1, 0.1, held=True)
    wait_until(lambda: works.state_of(job) == "running", DEADLINE_SECONDS, "the job runs")
    # A pod that is not ready yet is deleted at once.
    wait_until(lambda: stage.status(POOL).get("readyReplicas") == 1, DEADLINE_SECONDS, "ready")

    works.apply(version=2, **spec)
    wait_until(lambda: stage.status(POOL).get("retiring") == 1, DEADLINE_SECONDS, "it is told")
    works.kill_operator()
    works.start_operator()
    stage.wait_for_looks()
    assert works.state_of(job) == "running"

    works.hold.touch()
    works.wait_until_done()
    wait_until(
        lambda: old["metadata"]["uid"] not in [pod["metadata"]["uid"] for pod in stage.pods()],
        DEADLINE_SECONDS,
        "the old one is gone",
    )
    works.apply(version=2, **{**spec, "minReplicas": 0})
    works.check()
