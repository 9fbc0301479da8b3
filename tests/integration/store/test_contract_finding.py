"""What every datastore finds: jobs by label, by how and when they ended, and by when they came."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from zerog.model.record import format_time
from zerog.store.filtering import first_key
from zerog.store.port import Datastore, Document, JobFilter, Page, PatchOp

START = datetime(2026, 3, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def job(number: int, **fields: Any) -> Document:
    """A job that came so many hours after the start, and ended half an hour later."""
    came = START + number * HOUR
    uuid = f"{first_key(came)}-7000-8000-{number:012x}"
    document = {"uuid": uuid, "type": "A", "queue": "q", "state": "failed", **fields}
    if document["state"] in ("failed", "succeeded"):
        document["finishedTime"] = format_time(came + HOUR / 2)
    return document


#: Oldest first.
JOBS = [
    job(0, labels=["run=1", "team=a"], cause="error"),
    job(1, labels=("team=a",), cause="outOfMemory", queue="r"),
    job(2, labels=["team=b"], cause="error", type="B"),
    job(3, state="succeeded", cause="succeeded", labels=["team=a"]),
    job(4, state="queued", labels=["team=a"], type="B"),
    job(5, cause="error"),
]
UUIDS = [document["uuid"] for document in JOBS]


@pytest.fixture
async def filled(store: Datastore) -> Datastore:
    """Give a store with the jobs."""
    await asyncio.gather(*(store.insert("jobs", each["uuid"], dict(each)) for each in JOBS))
    return store


def places(page: Page) -> list[int]:
    """Return which of the jobs are on a page."""
    return [UUIDS.index(stored.key) for stored in page.jobs]


#: What is looked for, and the jobs that it finds, latest first.
FOUND = [
    (JobFilter(labels=["team=a"]), [4, 3, 1, 0]),
    (JobFilter(labels=["team=a", "run=1"]), [0]),
    (JobFilter(labels=["team=a", "team=b"]), []),
    (JobFilter(labels=["team"]), []),
    (JobFilter(labels=["team=a"], states=["failed"]), [1, 0]),
    (JobFilter(labels=["team=a"], types=["B"], queues=["q"]), [4]),
    (JobFilter(labels=["team=a"], causes=["error", "succeeded"]), [3, 0]),
    (JobFilter(labels=["team=a"], ended_after=START + HOUR), [3, 1]),
    (JobFilter(causes=["error"]), [5, 2, 0]),
    (JobFilter(causes=["error"], types=["A"]), [5, 0]),
    (JobFilter(causes=["error"], queues=["q"], types=["A", "B"]), [5, 2, 0]),
    (JobFilter(causes=["error", "outOfMemory"], queues=["r"]), [1]),
    (JobFilter(causes=["error"], states=["succeeded"]), []),
    (JobFilter(ended_after=START + 2.5 * HOUR), [5, 3, 2]),
    (JobFilter(ended_before=START + 2.5 * HOUR), [1, 0]),
    (JobFilter(ended_after=START + HOUR, ended_before=START + 4 * HOUR), [3, 2, 1]),
    (JobFilter(ended_after=START, states=["succeeded"]), [3]),
    (JobFilter(ended_after=START, types=["B"], queues=["q"]), [2]),
    (JobFilter(ended_after=START, causes=["outOfMemory"]), [1]),
    (JobFilter(submitted_after=START + 3 * HOUR), [5, 4, 3]),
    (JobFilter(submitted_before=START + 3 * HOUR), [2, 1, 0]),
    (JobFilter(submitted_after=START + HOUR, submitted_before=START + 3 * HOUR), [2, 1]),
    (JobFilter(submitted_after=START + 3 * HOUR, states=["queued", "failed"]), [5, 4]),
    (JobFilter(submitted_after=START + 3 * HOUR, types=["A"], queues=["q"]), [5, 3]),
    (JobFilter(submitted_after=START + HOUR, labels=["team=a"]), [4, 3, 1]),
    (JobFilter(submitted_after=START + HOUR, ended_after=START), [5, 3, 2, 1]),
    (JobFilter(key_prefix=UUIDS[2][:13]), [2]),
    (JobFilter(key_prefix=UUIDS[2]), [2]),
    (JobFilter(key_prefix="ffffffff"), []),
    (JobFilter(key_prefix=UUIDS[2][:13], queues=["r"]), []),
]


async def test_jobs_are_found_page_by_page(filled: Datastore) -> None:
    whole = [(it, places(await filled.list_jobs(it, fresh=True))) for it, _ in FOUND]
    counts = [(it, await filled.count_jobs(it)) for it, _ in FOUND]
    paged = [(it, await find_by_pages(filled, it)) for it, _ in FOUND]

    assert whole == FOUND
    assert counts == [(it, len(expected)) for it, expected in FOUND]
    assert paged == FOUND


async def find_by_pages(store: Datastore, job_filter: JobFilter) -> list[int]:
    """Return which jobs pages of two hold."""
    found: list[int] = []
    cursor: str | None = None
    for _ in range(2 * len(JOBS)):
        page = await store.list_jobs(job_filter, limit=2, cursor=cursor)
        found, cursor = found + places(page), page.cursor
        if cursor is None:
            break
    return found


async def test_a_removed_job_is_not_found_by_its_labels(filled: Datastore) -> None:
    await filled.remove("jobs", UUIDS[0])

    page = await filled.list_jobs(JobFilter(labels=["team=a"]), fresh=True)

    assert places(page) == [4, 3, 1]


async def test_a_job_that_changes_keeps_its_labels(filled: Datastore) -> None:
    await filled.patch("jobs", UUIDS[4], [PatchOp("set", ("state",), "running")])

    page = await filled.list_jobs(JobFilter(labels=["team=a"], states=["running"]), fresh=True)

    assert places(page) == [4]


@pytest.mark.parametrize("labels", ["team=a", {"team": "a"}, [5, None], 7], ids=repr)
async def test_labels_that_are_none_hurt_nothing(filled: Datastore, labels: object) -> None:
    broken = job(9, labels=labels)

    await filled.insert("jobs", broken["uuid"], broken)

    assert places(await filled.list_jobs(JobFilter(labels=["run=1"]), fresh=True)) == [0]


async def test_overdue_jobs_are_those_that_are_queued_after_their_time(store: Datastore) -> None:
    times = {"late": 1, "later": 2, "in time": 9, "begun": 1, "without": None}
    for name, hours in times.items():
        document: Document = {"uuid": name, "state": "running" if name == "begun" else "queued"}
        if hours is not None:
            document["expiresTime"] = format_time(START + hours * HOUR)
        await store.insert("jobs", name, document)
    # An index may be a moment behind.
    await store.list_jobs(JobFilter(), fresh=True)

    until = format_time(START + 2 * HOUR)
    assert await store.overdue_jobs(until, limit=10) == ["late", "later"]
    assert await store.overdue_jobs(until, limit=1) == ["late"]
