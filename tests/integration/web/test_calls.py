"""The API's calls: a view of the page, where each can be tried."""

from playwright.sync_api import expect

from .conftest import Web


def test_the_short_address_leads_to_a_view_of_the_page(web: Web) -> None:
    page = web.open()
    page.goto(f"{web.url}/docs")

    expect(page).to_have_url(f"{web.url}/#/docs")
    expect(page.get_by_role("link", name="REST API")).to_have_attribute("aria-current", "page")
    expect(page.get_by_text("/v1/jobs:batch")).to_be_visible()
    page.get_by_role("link", name="Jobs", exact=True).click()

    expect(page.get_by_role("heading", name="Jobs")).to_be_focused()


def test_leaving_the_calls_ends_a_stream_that_was_tried(web: Web) -> None:
    uuid = web.system.client.submit("Quick", {}, delay=3600)
    page = web.open("/docs")
    call = page.locator("details", has=page.get_by_text("/v1/jobs/{uuid}/stream", exact=True))
    call.locator("summary").click()
    call.get_by_label("uuid").fill(uuid)
    call.get_by_role("button", name="Send").click()
    expect(call.get_by_role("status")).to_contain_text("200 OK")
    expect(call.get_by_role("status")).to_contain_text("event: ")

    # The listing may replace a request of its own meanwhile, which is told alike.
    stream = f"{web.url}/v1/jobs/{uuid}/stream"
    with page.expect_event("requestfailed", lambda request: request.url == stream):
        page.get_by_role("link", name="Jobs", exact=True).click()
