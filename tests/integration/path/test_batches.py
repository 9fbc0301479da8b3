"""Short jobs are claimed several at a time: what goes wrong with one costs the others nothing."""

from collections import Counter
from typing import Any

from zerog.worker.endings import NOT_BEGUN

from .conftest import DEADLINE_SECONDS, System, on_both_stores

pytestmark = on_both_stores

SHORT = 300


def submit_backlog(system: System, odd: str, parameters: dict[str, Any]) -> list[str]:
    """Queue many short jobs with an odd one in their middle; return all uuids, the odd one last."""
    jobs = [{"type": "Echo", "parameters": {"value": n}} for n in range(SHORT)]
    client = system.client
    first = client.submit_many(jobs[: SHORT // 2])
    middle = client.submit(odd, parameters)
    rest = client.submit_many(jobs[SHORT // 2 :])
    return [*first, *rest, middle]


def test_jobs_behind_a_long_one_are_given_back_and_run_elsewhere(system: System) -> None:
    worker = system.start_worker("--slots", "1")
    system.stop(worker)
    *short, long_one = submit_backlog(system, "Steps", {"hold": "/nowhere"})

    system.start_worker("--slots", "2")

    for uuid in short:
        assert system.client.wait(uuid, DEADLINE_SECONDS)["resultCode"] == 200
    # They did not wait for it.
    assert system.client.progress(long_one)["state"] == "running"
    given_back = [
        attempt
        for uuid in short
        for attempt in system.client.info(uuid)["attempts"]
        if attempt["cause"] == "interrupted"
    ]
    assert {attempt["message"] for attempt in given_back} <= {NOT_BEGUN}
    system.client.cancel(long_one)
    assert system.client.wait(long_one, DEADLINE_SECONDS)["state"] == "cancelled"


def test_a_child_that_dies_takes_only_its_own_job(system: System) -> None:
    worker = system.start_worker("--slots", "1")
    system.stop(worker)
    *short, deadly = submit_backlog(system, "Dying", {"how": "exit", "always": True})

    system.start_worker("--slots", "1")

    assert system.client.wait(deadly, DEADLINE_SECONDS)["state"] == "failed"
    causes = Counter(cause for uuid in short for cause in wait_for_causes(system, uuid))
    assert set(causes) <= {"succeeded", "interrupted"}
    assert causes["succeeded"] == SHORT


def wait_for_causes(system: System, uuid: str) -> list[str]:
    system.client.wait(uuid, DEADLINE_SECONDS)
    return system.causes(uuid)
