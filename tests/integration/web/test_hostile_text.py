"""The page shows foreign text so that nothing of it is reversed, hidden or piled up."""

from playwright.sync_api import Page, expect
from tests.hostile_text import UNSEEN

from .conftest import Web

TEXT = "pay \u202e00.1$\u202c now\u200b\u3164\u2800\ufe0f\x9b ü e\u0301 " + "e" + "\u0301" * 50
LOOK = """() => [document.title, document.body.innerText,
  ...[...document.querySelectorAll("[title], [aria-label], [placeholder]")].flatMap(
    (it) => ["title", "aria-label", "placeholder"].map((name) => it.getAttribute(name) ?? ""))]"""


def seen(page: Page) -> str:
    """Return all that the page shows or reads out."""
    return "\n".join(page.evaluate(LOOK))


def check(page: Page) -> None:
    assert UNSEEN.findall(seen(page)) == []


def test_what_a_job_wrote_is_shown_with_escapes_everywhere(web: Web) -> None:
    (uuid,) = web.submit("Hostile", text=TEXT)
    web.finished(uuid)
    page = web.open(f"/jobs/{uuid}")

    log = page.get_by_role("log", name="Log")
    expect(log).to_contain_text(r"pay \u202e00.1$\u202c now\u200b\u3164\u2800\ufe0f\u009b ü ")
    expect(log).to_contain_text("e" + "\u0301" * 4 + r"\u0301" * 46)
    expect(page.get_by_role("region", name="Parameters")).to_contain_text(r"pay \u202e00")
    check(page)
    page.goto(f"{web.url}/#/jobs?type=Hostile")
    expect(page.get_by_role("cell", name=r"pay \u202e00").first).to_be_visible()
    check(page)


def test_descriptions_are_shown_with_escapes_and_fields_hold_what_is_sent(web: Web) -> None:
    (uuid,) = web.submit("Hostile", text=TEXT)
    page = web.open("/run")

    expect(page.get_by_text(r"Pay \u202e00.1$\u202c, unseen: \u3164.")).to_be_visible()
    check(page)
    page.goto(f"{web.url}/#/run/Hostile?like={uuid}")
    expect(page.get_by_label("Text")).to_have_value(TEXT)
    check(page)


def test_the_page_of_the_calls_shows_answers_with_escapes(web: Web) -> None:
    page = web.open("/")
    page.goto(f"{web.url}/docs")
    call = page.locator("details", has_text="List the job types").first

    call.locator("summary").click()
    call.get_by_role("button", name="Send").click()

    expect(call.locator("pre")).to_contain_text(r"Pay \u202e00.1$")
    check(page)
