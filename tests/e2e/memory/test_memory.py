"""A job that takes more memory than its worker has: the job ends, and its record says why."""

from tests.e2e.installation import Installation

LIMIT = "256Mi"
MORE, LESS = '{"mebibytes": 1024}', '{"mebibytes": 1}'


def test_an_out_of_memory_kill_is_told_in_the_jobs_record(zerog: Installation) -> None:
    # A pool of its own: no worker of another template may have the job.
    zerog.add_pool(pool="hogs", container={"resources": {"limits": {"memory": LIMIT}}})
    try:
        (hog,) = zerog.call("submit", "Hog", "1", MORE)
        (other,) = zerog.call("submit", "Hog", "1", LESS)

        first, second = zerog.wait_for_jobs([hog, other])
    finally:
        zerog.kubectl("delete", "zwp", "hogs")

    assert first["resultCode"] == 500
    assert {attempt["cause"] for attempt in first["attempts"]} == {"outOfMemory"}
    assert second["resultCode"] == 200
