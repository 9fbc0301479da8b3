"""What a job was given, and gave, is shown and sent again as the text that it is."""

import json
import re
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, Route, expect
from tests.integration.path.conftest import DEADLINE_SECONDS

from .conftest import Web

#: Nothing of it survives a way through a browser's numbers and objects.
GIVEN = (
    '{"count":9007199254740993,"ratio":1.0,"sizes":[12345678901234567890,-9007199254740993],'
    '"extra":{"10":1.0,"2":9007199254740995,"__proto__":{"a":0.10}}}'
)


def submit(web: Web, text: str) -> str:
    """Submit a job of type Exact with parameters that are a text."""
    headers = {"Content-Type": "application/json"}
    answer = httpx.post(
        f"{web.url}/v1/jobs/Exact", content=text, headers=headers, timeout=DEADLINE_SECONDS
    )
    return str(answer.raise_for_status().json()["uuid"])


def parameters(web: Web, uuid: str) -> dict[str, Any]:
    """Return a job's parameters. Python reads them exactly, its numbers with their kinds."""
    return dict(web.system.client.get(uuid)["parameters"])


def exact(value: Any) -> str:
    """Return a text that differs wherever two values or their kinds of numbers do."""
    return json.dumps(value, sort_keys=True)


def run_and_read(web: Web, page: Page) -> dict[str, Any]:
    """Send the form; return the parameters of the job that came of it."""
    before = page.url
    page.get_by_role("button", name="Run Exact").click()
    expect(page.locator(".job-title")).to_contain_text("succeeded 200")
    assert page.url != before
    return parameters(web, page.url.rsplit("/", 1)[-1])


def test_one_like_another_has_exactly_its_parameters(web: Web) -> None:
    uuid = submit(web, GIVEN)
    web.finished(uuid)
    page = web.open(f"/jobs/{uuid}")

    page.get_by_role("link", name="Run one like it").click()
    expect(page.get_by_label("Count")).to_have_value("9007199254740993")
    expect(page.get_by_label("Ratio")).to_have_value("1.0")
    made = run_and_read(web, page)

    assert exact({**made, "names": None}) == exact({**parameters(web, uuid), "names": None})


def test_parameters_edited_as_json_are_sent_as_they_stand(web: Web) -> None:
    page = web.open(f"/run/Exact?like={submit(web, GIVEN)}")

    page.get_by_role("button", name="Edit as JSON").click()
    box = page.get_by_label("Parameters as JSON")
    box.fill(box.input_value().replace("9007199254740993", "9007199254740997", 1))
    made = run_and_read(web, page)

    expected = json.loads(GIVEN.replace("9007199254740993", "9007199254740997", 1))
    assert exact({**made, "names": None}) == exact({**expected, "names": None})


@pytest.mark.parametrize(
    "given",
    ['{"names":["two\\nlines","one"]}', '{"names":["",""]}'],
    ids=["a break in an item", "empty items"],
)
def test_parameters_that_the_form_cannot_hold_open_as_json(web: Web, given: str) -> None:
    page = web.open(f"/run/Exact?like={submit(web, given)}")

    expect(page.get_by_label("Parameters as JSON")).to_be_visible()
    page.get_by_role("button", name="Back to the form").click()
    expect(page.get_by_role("alert")).to_contain_text("cannot hold these parameters exactly")

    assert run_and_read(web, page) == json.loads(given)


def test_defaults_of_the_schema_are_not_rounded(web: Web) -> None:
    page = web.open("/run/Exact")

    expect(page.get_by_label("Count")).to_have_value(str(2**63 - 1))

    assert run_and_read(web, page)["count"] == 2**63 - 1


def test_numbers_are_sent_as_they_were_typed(web: Web) -> None:
    page = web.open("/run/Exact")
    sent: list[str] = []

    def refuse(route: Route) -> None:
        sent.append(route.request.post_data or "")
        route.abort()

    page.route("**/v1/jobs/Exact?*", refuse)
    web.complaints.provoked += ["net::ERR_FAILED"]
    page.get_by_label("Count").fill("1e400")
    page.get_by_label("Ratio").fill("0.10")
    page.get_by_role("button", name="Run Exact").click()
    expect(page.get_by_role("alert")).to_contain_text("The API does not answer")

    assert '"count":1e400,"ratio":0.10,' in sent[0]


def test_what_is_not_a_number_is_said_and_not_dropped(web: Web) -> None:
    page = web.open("/run/Exact")

    page.get_by_label("Count").fill("1.5")
    page.get_by_label("Ratio").fill("about 3")
    page.get_by_role("button", name="Run Exact").click()

    expect(page.get_by_label("Count")).to_have_accessible_description("Must be a whole number.")
    expect(page.get_by_label("Ratio")).to_have_accessible_description(
        "Must be a number, e.g. 12 or 0.5."
    )


def test_a_job_shows_its_values_as_they_are(web: Web) -> None:
    uuid = submit(web, GIVEN)
    web.finished(uuid)
    page = web.open(f"/jobs/{uuid}")

    for name in ("Parameters", "Output"):
        shown = page.get_by_role("group", name=name)
        expect(shown).to_contain_text('"count": 9007199254740993')
        expect(shown).to_contain_text('"ratio": 1.0')
        # Python writes 0.10 as 0.1; the order of the keys is the job's.
        order = r'"10": 1\.0,\s+"2": 9007199254740995,\s+"__proto__": \{\s+"a": 0\.1\s+\}'
        expect(shown).to_contain_text(re.compile(order))
    log = page.get_by_role("log", name="Log")
    expect(log).to_contain_text("count=9007199254740993")
    expect(log).to_contain_text("ratio=1.0")


def test_the_page_of_the_calls_shows_answers_as_they_are(web: Web) -> None:
    uuid = submit(web, GIVEN)
    page = web.open("/")
    page.goto(f"{web.url}/docs")

    call = page.locator("details", has_text=re.compile(r"GET\s*/v1/jobs/\{name\}")).first
    call.locator("summary").click()
    call.get_by_label("name (path, required)").fill(uuid)
    call.get_by_role("button", name="Send").click()

    expect(call.locator("pre")).to_contain_text('"count": 9007199254740993')
    expect(call.locator("pre")).to_contain_text('"ratio": 1.0')
