"""A job that takes more memory than its worker has: the job ends, and its record says why."""

from tests.e2e.installation import Installation

LIMIT = "256Mi"


def test_an_out_of_memory_kill_is_told_in_the_jobs_record(zerog: Installation) -> None:
    zerog.add_pool(container={"resources": {"limits": {"memory": LIMIT}}})
    (hog,) = zerog.submit(1, 0, "Hog")
    (nap,) = zerog.submit(1, 1)

    first, second = zerog.wait_for_jobs([hog, nap])

    assert first["resultCode"] == 500
    assert {attempt["cause"] for attempt in first["attempts"]} == {"outOfMemory"}
    assert second["resultCode"] == 200
