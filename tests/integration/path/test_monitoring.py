"""A real Prometheus scrapes a real API and worker, and the chart's alerts fire in trouble.

What needs a cluster is in `tests/chart/alerts_test.yaml`: those alerts are shown series.
"""

import subprocess
from collections.abc import Iterator
from functools import partial

import httpx
import pytest
from tests.chart.promtool import find_promtool
from tests.integration.path.conftest import JOBS, System, until
from tests.integration.path.prometheus import Prometheus

from zerog_tools.cluster.ports import free_port

#: Nobody runs an operator here.
QUIET = {"ZeroGOperatorGone"}
FAILURES = 120
COUNTED = 'sum({}{{type="Choosing", outcome="failed"}})'


@pytest.fixture
def prometheus(system: System) -> Iterator[Prometheus]:
    """One that scrapes an API and a worker."""
    port = free_port()
    system.start_worker("--metrics-port", str(port))
    targets = {"api": [f"127.0.0.1:{system.port}"], "worker": [f"127.0.0.1:{port}"]}
    made = Prometheus(system.folder / "prometheus", targets)
    try:
        yield made
    finally:
        made.close()


def metrics_of(address: str) -> bytes:
    return httpx.get(f"http://{address}/metrics", trust_env=False, timeout=60.0).content


def fail(system: System, jobs: int) -> None:
    uuids = system.client.submit_many([{"type": "Choosing", "parameters": {"code": 501}}] * jobs)
    for uuid in uuids:
        system.client.wait(uuid)


def is_value(prometheus: Prometheus, query: str, value: float) -> bool:
    return prometheus.value(query) == value


def test_alerts_fire_in_a_real_run_and_metrics_are_well_formed(
    system: System, prometheus: Prometheus
) -> None:
    until(lambda: prometheus.firing() == QUIET, what="only what is not here is missed")
    until(lambda: prometheus.value("sum(up)") == 2, what="both are scraped")

    # A counter's first value is no increase.
    fail(system, 1)
    until(lambda: prometheus.value(COUNTED.format("zerog_jobs_total")) == 1)
    fail(system, FAILURES)
    until(lambda: {"ZeroGTypeFails", "ZeroGDeadJobsGrow"} <= prometheus.firing())
    for name in ("zerog_jobs_total", "zerog_worker_jobs_total"):
        query = COUNTED.format(name)
        until(partial(is_value, prometheus, query, 1 + FAILURES), what=query)

    _, hold = system.submit_held()
    busy = 'zerog_worker_slots{state="busy"}'
    until(lambda: prometheus.value(busy) == 1, what="the slot is busy")
    system.client.submit("Echo")
    until(lambda: "ZeroGJobsWaitForLong" in prometheus.firing())
    system.client.pause("default")
    until(lambda: "ZeroGQueuePausedForLong" in prometheus.firing())

    scraped = prometheus.query("up")
    assert len(scraped) == 2
    for labels, _ in scraped:
        text = metrics_of(labels["instance"])
        found = subprocess.run(
            [find_promtool(), "check", "metrics"], input=text, capture_output=True, timeout=120
        )
        assert (found.returncode, found.stdout + found.stderr) == (0, b"")
    hold.touch()


def test_alerts_fire_when_workers_types_and_beanstalkd_are_gone(
    system: System, prometheus: Prometheus
) -> None:
    until(lambda: prometheus.firing() == QUIET, what="only what is not here is missed")
    system.stop(system.processes[-1])
    system.client.submit("Echo")
    until(lambda: "ZeroGJobsWaitWithoutWorkers" in prometheus.firing())
    system.start_worker(jobs=JOBS.with_name("jobs_of_authors.py"))
    until(lambda: "ZeroGTypesUnserved" in prometheus.firing())

    system.beanstalkd.kill()

    def look() -> bool:
        url = f"http://127.0.0.1:{system.port}/v1/jobs/Echo"
        assert httpx.post(url, json={}, trust_env=False, timeout=60.0).status_code == 503
        wanted = {"ZeroGBackendAway", "ZeroGApiErrors", "ZeroGRepairStands"}
        return wanted <= prometheus.firing()

    until(look, what="the alerts of an outage")
