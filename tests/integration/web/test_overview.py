"""The overview: queues, workers, charts, all live; and what every page is sent with."""

import asyncio
import itertools
import re
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from playwright.sync_api import expect
from tests.integration.path.conftest import DEADLINE_SECONDS, until

from zerog.store import open_datastore
from zerog.store.port import Collection

from .conftest import Web, start_worker


def test_queues_and_workers_are_shown_and_lead_to_their_jobs(web: Web) -> None:
    page = web.open()

    queues = page.get_by_role("region", name="Queues")
    queues.get_by_role("button", name=re.compile("idle queues?$")).click()
    for name in ("broken", "default", "flaky", "quick", "slow"):
        expect(queues.get_by_role("row", name=name)).to_be_visible()
    expect(
        page.get_by_role("region", name="Workers").get_by_text("idle", exact=True)
    ).to_be_visible()
    queues.get_by_role("link", name="quick").click()

    expect(page.get_by_role("heading", name="Jobs")).to_be_visible()
    expect(page.get_by_role("combobox", name="Queue")).to_have_value("quick")


def test_a_job_that_starts_appears_without_a_reload(web: Web) -> None:
    page = web.open()
    workers = page.get_by_role("region", name="Workers")
    expect(workers.get_by_text("nothing")).to_be_visible()

    (uuid,) = web.submit("Slow")

    expect(workers.get_by_text("busy", exact=True)).to_be_visible()
    expect(workers.get_by_text("1/2")).to_be_visible()
    expect(
        page.get_by_role("region", name="Queues").get_by_role("row", name="slow")
    ).to_contain_text("1")
    workers.get_by_role("link", name="Slow").click()
    expect(page.get_by_text(uuid)).to_be_visible()


def test_the_last_hour_is_drawn_from_the_datastore(web: Web) -> None:
    uuids = [*web.submit("Quick", 5), *web.submit("Broken", 2)]
    web.finished(*uuids)
    page = web.open()

    def tile(name: str) -> int:
        link = page.get_by_role("link", name=re.compile(f"^{name}"))
        return int(link.locator(".tile-value").inner_text().replace(",", "").replace("–", "0"))

    until(lambda: tile("Succeeded") >= 5 and tile("Failed") >= 2, what="the counts are there")
    chart = page.get_by_role(
        "img", name=re.compile(r"^Jobs finished per minute\. In the last hour")
    )
    expect(chart).to_be_visible()
    expect(chart.locator("rect.fill-failed").first).to_be_attached()
    page.get_by_text("Numbers").first.click()
    numbers = page.get_by_role("region", name="Jobs finished per minute: numbers")
    expect(numbers.get_by_role("row")).to_have_count(61)


def test_idle_queues_are_folded_and_those_with_work_come_first(web: Web) -> None:
    web.submit("Slow")
    page = web.open()
    queues = page.get_by_role("region", name="Queues")
    rows = queues.locator("tbody th .cut")
    show = queues.get_by_role("button", name=re.compile(r"^Show \d+ idle queues?$"))

    expect(rows.filter(has_text=re.compile("^slow$"))).to_be_visible()
    expect(show).to_have_attribute("aria-expanded", "false")
    idle = int(show.inner_text().split()[1])
    show.click()
    expect(queues.get_by_role("button", name=re.compile("^Hide"))).to_be_visible()

    names = rows.all_inner_texts()
    assert "slow" in names[:-idle]
    assert names[-idle:] == sorted(names[-idle:])


def test_delayed_jobs_are_counted_where_the_card_leads_to(web: Web) -> None:
    client = web.system.client
    uuids = [client.submit("Quick", {}, delay=3600) for _ in range(2)]
    page = web.open()

    card = page.get_by_role("link", name=re.compile("^Queued and waiting"))
    expect(card).to_contain_text("2 delayed")
    card.click()

    expect(page).to_have_url(re.compile(r"state=queued%2Cwaiting"))
    for uuid in uuids:
        row = page.get_by_role("row", name=uuid)
        expect(row).to_contain_text("until")


def fleet(beat: int) -> dict[str, dict[str, Any]]:
    """Return the documents of 120 workers of a queue, three of which run something."""
    now = datetime.now(UTC).isoformat()
    run = {"uuid": "01a20fd6-df54-762a-96e1-594e09d3aa8d", "type": "Render", "attempt": 1,
           "slot": 0, "startedTime": now}  # fmt: skip
    return {
        f"render-{number:03d}": {
            "name": f"render-{number:03d}", "queues": ["render"], "types": ["Render"], "slots": 1,
            "running": [run] if number >= 117 else [], "state": "running", "startedTime": now,
            "updatedTime": now, "beat": beat,
        }
        for number in range(120)
    }  # fmt: skip


@pytest.fixture
def crowd(web: Web) -> Iterator[None]:
    """120 more workers, as their documents tell of them."""
    client = web.system.client
    beats = itertools.count(1)

    def seen() -> bool:
        put(web, "workers", fleet(next(beats)))
        return len(client.workers()) > 100

    until(seen, what="they are listed")
    yield
    put(web, "workers", dict.fromkeys(fleet(0)))
    until(lambda: len(client.workers()) == 1, what="they are gone")


@pytest.mark.usefixtures("crowd")
def test_many_workers_are_folded_in_groups_and_found_by_a_filter(web: Web) -> None:
    page = web.open()
    workers = page.get_by_role("region", name="Workers")
    head = workers.get_by_role("row").filter(has_text="120 workers: 3 busy, 117 idle")
    expect(head).to_contain_text("3 of 120 slots")
    rows = workers.get_by_role("rowheader", name=re.compile("^render-"))
    expect(rows).to_have_count(0)

    head.get_by_role("button", name="render").click()
    expect(rows).to_have_count(50)
    expect(rows.first).to_have_text("render-117")
    workers.get_by_role("button", name="Show 70 more workers").click()
    expect(rows).to_have_count(120)
    workers.get_by_role("searchbox", name="Filter workers").fill("render-00")
    expect(rows).to_have_count(10)
    workers.get_by_role("combobox", name="State of workers").select_option("busy")

    expect(workers.get_by_text("No worker fits the filter.")).to_be_visible()


def put(web: Web, collection: Collection, documents: Mapping[str, dict[str, Any] | None]) -> None:
    """Write documents that a process of the system would write; remove those that are None."""

    async def write() -> None:
        store = await open_datastore(web.system.store)
        for key, document in documents.items():
            if document is None:
                await store.remove(collection, key)
            else:
                await store.upsert(collection, key, document, expire_seconds=60)
        await store.close()

    with ThreadPoolExecutor() as threads:  # the browser's driver keeps a loop in this one
        threads.submit(asyncio.run, write()).result(DEADLINE_SECONDS)


def test_pools_are_shown_as_the_operator_tells_them(web: Web) -> None:
    pool = {
        "namespace": "team", "name": "pictures", "queue": "slow", "minReplicas": 1,
        "maxReplicas": 9, "readyReplicas": 3, "desiredReplicas": 4, "busy": 2, "ready": "False",
        "message": "the image cannot be pulled", "decision": "four jobs are there",
    }  # fmt: skip

    put(web, "pools", {"team::pictures": pool})
    row = web.open().get_by_role("region", name="Pools").get_by_role("row", name="pictures")

    expect(row).to_contain_text("trouble")
    expect(row).to_contain_text("the image cannot be pulled")
    expect(row).to_contain_text("four jobs are there")
    for number in ("3", "4", "2"):
        expect(row.get_by_role("cell", name=number, exact=True)).to_be_visible()


def test_history_survives_restarts_of_api_and_worker(web: Web) -> None:
    web.finished(*web.submit("Quick", 3))

    def counted() -> int:
        stats = httpx.get(f"{web.url}/v1/stats", timeout=DEADLINE_SECONDS).json()
        return sum(sum(queue["succeeded"]) for queue in stats["queues"] if queue["name"] == "quick")

    until(lambda: counted() >= 3, what="the counts are written")
    before = counted()
    for process in [item for item in web.system.processes if item.poll() is None]:
        web.system.stop(process)
    web.system.start_api()

    assert counted() >= before
    start_worker(web.system)


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_a_page_is_sent_with_a_strict_policy_and_nothing_inline(web: Web, path: str) -> None:
    answer = httpx.get(web.url + path)

    policy = dict(
        part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";")
    )
    assert policy["default-src"] == "'none'"
    assert policy["frame-ancestors"] == "'none'"
    for kind in ("script-src", "style-src", "connect-src"):
        assert policy[kind] == "'self'"
    assert "unsafe" not in str(policy)
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert not re.search(r"<script(?![^>]* src=)|<style|\sstyle=|\son\w+=", answer.text)


def test_an_api_that_goes_and_comes_back_is_noticed(web: Web) -> None:
    page = web.open()
    status = page.get_by_role("banner").get_by_role("status")
    expect(status).to_have_text("Live")
    web.complaints.provoked += ["net::ERR_"]

    api = web.api()
    web.system.stop(api)
    expect(status).to_have_text("Reconnecting")
    expect(page.get_by_role("alert")).to_contain_text("What you see may be old")
    web.system.start_api()

    expect(status).to_have_text("Live")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_queue_that_is_away_is_told(web: Web) -> None:
    page = web.open()
    expect(page.get_by_role("banner").get_by_role("status")).to_have_text("Live")

    web.system.beanstalkd.kill()
    try:
        expect(page.get_by_role("alert")).to_contain_text("The queue is unavailable")
    finally:
        web.system.beanstalkd.start()

    expect(page.get_by_role("alert")).to_have_count(0)
