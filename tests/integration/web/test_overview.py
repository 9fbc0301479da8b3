"""The overview: queues, workers, charts, all live; and what every page is sent with."""

import asyncio
import re
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from playwright.sync_api import expect
from tests.integration.path.conftest import DEADLINE_SECONDS, until

from zerog.store import open_datastore

from .conftest import Web, start_worker


def test_queues_and_workers_are_shown_and_lead_to_their_jobs(web: Web) -> None:
    page = web.open()

    queues = page.get_by_role("region", name="Queues")
    for name in ("broken", "default", "flaky", "quick", "slow"):
        expect(queues.get_by_role("row", name=name)).to_be_visible()
    expect(page.get_by_role("region", name="Workers").get_by_text("idle")).to_be_visible()
    queues.get_by_role("link", name="quick").click()

    expect(page.get_by_role("heading", name="Jobs")).to_be_visible()
    expect(page.get_by_role("combobox", name="Queue")).to_have_value("quick")


def test_a_job_that_starts_appears_without_a_reload(web: Web) -> None:
    page = web.open()
    workers = page.get_by_role("region", name="Workers")
    expect(workers.get_by_text("nothing")).to_be_visible()

    (uuid,) = web.submit("Slow")

    expect(workers.get_by_text("busy")).to_be_visible()
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


def test_pools_are_shown_as_the_operator_tells_them(web: Web) -> None:
    pool = {
        "namespace": "team", "name": "pictures", "queue": "slow", "minReplicas": 1,
        "maxReplicas": 9, "readyReplicas": 3, "desiredReplicas": 4, "busy": 2, "ready": "False",
        "message": "the image cannot be pulled", "decision": "four jobs are there",
    }  # fmt: skip

    async def write() -> None:
        store = await open_datastore(web.system.store)
        await store.upsert("pools", "team::pictures", pool, expire_seconds=60)
        await store.close()

    with ThreadPoolExecutor() as pool_of_threads:  # the browser's driver keeps a loop in this one
        pool_of_threads.submit(asyncio.run, write()).result(DEADLINE_SECONDS)
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
        expect(page.get_by_role("alert")).to_contain_text("The queue is away")
    finally:
        web.system.beanstalkd.start()

    expect(page.get_by_role("alert")).to_have_count(0)
