"""A node is drained under load: its workers finish or give back what they run."""

from tests.e2e.installation import Installation

from zerog_tools.trial.installation import DEADLINE_SECONDS

JOBS = 8
SECONDS = 15.0


def test_a_drained_node_costs_no_job_anything(zerog: Installation) -> None:
    # Volumes of these nodes cannot move, so the queue's node stays.
    (queue,) = zerog.get("pods", "-l", "app.kubernetes.io/component=beanstalkd")["items"]
    uuids = zerog.submit_to(4, JOBS, SECONDS)
    node = next(
        name
        for name in (pod["spec"]["nodeName"] for pod in zerog.workers())
        if name != queue["spec"]["nodeName"]
    )

    try:
        zerog.cluster.kubectl(
            "drain", node, "--ignore-daemonsets", "--delete-emptydir-data", "--force",
            "--pod-selector=app!=caller", f"--timeout={DEADLINE_SECONDS:.0f}s",
            timeout=DEADLINE_SECONDS,
        )  # fmt: skip

        infos = zerog.wait_for_jobs(uuids)
        assert [info["resultCode"] for info in infos] == [200] * JOBS
        causes = {attempt.get("cause") for info in infos for attempt in info["attempts"]}
        assert "crash" not in causes
        assert all(pod["spec"].get("nodeName") != node for pod in zerog.workers())
    finally:
        zerog.cluster.kubectl("uncordon", node)
