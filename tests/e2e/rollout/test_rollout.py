"""A new image under load: new workers start, old ones finish what they run."""

from tests.e2e.installation import Installation

from zerog_tools.cluster.process import wait_until
from zerog_tools.trial.installation import DEADLINE_SECONDS

JOBS = 10
SECONDS = 10.0


def test_a_new_image_replaces_workers_without_interrupting_a_job(zerog: Installation) -> None:
    uuids = zerog.submit_to(2, JOBS, SECONDS)

    zerog.add_pool("example", minReplicas=1)

    infos = zerog.wait_for_jobs(uuids)
    assert [info["resultCode"] for info in infos] == [200] * JOBS
    assert [len(info["attempts"]) for info in infos] == [1] * JOBS

    def only_new() -> bool:
        found = {pod["spec"]["containers"][0]["image"] for pod in zerog.workers()}
        return found == {zerog.images["example"]}

    wait_until(only_new, DEADLINE_SECONDS, "only the new image runs")
