"""The list of jobs: filters, pages, changes by filter; and one job."""

import re
from pathlib import Path

from playwright.sync_api import Page, expect
from tests.integration.path.conftest import until

from .conftest import Web


def rows(page: Page) -> int:
    return page.get_by_role("region", name="Jobs").locator("tbody tr").count()


def test_filters_narrow_the_list_and_stand_in_the_address(web: Web) -> None:
    web.finished(*web.submit("Quick", 2), *web.submit("Broken"))
    page = web.open("/jobs")
    expect(page.get_by_role("link", name=re.compile("^Quick")).first).to_be_visible()

    page.get_by_label("failed").check()
    page.get_by_label("Type").select_option("Broken")

    expect(page).to_have_url(re.compile(r"#/jobs\?state=failed&type=Broken"))
    expect(page.get_by_role("link", name=re.compile("^Quick"))).to_have_count(0)
    expect(page.get_by_role("link", name=re.compile("^Broken")).first).to_be_visible()
    expect(page.get_by_role("cell", name="broken by design").first).to_be_visible()
    page.get_by_role("link", name="Clear").click()
    expect(page.get_by_role("link", name=re.compile("^Quick")).first).to_be_visible()


def test_pages_lead_to_older_jobs_and_back(web: Web) -> None:
    uuids = web.submit("Quick", 120)
    web.finished(*uuids)
    page = web.open("/jobs?type=Quick")
    expect(page.get_by_role("link", name=uuids[-1])).to_be_visible()
    assert rows(page) == 50

    page.get_by_role("link", name="Older").click()
    expect(page.get_by_role("link", name=uuids[-51])).to_be_visible()
    assert rows(page) == 50
    page.get_by_role("link", name="Older").click()
    expect(page.get_by_role("link", name=uuids[-101])).to_be_visible()
    page.get_by_role("button", name="Newer").click()
    expect(page.get_by_role("link", name=uuids[-51])).to_be_visible()
    page.get_by_role("link", name="Newest").click()

    expect(page.get_by_role("link", name=uuids[-1])).to_be_visible()


def test_a_new_job_appears_on_the_first_page(web: Web) -> None:
    page = web.open("/jobs")
    expect(page.get_by_role("heading", name="Jobs")).to_be_visible()

    (uuid,) = web.submit("Slow")

    expect(page.get_by_role("link", name=uuid)).to_be_visible()


def test_failed_jobs_are_replayed_by_filter_after_a_question(web: Web) -> None:
    uuids = web.submit("Broken", 2)
    web.finished(*uuids)
    page = web.open("/jobs?type=Broken")

    page.get_by_role("button", name="Replay failed…").click()
    dialog = page.get_by_role("dialog", name="Replay these jobs?")
    expect(dialog).to_contain_text("state failed, type Broken")
    dialog.get_by_role("button", name="Keep as it is").click()
    assert [web.system.client.info(uuid)["attempt"] for uuid in uuids] == [1, 1]
    page.get_by_role("button", name="Replay failed…").click()
    dialog.get_by_role("button", name="Replay").click()

    expect(dialog).to_contain_text(re.compile(r"\d+ jobs replayed"))
    until(
        lambda: [web.system.client.info(uuid)["attempt"] for uuid in uuids] == [2, 2],
        what="both ran again",
    )


def test_unfinished_jobs_are_cancelled_by_filter_after_a_question(web: Web) -> None:
    uuids = web.submit("Slow", 4)
    until(lambda: "running" in {web.state(uuid) for uuid in uuids}, what="one runs")
    page = web.open("/jobs?queue=slow")

    page.get_by_role("button", name="Cancel unfinished…").click()
    dialog = page.get_by_role("dialog", name="Cancel these jobs?")
    dialog.get_by_role("button", name="Cancel the jobs").click()

    expect(dialog).to_contain_text("4 jobs cancelled")
    web.finished(*uuids)
    assert {web.state(uuid) for uuid in uuids} == {"cancelled"}


def test_a_uuid_leads_to_its_job_and_what_is_none_is_said(web: Web) -> None:
    (uuid,) = web.submit("Quick")
    page = web.open("/jobs")
    box = page.get_by_role("searchbox", name="Go to the job with the UUID")

    box.fill("nonsense")
    box.press("Enter")
    expect(page.get_by_role("alert")).to_have_text("That is no UUID.")
    box.fill(uuid.upper())
    box.press("Enter")

    expect(page.get_by_role("heading", name="Quick")).to_be_focused()


def test_a_running_job_is_followed_to_its_output(web: Web, tmp_path: Path) -> None:
    hold = tmp_path / "hold"
    (uuid,) = web.submit("Slow", seconds=1, hold=str(hold))
    page = web.open(f"/jobs/{uuid}")

    expect(page.get_by_role("progressbar", name="Progress")).to_be_visible()
    log = page.get_by_role("log", name="Log")
    expect(log).to_contain_text("step 2")
    hold.touch()
    expect(page.locator(".job-title")).to_contain_text("succeeded 200")

    expect(page.locator(".progress-row")).to_contain_text("100 %")
    expect(page.get_by_role("region", name="Output")).to_contain_text('"steps": 20')
    expect(log.get_by_role("listitem")).to_have_count(21)
    page.get_by_label("From").select_option("warning")
    expect(log.get_by_role("listitem")).to_have_count(1)
    expect(log).to_contain_text("this one took its time")


def test_a_long_log_is_read_back_to_its_beginning(web: Web) -> None:
    (uuid,) = web.submit("Wordy", lines=5000)
    web.system.client.wait(uuid, 60)
    page = web.open(f"/jobs/{uuid}")
    log = page.get_by_role("log", name="Log")
    expect(log).to_contain_text("line 4999")
    expect(log.get_by_role("listitem")).to_have_count(300)

    heading = page.get_by_role("heading", name="Log")
    expect(heading).to_have_text("Log newest 2,000")
    earlier = page.get_by_role("button", name="Show earlier")
    pages: list[str] = []
    page.on("request", lambda made: pages.append(made.url) if "/info?" in made.url else None)
    for count in (1300, 2300, 3300, 4300, 5000):
        earlier.click()
        expect(log.get_by_role("listitem")).to_have_count(count)
    expect(heading).to_have_text("Log 5,000")
    assert len(pages) == 3  # of a thousand lines each: none is fetched twice

    expect(log.get_by_role("listitem").first).to_contain_text("line 0 ratio=1.0")
    expect(earlier).to_have_count(0)


def test_earlier_lines_of_a_log_leave_the_reader_where_they_are(web: Web) -> None:
    (uuid,) = web.submit("Wordy", lines=5000)
    web.system.client.wait(uuid, 60)
    page = web.open(f"/jobs/{uuid}")
    log = page.get_by_role("log", name="Log")
    expect(log.get_by_role("listitem")).to_have_count(300)
    # All that the page gets by itself is there: until then it stays at the newest line.
    expect(page.get_by_role("heading", name="Log")).to_contain_text("newest 2,000")
    expect(log).to_contain_text("line 4999 ")
    line = log.get_by_role("listitem").filter(has_text="line 4700 ")
    place = "it => it.getBoundingClientRect().top - it.closest('.log').getBoundingClientRect().top"

    log.evaluate(
        "list => new Promise(done => { list.scrollTop = 0;"
        " requestAnimationFrame(() => requestAnimationFrame(done)); })"
    )
    before = line.evaluate(place)
    for count in (1300, 2300):
        page.get_by_role("button", name="Show earlier").click()
        expect(log.get_by_role("listitem")).to_have_count(count)

        assert abs(line.evaluate(place) - before) < 2


def test_attempts_are_a_timeline_with_their_causes(web: Web) -> None:
    (uuid,) = web.submit("Flaky")
    web.finished(uuid)
    page = web.open(f"/jobs/{uuid}")

    timeline = page.get_by_role("region", name="Attempts").or_(page.locator(".timeline")).last
    expect(timeline.get_by_role("listitem")).to_have_count(3)
    expect(timeline.get_by_role("listitem").first).to_contain_text("502 Bad Gateway")
    expect(timeline.get_by_role("listitem").last).to_contain_text("succeeded")
    log = page.get_by_role("log", name="Log")
    expect(log.locator("summary")).to_have_text(["traceback", "traceback"])
    log.locator("summary").first.click()
    expect(log.locator("pre").first).to_contain_text("in run")


def test_a_job_is_cancelled_retried_and_forgotten(web: Web) -> None:
    (uuid,) = web.submit("Slow")
    page = web.open(f"/jobs/{uuid}")
    title = page.locator(".job-title")
    expect(title).to_contain_text("running")

    page.get_by_role("button", name="Cancel…").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel the job").click()
    expect(title).to_contain_text("cancelled 410")
    page.get_by_role("button", name="Retry…").click()
    page.get_by_role("dialog").get_by_role("button", name="Run again").click()
    expect(title).to_contain_text("running")
    page.get_by_role("button", name="Cancel…").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel the job").click()
    expect(title).to_contain_text("cancelled 410")
    page.get_by_role("button", name="Forget…").click()
    page.get_by_role("dialog").get_by_role("button", name="Forget it").click()

    expect(page.get_by_role("heading", name="Jobs")).to_be_visible()
    assert uuid not in {job["uuid"] for job in web.system.client.list(types=["Slow"])}


def test_a_job_that_is_not_there_is_said(web: Web) -> None:
    web.complaints.provoked += ["status of 404"]

    page = web.open("/jobs/01a20fd6-df54-762a-96e1-594e09d3aa8d")

    expect(page.get_by_role("alert")).to_contain_text("There is no job")
    expect(page.get_by_role("link", name="All jobs")).to_be_visible()
