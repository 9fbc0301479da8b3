"""Jobs that nobody has started in time end, and leave nothing on the queue."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.queue.memory import MemoryQueue
from tests.store.memory import MemoryDatastore

from zerog.ledger.dispatch import Dispatch
from zerog.ledger.jobs import Jobs
from zerog.ledger.overdue import end_overdue
from zerog.ledger.stats import Stats
from zerog.model import life
from zerog.model.documents import TypeDocument
from zerog.model.record import JobRecord, State, new_job_id

NOW = datetime(2026, 1, 31, tzinfo=UTC)
MAIL = TypeDocument("Mail", "mail", {})


def job(seconds: float | None) -> JobRecord:
    """A job that has so much time to start."""
    expires = None if seconds is None else NOW + timedelta(seconds=seconds)
    return life.accept(
        uuid=new_job_id(), job_type=MAIL, parameters={}, now=NOW, expires_time=expires
    )


@pytest.fixture
def jobs() -> Jobs:
    store = MemoryDatastore()
    return Jobs(store, Stats(store), clock=lambda: NOW + timedelta(seconds=60))


async def test_overdue_jobs_end_and_their_entries_go(jobs: Jobs) -> None:
    queue = MemoryQueue()
    dispatch = Dispatch(jobs, queue)
    late, in_time, without = job(59), job(61), job(None)
    for record in (late, in_time, without):
        await dispatch.accept(record)
    await dispatch.flush()

    assert await end_overdue(jobs, queue) == [late.uuid]

    ended = (await jobs.read(late.uuid)).record
    assert (ended.state, ended.result_code) == (State.EXPIRED, 504)
    assert (await jobs.read(in_time.uuid)).record.state is State.QUEUED
    (tube,) = await queue.tube_stats_many(["zerog.mail"])
    assert tube.ready == 2
    assert await end_overdue(jobs, queue) == []


async def test_a_job_that_an_index_still_shows_is_left_alone(
    jobs: Jobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, gone = job(None), new_job_id()
    await jobs.insert(started)

    async def stale(until: str, *, limit: int) -> list[str]:
        return [started.uuid, gone]

    monkeypatch.setattr(jobs.store, "overdue_jobs", stale)

    assert await end_overdue(jobs, MemoryQueue()) == []
    assert (await jobs.read(started.uuid)).record.state is State.QUEUED
