"""Filters of the list by label and by time: on the page, in its address, and in changes."""

import re
from datetime import UTC, datetime, timedelta

from playwright.sync_api import expect
from tests.integration.path.conftest import until

from .conftest import Web

LONG = "AVeryLongNameThatNobodyWouldChooseButIsGeneratedFromJavaPackages"
LONG_QUEUE = "a-very-long-queue-name-of-team-region-and-purpose-eu-central-1-p"


def labelled(web: Web, job_type: str = "Quick", **labels: str) -> str:
    """Submit a job with labels and wait for its end."""
    uuid = web.system.client.submit(job_type, {}, labels=labels)
    web.finished(uuid)
    return uuid


def test_a_label_in_a_row_narrows_the_list_and_survives_reload_and_back(web: Web) -> None:
    mine = labelled(web, team="rows", env="a,b=c")
    other = labelled(web, team="rows", env="other")
    page = web.open("/jobs?type=Quick")
    row = page.get_by_role("row", name=mine)

    row.get_by_role("link", name="Jobs with label team=rows").click()
    row.get_by_role("link", name="Jobs with label env=a,b=c").click()
    expect(page.get_by_role("link", name=other)).to_have_count(0)
    expect(page).to_have_url(re.compile(r"type=Quick&label=team%3Drows&label=env%3Da%2Cb%3Dc$"))
    page.reload()
    expect(page.get_by_role("link", name=mine)).to_be_visible()
    expect(page.get_by_role("link", name=other)).to_have_count(0)
    page.go_back()
    expect(page.get_by_role("link", name=other)).to_be_visible()
    page.get_by_role("button", name="Remove label team=rows").click()

    expect(page).to_have_url(re.compile(r"#/jobs\?type=Quick$"))


def test_a_label_is_typed_and_one_that_is_none_is_refused_at_its_field(web: Web) -> None:
    mine, other = labelled(web, team="typed"), labelled(web, team="else")
    page = web.open("/jobs")
    field = page.get_by_role("textbox", name="Only jobs with this label")

    field.fill("typed")
    field.press("Enter")
    expect(page).to_have_url(re.compile(r"#/jobs$"))
    assert field.evaluate("field => field.validity.patternMismatch")
    field.fill("team=typed")
    field.press("Enter")

    expect(page.get_by_role("link", name=mine)).to_be_visible()
    expect(page.get_by_role("link", name=other)).to_have_count(0)
    expect(field).to_have_value("")


def test_a_label_of_a_jobs_page_leads_to_the_jobs_that_have_it(web: Web) -> None:
    mine, other = labelled(web, team="facts"), labelled(web, team="else")
    page = web.open(f"/jobs/{mine}")

    page.get_by_role("link", name="Jobs with label team=facts").click()

    expect(page.get_by_role("link", name=mine)).to_be_visible()
    expect(page.get_by_role("link", name=other)).to_have_count(0)


def test_a_range_that_moves_with_the_clock_stands_in_the_address_as_it_is(web: Web) -> None:
    uuid = labelled(web)
    page = web.open("/jobs")
    asked: list[str] = []
    page.on("request", lambda made: asked.append(made.url) if "/v1/jobs?" in made.url else None)

    page.get_by_role("combobox", name="Ended").select_option("last hour")

    expect(page).to_have_url(re.compile(r"#/jobs\?endedAfter=1h$"))
    expect(page.get_by_role("link", name=uuid)).to_be_visible()
    last_hour = datetime.now(UTC) - timedelta(hours=1)
    until(lambda: any(f"endedAfter={last_hour:%Y-%m-%dT%H}" in url for url in asked), what="asked")
    expect(page.get_by_role("button", name="Cancel unfinished…")).to_be_disabled()


def test_a_range_is_chosen_by_two_times_in_the_zone_of_the_browser(web: Web) -> None:
    uuid = labelled(web)
    page = web.open("/jobs", timezone_id="Asia/Kathmandu")

    page.get_by_role("combobox", name="Submitted").select_option("from … to …")
    expect(page.get_by_role("link", name=uuid)).to_be_visible()
    page.get_by_label("Submitted from").fill("2020-01-01T10:00")
    page.get_by_label("Submitted to").fill("2020-01-02T10:00")
    page.get_by_role("button", name="Apply").click()
    expect(page.get_by_text("No job fits the filter.")).to_be_visible()
    expect(page).to_have_url(re.compile("submittedAfter=2020-01-01T10%3A00%3A00%2B05%3A45"))
    page.reload()
    expect(page.get_by_label("Submitted to")).to_have_value("2020-01-02T10:00")
    page.get_by_label("Submitted to").fill("")
    page.get_by_role("button", name="Apply").click()

    expect(page.get_by_role("link", name=uuid)).to_be_visible()
    expect(page).not_to_have_url(re.compile("submittedBefore"))


def test_what_is_wrong_in_an_address_is_said_of_each_part(web: Web) -> None:
    web.complaints.provoked += ["status of 422"]

    page = web.open("/jobs?label=bad&endedAfter=yesterday")

    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("?label")
    expect(alert).to_contain_text("?endedAfter")
    page.get_by_role("link", name="Clear").click()
    expect(alert).to_have_count(0)


def test_only_jobs_with_the_label_and_of_the_time_are_replayed_by_filter(web: Web) -> None:
    mine, other = labelled(web, "Broken", team="again"), labelled(web, "Broken", team="else")
    page = web.open("/jobs?label=team%3Dagain&endedAfter=1h")

    page.get_by_role("button", name="Replay failed…").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("state failed, label team=again, ended in the last hour")
    dialog.get_by_role("button", name="Replay").click()

    expect(dialog).to_contain_text("1 job replayed")
    until(lambda: web.system.client.info(mine)["attempt"] == 2, what="it ran again")
    assert web.system.client.info(other)["attempt"] == 1


def test_the_card_of_failed_jobs_leads_to_those_that_it_counts(web: Web) -> None:
    web.finished(*web.submit(LONG, 2))
    page = web.open()
    page.get_by_role("combobox", name="Queue").select_option(LONG_QUEUE)
    card = page.get_by_role("link", name=re.compile("^Failed"))
    counted = len(list(web.system.client.list(queues=[LONG_QUEUE], states=["failed"])))
    expect(card.locator(".tile-value")).to_have_text(str(counted))

    card.click()

    expect(page).to_have_url(re.compile(r"state=failed&queue=a-very[^&]*&endedAfter=20\d\d-"))
    rows = page.get_by_role("region", name="Jobs").locator("tbody tr")
    expect(rows).to_have_count(counted)
    expect(page.get_by_role("combobox", name="Ended")).to_have_value("own")
