"""What every datastore does when it lists and counts control documents."""

import asyncio
import contextlib
import random
from collections import Counter
from itertools import product

import pytest
from tests.integration.store.conftest import LetPass
from uuid_utils import uuid7

from zerog.store.port import MAX_PAGE_BYTES, Datastore, Document, JobFilter, OpenJob, Page, PatchOp

STATES = ("queued", "running", "succeeded")
TYPES = ("Thumbnail", "Report")
QUEUES = ("media", "default")
TIMES = ("2025-01-01T00:00:00.000000Z", "2025-06-01T00:00:00.000000Z")


def keys(page: Page) -> list[str]:
    return [stored.document["uuid"] for stored in page.jobs]


async def fill(store: Datastore) -> list[Document]:
    """One job of each combination, stored in no order; returned newest first. Every third has
    no queue entry."""
    jobs: list[Document] = [
        {"uuid": str(uuid7()), "state": state, "type": kind, "queue": queue, "changedTime": when}
        for state, kind, queue, when in product(STATES, TYPES, QUEUES, TIMES)
    ]
    for number, job in enumerate(jobs):
        if number % 3:
            job["entryId"] = number
    shuffled = random.sample(jobs, len(jobs))
    await asyncio.gather(*(store.insert("jobs", job["uuid"], dict(job)) for job in shuffled))
    return sorted(jobs, key=lambda job: job["uuid"], reverse=True)


async def walk(store: Datastore, job_filter: JobFilter, limit: int) -> list[str]:
    found: list[str] = []
    cursor: str | None = None
    for _ in range(1000):
        page = await store.list_jobs(job_filter, limit=limit, cursor=cursor)
        assert len(page.jobs) <= limit
        found += keys(page)
        cursor = page.cursor
        if cursor is None:
            return found
    raise AssertionError("the listing has no end")


async def test_jobs_are_listed_newest_first_with_their_revisions(store: Datastore) -> None:
    jobs = await fill(store)

    page = await store.list_jobs(JobFilter())

    assert [stored.document for stored in page.jobs] == jobs
    assert page.cursor is None
    first = await store.get("jobs", jobs[0]["uuid"])
    assert first == page.jobs[0]


async def test_an_empty_store_lists_and_counts_nothing(store: Datastore) -> None:
    assert await store.list_jobs(JobFilter()) == Page([], None)
    assert await store.count_jobs(JobFilter()) == 0


FILTERS = [
    JobFilter(states=["queued"]),
    JobFilter(states=["queued", "running"]),
    JobFilter(types=["Report"]),
    JobFilter(types=["Report", "Thumbnail"]),
    JobFilter(queues=["media"]),
    JobFilter(queues=["media", "default"], states=["running"]),
    JobFilter(queues=["media"], states=["queued", "succeeded"], types=["Report"]),
    JobFilter(states=["nothing"]),
    JobFilter(types=["' OR 1=1 --"]),
]


async def test_all_that_is_given_must_hold(store: Datastore) -> None:
    jobs = await fill(store)
    expected = [[job["uuid"] for job in jobs if holds(it, job)] for it in FILTERS]

    for limit in (1, 5, 100):
        assert [await walk(store, it, limit) for it in FILTERS] == expected, limit
    assert [await store.count_jobs(it) for it in FILTERS] == list(map(len, expected))


def holds(job_filter: JobFilter, job: Document) -> bool:
    """Whether a job is what a filter asks for."""
    return (
        (not job_filter.states or job["state"] in job_filter.states)
        and (not job_filter.types or job["type"] in job_filter.types)
        and (not job_filter.queues or job["queue"] in job_filter.queues)
    )


async def test_a_full_last_page_has_no_cursor(store: Datastore) -> None:
    jobs = await fill(store)

    page = await store.list_jobs(JobFilter(), limit=len(jobs))

    assert len(page.jobs) == len(jobs)
    assert page.cursor is None


async def test_a_page_ends_with_its_bytes_and_the_next_one_goes_on(store: Datastore) -> None:
    large = {"state": "queued", "type": "Report", "queue": "media", "data": "x" * 100_000}
    uuids = [str(uuid7()) for _ in range(25)]
    for uuid in uuids:
        await store.insert("jobs", uuid, {"uuid": uuid, **large})

    page = await store.list_jobs(JobFilter(states=["queued"]), limit=25)

    assert sum(stored.size_bytes for stored in page.jobs) >= MAX_PAGE_BYTES
    assert len(page.jobs) == MAX_PAGE_BYTES // 100_000 + 1
    assert await walk(store, JobFilter(states=["queued"]), 25) == uuids[::-1]


async def test_jobs_that_come_meanwhile_neither_repeat_nor_hide_others(store: Datastore) -> None:
    jobs = await fill(store)
    first = await store.list_jobs(JobFilter(), limit=10)

    newer = str(uuid7())
    await store.insert("jobs", newer, {"uuid": newer, "state": "queued"})
    await store.remove("jobs", keys(first)[-1])
    rest = await store.list_jobs(JobFilter(), limit=100, cursor=first.cursor)

    assert keys(first) + keys(rest) == [job["uuid"] for job in jobs]


@pytest.mark.parametrize("cursor", ["!", "A", "____", "ä"])
async def test_a_cursor_that_no_listing_gave_is_refused_or_lists_nothing_wrong(
    store: Datastore, cursor: str
) -> None:
    jobs = await fill(store)

    page = Page()
    with contextlib.suppress(ValueError):
        page = await store.list_jobs(JobFilter(), cursor=cursor)

    assert set(keys(page)) <= {job["uuid"] for job in jobs}


async def test_only_control_documents_are_listed(store: Datastore) -> None:
    await store.insert("blobs", "key", {"uuid": "key", "state": "queued", "type": "T"})

    assert await store.list_jobs(JobFilter()) == Page([], None)
    assert await store.count_jobs(JobFilter(states=["queued"])) == 0


async def test_a_replaced_job_is_listed_by_its_new_fields(store: Datastore) -> None:
    revision = await store.insert("jobs", "key", {"uuid": "key", "state": "queued", "queue": "a"})

    await store.replace("jobs", "key", {"uuid": "key", "state": "running", "queue": "b"}, revision)

    assert await store.count_jobs(JobFilter(states=["queued"])) == 0
    assert await store.count_jobs(JobFilter(queues=["a"])) == 0
    assert keys(await store.list_jobs(JobFilter(states=["running"], queues=["b"]))) == ["key"]


# What repair reads


def open_jobs(jobs: list[Document]) -> list[OpenJob]:
    return [
        OpenJob(job["uuid"], job["changedTime"], job.get("entryId"))
        for job in sorted(jobs, key=lambda job: str(job["uuid"]))
        if job["state"] != "succeeded"
    ]


async def walk_open(store: Datastore, limit: int, since: str | None = None) -> list[OpenJob]:
    found: list[OpenJob] = []
    for _ in range(1000):
        after = found[-1].uuid if found else ""
        page = await store.open_jobs(after=after, limit=limit, without_entry_since=since)
        assert len(page) <= limit
        found += page
        if len(page) < limit:
            return found
    raise AssertionError("the listing has no end")


@pytest.mark.parametrize("limit", [1, 4, 100])
async def test_open_jobs_are_listed_oldest_first_with_their_entries(
    store: Datastore, limit: int
) -> None:
    jobs = await fill(store)

    assert await walk_open(store, limit) == open_jobs(jobs)


@pytest.mark.parametrize("limit", [1, 100])
async def test_old_queued_jobs_without_an_entry_are_listed_by_themselves(
    store: Datastore, limit: int
) -> None:
    jobs = await fill(store)
    expected = [
        job
        for job in jobs
        if job["state"] == "queued" and "entryId" not in job and job["changedTime"] < TIMES[1]
    ]

    assert expected
    assert await walk_open(store, limit, TIMES[1]) == open_jobs(expected)


async def test_open_jobs_are_counted_by_queue(store: Datastore) -> None:
    jobs = await fill(store)
    await store.insert("jobs", "x", {"uuid": "x", "state": "queued", "changedTime": TIMES[0]})

    for before in (*TIMES, "2026-01-01T00:00:00.000000Z"):
        expected = Counter(
            job["queue"]
            for job in jobs
            if job["state"] != "succeeded" and job["changedTime"] < before
        )
        assert await store.count_open(before) == expected


async def test_an_open_job_is_listed_as_it_stands_now(store: Datastore) -> None:
    job = {"uuid": "a", "state": "queued", "queue": "q", "changedTime": TIMES[0]}
    revision = await store.insert("jobs", "a", job)
    assert await walk_open(store, 10, TIMES[1]) == [OpenJob("a", TIMES[0])]

    revision = await store.replace("jobs", "a", {**job, "entryId": 1}, revision)
    assert await walk_open(store, 10, TIMES[1]) == []
    assert await walk_open(store, 10) == [OpenJob("a", TIMES[0], 1)]
    await store.patch("jobs", "a", [PatchOp("set", ("entryId",), 2)])
    assert await walk_open(store, 10) == [OpenJob("a", TIMES[0], 2)]
    await store.patch("jobs", "a", [PatchOp("set", ("state",), "failed")])
    assert await walk_open(store, 10) == []
    assert await store.count_open(TIMES[1]) == {}


@pytest.mark.parametrize("entry", ["7", 7.5, [], {}, True, -1, 2**63, 10**30], ids=repr)
async def test_what_is_no_entrys_number_is_none_and_hides_no_job(
    store: Datastore, entry: object
) -> None:
    job = {"state": "queued", "queue": "q", "changedTime": TIMES[0], "entryId": entry}
    await store.insert("jobs", "a", {"uuid": "a", **job})

    assert await walk_open(store, 10) == [OpenJob("a", TIMES[0])]
    assert await walk_open(store, 10, TIMES[1]) == []


def attempts(*workers: str) -> list[Document]:
    return [{"number": n, "worker": {"name": name}} for n, name in enumerate(workers, 1)]


async def test_jobs_are_found_by_the_workers_that_may_run_them(store: Datastore) -> None:
    jobs: dict[str, Document] = {
        "runs": {"state": "running", "attempts": attempts("a")},
        "was taken over": {"state": "running", "attempts": attempts('"ä"', "b")},
        "waits": {"state": "waiting", "attempts": attempts("b", "a")},
        "never began": {"state": "queued"},
        "ended": {"state": "failed", "attempts": attempts("a")},
        "another's": {"state": "running", "attempts": attempts("aa"), "message": '"a"'},
        **{
            f"bad {n}": {"state": "running", "attempts": bad}
            for n, bad in enumerate(("a", 5, None, {"worker": {"name": "a"}}, [{"worker": "a"}]))
        },
    }
    for key, job in jobs.items():
        await store.insert("jobs", key, {"uuid": key, **job})

    async def found(*workers: str) -> set[str]:
        return set(await store.jobs_of_workers(workers))

    assert await found("a") == {"runs", "waits"}
    assert await found("b") == {"waits", "was taken over"}
    assert await found('"ä"', "aa") == {"was taken over", "another's"}
    assert await found("nobody") == await found() == set()
    assert await found("a", *[f"w{n}" for n in range(2000)]) == {"runs", "waits"}


async def test_jobs_that_wait_are_counted_by_queue_and_version_up_to_a_limit(
    store: Datastore,
) -> None:
    def job(state: str, kind: str = "T", version: object = "aa", queue: object = "q") -> Document:
        return {"state": state, "type": kind, "schemaHash": version, "queue": queue}

    jobs = [
        *[job(state) for state in ("queued", "waiting", "running", "succeeded", "queued")],
        *[job("queued", "Other"), job("queued", version="bb"), job("queued", version=5)],
        *[job("queued", queue="large"), job("queued", queue=5)],
        {"state": "queued", "type": "T", "schemaHash": "aa"},
        {"state": "queued", "type": "T"},
    ]
    for number, each in enumerate(jobs):
        await store.insert("jobs", str(number), {"uuid": str(number), **each})
    types = [("T", "aa"), ("T", "bb"), ("T", "cc"), ("Other", "aa"), ("T' OR 1=1 --", "aa")]

    async def counted(*queues: str | None, limit: int = 9) -> list[int]:
        asked = [(queue, *version) for queue in queues for version in types]
        return list((await store.count_waiting(asked, limit=limit)).values())

    assert await counted("q") == [3, 1, 0, 1, 0]
    assert await counted("q", limit=2) == [2, 1, 0, 1, 0]
    assert await counted("large", "small") == [1, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    assert await counted(None) == [6, 1, 0, 1, 0]
    assert await counted(None, "large") == [6, 1, 0, 1, 0, 1, 0, 0, 0, 0]
    assert await store.count_waiting([], limit=2) == {}

    await store.patch("jobs", "0", [PatchOp("set", ("state",), "failed")])
    await store.remove("jobs", "1")
    assert await counted("q") == [1, 1, 0, 1, 0]


async def test_the_first_delayed_jobs_of_queues_are_found_in_the_order_in_which_they_fall_due(
    store: Datastore,
) -> None:
    def job(due: object, queue: str = "q", state: str = "queued") -> Document:
        return {"state": state, "queue": queue, "notBeforeTime": due}

    jobs = [
        *[job("2026-01-02"), job("2026-01-04"), job("2026-01-03", state="waiting")],
        *[job("2026-01-03", "other"), job("2026-01-01"), job("2026-01-05"), job("2026-01-04")],
        *[job("2026-01-03", state="running"), job("2026-01-03", state="failed"), job(None), job(5)],
        {"state": "queued", "queue": "q"},
    ]
    for number, each in enumerate(jobs):
        await store.insert("jobs", str(number), {"uuid": str(number), **each})

    async def found(*queues: str, limit: int = 9) -> list[list[str]]:
        after, until = "2026-01-01", "2026-01-04"
        times = await store.due_times(queues, after=after, until=until, limit=limit)
        assert list(times) == list(queues)
        return [[time[-1] for time in each] for each in times.values()]

    assert await found("q", "other", "q' OR 1=1 --") == [["2", "3", "4", "4"], ["3"], []]
    assert await found("q", "other", limit=2) == [["2", "3"], ["3"]]
    assert await found() == []

    await store.patch("jobs", "0", [PatchOp("set", ("state",), "running")])
    await store.remove("jobs", "1")
    assert await found("q") == [["3", "4"]]


async def test_a_removed_job_is_not_listed(store: Datastore) -> None:
    await store.insert("jobs", "key", {"uuid": "key", "state": "queued"})

    await store.remove("jobs", "key")

    assert await store.count_jobs(JobFilter()) == 0


async def test_an_expired_job_is_neither_listed_nor_counted(
    store: Datastore, let_pass: LetPass
) -> None:
    await store.insert("jobs", "a", {"uuid": "a", "state": "failed"})
    await store.insert("jobs", "b", {"uuid": "b", "state": "failed"}, expire_seconds=60.0)

    await let_pass(65.0)

    assert keys(await store.list_jobs(JobFilter(states=["failed"]))) == ["a"]
    assert await store.count_jobs(JobFilter(states=["failed"])) == 1
