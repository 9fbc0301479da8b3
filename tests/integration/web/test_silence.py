"""An API that hangs: the page says so, does not wait for ever, and recovers by itself."""

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from .conftest import Web

#: Just longer than the page waits for an answer.
ANSWER_MS = 31_000
#: Longer than any deadline of the page's calls.
RAW_MS = 91_000


@pytest.fixture
def frozen(web: Web) -> Iterator["Frozen"]:
    """Freezes the API, and thaws it in the end."""
    made = Frozen(web)
    yield made
    made.thaw()


class Frozen:
    """The API's process, which a test may freeze: its sockets stay open and nobody answers."""

    def __init__(self, web: Web) -> None:
        self._api = web.api()

    def freeze(self) -> None:
        """Stop the process, which nothing tells the browser."""
        self._api.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it continue."""
        self._api.send_signal(signal.SIGCONT)


def test_an_api_that_hangs_is_noticed_and_so_is_its_return(
    web: Web, frozen: Frozen, tmp_path: Path
) -> None:
    (uuid,) = web.submit("Slow", seconds=0.1, hold=str(tmp_path / "hold"))
    overview, job = web.open(), web.open(f"/jobs/{uuid}")
    live = overview.get_by_role("banner").get_by_role("status")
    expect(live).to_have_text("Live")
    expect(job.get_by_role("log", name="Log")).to_contain_text("step 2")

    frozen.freeze()
    expect(live).to_have_text("No signal")
    expect(live).to_have_text("Reconnecting")
    expect(overview.get_by_role("alert")).to_contain_text("Nothing was heard from the API")
    trouble = job.locator(".trouble")
    expect(trouble).to_contain_text("Nothing was heard from the API")
    frozen.thaw()

    expect(live).to_have_text("Live")
    expect(overview.get_by_role("alert")).to_have_count(0)
    expect(trouble).to_have_count(0)


def test_a_quiet_job_is_no_silence(web: Web, tmp_path: Path) -> None:
    (uuid,) = web.submit("Slow", seconds=0.1, hold=str(tmp_path / "hold"))
    page = web.open(f"/jobs/{uuid}")
    expect(page.get_by_role("log", name="Log")).to_contain_text("step 2")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    # Longer than the page's patience: what keeps it calm is the API's own events.
    page.wait_for_timeout(15_000)

    assert not [url for url in asked if url.endswith("/stream")]
    expect(page.locator(".trouble")).to_have_count(0)
    expect(page.get_by_role("banner").get_by_role("status")).to_have_text("Live")


def hang(page: Page, path: str) -> list[Route]:
    """Leave calls of a path without an answer; return them."""
    held: list[Route] = []
    page.route(path, lambda route: held.append(route))
    return held


def test_a_document_that_does_not_arrive_is_given_up_and_can_be_asked_for_again(web: Web) -> None:
    page = web.open()
    page.clock.install()
    hang(page, "**/v1/types")

    with page.expect_request("**/v1/types"):
        page.get_by_role("link", name="Run a job").click()
    page.clock.fast_forward(ANSWER_MS)
    # The stream is silent for that clock, too: its banner is an alert of its own.
    expect(page.locator(".trouble")).to_contain_text(
        "The API did not answer for 30 seconds: check that it runs, then try again."
    )
    page.unroute("**/v1/types")
    page.get_by_role("button", name="Try again").click()

    expect(page.get_by_role("link", name=re.compile("^Everything"))).to_be_visible()


def test_a_submission_without_an_answer_may_be_sent_again(web: Web) -> None:
    page = web.open("/run/Quick")
    button = page.get_by_role("button", name="Run Quick")
    expect(button).to_be_visible()
    page.clock.install()
    held = hang(page, "**/v1/jobs/Quick?*")

    button.click()
    expect(button).to_be_disabled()
    page.clock.fast_forward(ANSWER_MS)
    expect(page.locator(".trouble")).to_contain_text("may or may not be done")
    expect(page.locator(".trouble")).to_contain_text("that makes one job, not two")
    page.unroute("**/v1/jobs/Quick?*")
    with page.expect_request("**/v1/jobs/Quick?*") as again:
        button.click()

    expect(page.locator(".job-title")).to_be_visible()
    key = again.value.headers["idempotency-key"]
    assert key == held[0].request.headers["idempotency-key"]


def test_the_page_of_the_calls_gives_up_too(web: Web) -> None:
    page = web.open()
    page.clock.install()
    hang(page, "**/openapi.json")

    with page.expect_request("**/openapi.json"):
        page.goto(f"{web.url}/docs")
    page.clock.fast_forward(ANSWER_MS)
    given_up = page.get_by_role("alert").filter(has_text="did not answer for 30 seconds")
    expect(given_up).to_be_visible()
    page.unroute("**/openapi.json")
    page.reload()
    hang(page, "**/v1/types")
    call = page.locator("details", has=page.get_by_text("/v1/types", exact=True)).first
    call.locator("summary").click()
    with page.expect_request("**/v1/types"):
        call.get_by_role("button", name="Send").click()
    page.clock.fast_forward(RAW_MS)

    expect(call.locator("pre")).to_contain_text("the API sent nothing for 90 seconds")
