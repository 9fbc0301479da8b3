"""The page before an API that asks for tokens: a real one, with a file of tokens."""

import json
import re
from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect
from tests.integration.path.conftest import DEADLINE_SECONDS, until
from tests.readiness import is_success

from zerog.privatefile import write_private
from zerog_tools.cluster.ports import free_port

from .conftest import Complaints, Web

VIEWER, STAFF, BLIND = "viewer-" + "v" * 20, "staff-" + "s" * 20, "blind-" + "b" * 20
TOKENS = [
    {"name": "viewer", "token": VIEWER, "verbs": ["list", "get"], "queues": ["slow"]},
    {"name": "staff", "token": STAFF, "verbs": ["list", "get", "create", "update"],
     "queues": ["*"]},
    {"name": "blind", "token": BLIND, "verbs": ["create"], "queues": ["quick"]},
]  # fmt: skip


@pytest.fixture
def guarded(web: Web) -> Iterator[str]:
    """Another API of the same system, with tokens; its address."""
    port = free_port()
    file = web.system.folder / "tokens.json"
    write_private(file, json.dumps({"tokens": TOKENS}))
    api = web.system.start("api", "--port", str(port), ZEROG_AUTH="tokens", ZEROG_TOKENS=str(file))
    url = f"http://127.0.0.1:{port}"

    until(lambda: is_success(f"{url}/readyz"), what="the guarded API is ready")
    yield url
    # Before their API ends: they would complain of that.
    web.close()
    web.system.stop(api)


def open_guarded(web: Web, url: str, route: str) -> Page:
    """Open a view of the guarded API, which refuses what comes before the token."""
    assert urlsplit(url).port != web.system.port
    web.complaints = Complaints(provoked=["status of 401"])
    context = web.browser.new_context()
    context.set_default_timeout(DEADLINE_SECONDS * 1000)
    web.contexts.append(context)
    page = context.new_page()
    web.complaints.watch(page, url)
    page.goto(f"{url}/#{route}")
    return page


def give(page: Page, token: str) -> None:
    dialog = page.get_by_role("dialog", name="This API asks for a token")
    dialog.get_by_label("Bearer token").fill(token)
    dialog.get_by_role("button", name="Use it").click()


def test_a_token_is_asked_for_once_and_kept_for_the_tab(web: Web, guarded: str) -> None:
    page = open_guarded(web, guarded, "/jobs")
    status = page.get_by_role("banner").get_by_role("status")

    dialog = page.get_by_role("dialog", name="This API asks for a token")
    expect(dialog.get_by_label("Bearer token")).to_be_visible()
    expect(dialog.get_by_role("alert")).to_have_count(0)
    give(page, "wrong-" + "w" * 20)
    expect(dialog.get_by_role("alert")).to_contain_text("refused the token")
    give(page, STAFF)
    expect(status).to_have_text("Live")
    page.reload()

    expect(status).to_have_text("Live")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.get_by_role("button", name="Forget token").click()
    expect(page.get_by_role("dialog", name="This API asks for a token")).to_be_visible()


def test_a_viewer_sees_its_queues_and_is_told_what_it_may_not(web: Web, guarded: str) -> None:
    (uuid,) = web.submit("Slow")
    page = open_guarded(web, guarded, "/")
    web.complaints.provoked.append("status of 403")

    give(page, VIEWER)
    queues = page.get_by_role("region", name="Queues")
    expect(queues.get_by_role("row", name=re.compile("^slow"))).to_be_visible()
    expect(queues.get_by_role("row", name=re.compile("^quick"))).to_have_count(0)
    page.goto(f"{guarded}/#/jobs/{uuid}")
    page.get_by_role("button", name="Cancel…").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel the job").click()

    expect(page.get_by_role("dialog").get_by_role("alert")).to_be_visible()
    assert web.state(uuid) in ("queued", "running")


def test_without_a_token_the_page_says_that_it_is_not_connected(web: Web, guarded: str) -> None:
    page = open_guarded(web, guarded, "/nowhere")

    page.get_by_role("dialog").get_by_role("button", name="Not now").click()

    expect(page.get_by_role("banner").get_by_role("status")).to_have_text("Not connected")


def test_a_token_that_may_list_nothing_is_not_told_that_there_is_nothing(
    web: Web, guarded: str
) -> None:
    page = open_guarded(web, guarded, "/")

    give(page, BLIND)

    expect(page.get_by_text("No worker that this token may list.")).to_be_visible()
    expect(page.get_by_text("No queue that this token may list.")).to_be_visible()
    page.goto(f"{guarded}/#/run")
    expect(page.get_by_text("No job type that this token may list.")).to_be_visible()
