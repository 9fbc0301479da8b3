"""A real Prometheus scrapes API, operator and workers: no alert without trouble."""

from pathlib import Path

from zerog_tools.cluster.process import wait_until

from ...path.prometheus import Prometheus
from ..conftest import DEADLINE_SECONDS
from .conftest import POOL, Works

WORKERS, JOBS = 2, 3


def test_a_whole_installation_fires_no_alert_until_its_operator_is_gone(
    works: Works, tmp_path: Path
) -> None:
    stage = works.stage
    works.start_operator(ZEROG_STORE=works.store)
    works.apply(minReplicas=WORKERS, maxReplicas=WORKERS)
    works.wait_for_types()
    wait_until(
        lambda: stage.status(POOL).get("readyReplicas") == WORKERS, DEADLINE_SECONDS, "ready"
    )
    targets = {
        "api": [f"127.0.0.1:{works.port}"],
        "operator": [f"127.0.0.1:{stage.ports[-1]}"],
        "worker": [f"{pod['status']['podIP']}:8082" for pod in stage.pods()],
    }
    prometheus = Prometheus(tmp_path / "prometheus", targets)
    try:
        wait_until(
            lambda: prometheus.value("sum(up)") == 2 + WORKERS, DEADLINE_SECONDS, "all are up"
        )
        wait_until(lambda: not prometheus.firing(), DEADLINE_SECONDS, "nothing is wrong")
        works.submit(JOBS, 0.1)
        works.wait_until_done()
        ended = 'sum(zerog_worker_jobs_total{outcome="succeeded"})'
        wait_until(lambda: prometheus.value(ended) == JOBS, DEADLINE_SECONDS, "they are counted")
        wait_until(lambda: not prometheus.firing(), DEADLINE_SECONDS, "nothing is wrong")

        works.kill_operator()
        wait_until(
            lambda: prometheus.firing() == {"ZeroGOperatorGone"}, DEADLINE_SECONDS, "it is missed"
        )
    finally:
        prometheus.close()
    works.start_operator()
    works.apply(minReplicas=0, maxReplicas=WORKERS)
    works.check()
