"""A type that no living worker runs is marked before and after a job of it is submitted.

The API's answers are played: no part of a real one says this yet on demand.
"""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from .conftest import Web

WARNING = "no living worker runs Quick: the job waits until one starts"


def change(page: Page, path: str | re.Pattern[str], edit: Callable[[Any], None]) -> None:
    """Edit the answers of a path."""

    def answer(route: Route) -> None:
        real = route.fetch()
        document = real.json()
        edit(document)
        route.fulfill(response=real, json=document)

    page.route(path, answer)


def serve_no_quick(page: Page, served: bool | None = False) -> None:
    """Let the API say of the type Quick whether a worker runs it."""

    def edit(document: Any) -> None:
        for item in document.get("types", [document]):
            item["served"] = served if item["name"] == "Quick" else True

    change(page, re.compile(r"/v1/types(/Quick)?$"), edit)


def test_a_type_without_a_worker_is_marked_in_the_list(web: Web) -> None:
    page = web.open()
    serve_no_quick(page)

    page.get_by_role("link", name="Run a job").click()

    mark = page.get_by_text("No running worker")
    expect(mark).to_have_count(1)
    expect(page.get_by_role("link", name=re.compile("^Quick")).filter(has=mark)).to_be_visible()


@pytest.mark.parametrize("served", [True, None])
def test_a_type_with_a_worker_or_of_which_nothing_is_known_has_no_mark(
    web: Web, served: bool | None
) -> None:
    page = web.open()
    serve_no_quick(page, served)

    page.get_by_role("link", name="Run a job").click()
    page.get_by_role("link", name=re.compile("^Quick")).click()
    expect(page.get_by_role("button", name="Run Quick")).to_be_visible()

    expect(page.get_by_text("No running worker")).to_have_count(0)


def test_a_warning_of_the_api_is_shown_with_the_way_to_the_job(web: Web) -> None:
    page = web.open("/")
    serve_no_quick(page)
    change(page, "**/v1/jobs/Quick?*", lambda document: document.update(warning=WARNING))
    page.goto(f"{web.url}/#/run/Quick")
    expect(page.get_by_text("No running worker knows this type")).to_be_visible()

    with page.expect_request("**/v1/jobs/Quick?*") as first:
        page.get_by_role("button", name="Run Quick").click()
    notice = page.get_by_role("alert")
    expect(notice).to_contain_text("The job was accepted. No living worker runs Quick")
    expect(notice).to_be_focused()
    with page.expect_request("**/v1/jobs/Quick?*") as second:
        page.get_by_role("button", name="Run Quick").click()
    expect(notice).to_be_visible()
    keys = {made.value.headers["idempotency-key"] for made in (first, second)}
    assert len(keys) == 2
    notice.get_by_role("link", name="To the job").click()

    expect(page.get_by_role("heading", name="Quick")).to_be_visible()


def test_a_queued_job_of_a_type_without_a_worker_says_why_it_waits(
    web: Web, axe: Callable[[Page], list[str]]
) -> None:
    uuid = web.system.client.submit("Quick", {}, delay=3600)
    page = web.open("/")
    serve_no_quick(page)
    page.goto(f"{web.url}/#/jobs/{uuid}")

    hint = page.get_by_text("No running worker knows Quick")
    expect(hint).to_be_visible()
    assert axe(page) == []
    web.system.client.cancel(uuid)

    expect(page.locator(".job-title")).to_contain_text("cancelled")
    expect(hint).to_have_count(0)
