"""beanstalkd is lost together with its volume, while jobs run and wait: none is lost."""

from tests.e2e.installation import Installation

from zerog_tools.trial.installation import DEADLINE_SECONDS

JOBS = 8
SECONDS = 10.0
QUEUE = "zerog-beanstalkd"


def test_a_lost_queue_with_its_volume_loses_no_job(zerog: Installation) -> None:
    uuids = zerog.submit_to(2, JOBS, SECONDS)

    zerog.kubectl("scale", "statefulset", QUEUE, "--replicas=0")
    zerog.kubectl(
        "wait", "--for=delete", f"pod/{QUEUE}-0", f"--timeout={DEADLINE_SECONDS:.0f}s",
        timeout=DEADLINE_SECONDS,
    )  # fmt: skip
    zerog.kubectl("delete", "pvc", f"binlog-{QUEUE}-0", timeout=DEADLINE_SECONDS)
    zerog.kubectl("scale", "statefulset", QUEUE, "--replicas=1")

    infos = zerog.wait_for_jobs(uuids)
    assert [info["resultCode"] for info in infos] == [200] * JOBS
