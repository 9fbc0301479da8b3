"""A backlog that is cancelled is no load: nothing of it stays in beanstalkd.

What stays would keep pods of a pool up, or start one for jobs that have ended.
"""

from typing import Any

import greenstalk
import pytest

from .conftest import System, on_both_stores, until

BATCHES, BATCH = 4, 50


def submit_backlog(system: System) -> list[str]:
    """Submit jobs in batches while no worker runs: some due, some delayed."""
    system.stop(system.start_worker())  # it has registered its types
    uuids = []
    for number in range(BATCHES):
        options: dict[str, Any] = {"delay": 3600} if number % 2 else {}
        jobs = [{"type": "Echo", "parameters": {"value": n}, **options} for n in range(BATCH)]
        uuids += system.client.submit_many(jobs)
    return uuids


def entries(system: System) -> int:
    """Return how many entries of jobs the queue holds, in whatever state."""
    with greenstalk.Client(("127.0.0.1", system.beanstalkd.port)) as queue:
        tubes = [queue.stats_tube(name) for name in queue.tubes() if name.startswith("zerog.")]
    return sum(
        tube["current-jobs-ready"]
        + tube["current-jobs-delayed"]
        + tube["current-jobs-reserved"]
        + tube["current-jobs-buried"]
        for tube in tubes
    )


def cancel(system: System, uuids: list[str]) -> None:
    """Cancel jobs one by one and in one go."""
    for uuid in uuids[::4]:
        assert system.client.cancel(uuid)["state"] == "cancelled"
    system.client.change_many("cancel", {"uuids": uuids})
    assert {system.client.progress(uuid)["state"] for uuid in uuids} == {"cancelled"}


@on_both_stores
@pytest.mark.parametrize("noted", [True, False], ids=["noted", "at-once"])
def test_a_backlog_that_is_cancelled_leaves_nothing_in_the_queue(
    system: System, noted: bool
) -> None:
    uuids = submit_backlog(system)
    assert entries(system) == len(uuids)
    if noted:
        until(lambda: all_noted(system, uuids), what="the entries are noted")

    cancel(system, uuids)

    until(lambda: entries(system) == 0, what="the queue is empty")


def all_noted(system: System, uuids: list[str]) -> bool:
    """Whether each record names its entry."""
    return all(system.client.get(uuid).get("entryId") is not None for uuid in uuids)
