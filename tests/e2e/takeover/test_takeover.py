"""The acting operator is killed under load: the other one takes over."""

from tests.e2e.installation import Installation

from zerog_tools.cluster.process import wait_until
from zerog_tools.trial.installation import DEADLINE_SECONDS

JOBS = 4


def test_jobs_that_come_when_the_operator_was_killed_run_soon(zerog: Installation) -> None:
    holder = lease_holder(zerog)

    zerog.kubectl("delete", "pod", holder, "--grace-period=0", "--force")
    uuids = zerog.submit(JOBS, 1)

    infos = zerog.wait_for_jobs(uuids)
    assert [info["resultCode"] for info in infos] == [200] * JOBS
    wait_until(lambda: lease_holder(zerog) != holder, DEADLINE_SECONDS, "another one acts")


def lease_holder(zerog: Installation) -> str:
    """Return the pod that acts."""
    (lease,) = zerog.get("lease")["items"]
    # Process and chance follow the pod's name.
    return str(lease["spec"]["holderIdentity"]).rsplit("-", 2)[0]
