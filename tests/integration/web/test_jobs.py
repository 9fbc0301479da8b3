"""The list of jobs: filters, pages, changes by filter; and one job."""

import json
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
    dialog.get_by_role("button", name="Go back").click()
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


def test_a_text_narrows_the_page_and_a_uuid_leads_to_its_job(web: Web) -> None:
    (uuid,) = web.submit("Quick")
    web.finished(uuid, *web.submit("Broken"))
    page = web.open("/jobs")
    box = page.get_by_role("searchbox", name="Search this page, or go to a UUID")
    expect(page.get_by_role("link", name=uuid)).to_be_visible()

    box.fill("BY DESIGN")
    expect(page.get_by_role("link", name=uuid)).to_have_count(0)
    expect(page.get_by_role("link", name=re.compile("^Broken")).first).to_be_visible()
    box.fill("nonsense")
    expect(page.get_by_text("No job on this page contains “nonsense”.")).to_be_visible()
    box.fill(uuid.upper())
    box.press("Enter")

    expect(page.get_by_role("heading", name="Quick")).to_be_focused()


def test_chosen_jobs_are_replayed_and_deleted_and_no_others(web: Web) -> None:
    uuids = web.submit("Broken", 3)
    web.finished(*uuids)
    page = web.open("/jobs?type=Broken")
    chosen = page.get_by_role("group", name="Chosen jobs")

    for uuid in uuids[:2]:
        page.get_by_role("checkbox", name=uuid).check()
    expect(chosen).to_contain_text("2 jobs chosen")
    expect(chosen.get_by_role("button", name="Cancel 0…")).to_be_disabled()
    chosen.get_by_role("button", name="Replay 2…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Replay 2 jobs").click()
    expect(dialog).to_contain_text("2 jobs replayed.")
    dialog.get_by_role("button", name="Close").click()
    expect(chosen).to_have_count(0)
    attempts = [2, 2, 1]
    until(
        lambda: [web.system.client.info(uuid)["attempt"] for uuid in uuids] == attempts,
        what="two ran again",
    )
    web.finished(*uuids)
    page.get_by_role("checkbox", name=uuids[2]).check()
    chosen.get_by_role("button", name="Delete 1…").click()
    dialog.get_by_role("button", name="Delete 1 job").click()
    expect(dialog).to_contain_text("1 job deleted.")

    left = {job["uuid"] for job in web.system.client.list(types=["Broken"])}
    assert left >= set(uuids[:2])
    assert uuids[2] not in left


def test_the_list_stays_as_it_is_while_somebody_chooses(web: Web) -> None:
    (first,) = web.submit("Quick")
    web.finished(first)
    page = web.open("/jobs?type=Quick")
    page.get_by_role("checkbox", name=first).check()

    (second,) = web.submit("Quick")
    web.finished(second)
    page.wait_for_timeout(5_000)  # twice as long as the list takes to look again
    expect(page.get_by_role("link", name=second)).to_have_count(0)
    page.get_by_role("button", name="Choose none").click()

    expect(page.get_by_role("link", name=second)).to_be_visible()


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


def test_a_line_of_a_log_has_a_link_that_shows_and_marks_it(web: Web) -> None:
    (uuid,) = web.submit("Wordy", lines=5000)
    web.system.client.wait(uuid, 60)
    page = web.open(f"/jobs/{uuid}?line=1-1200")
    log = page.get_by_role("log", name="Log")
    marked = log.locator("[aria-current]")

    expect(marked).to_contain_text("line 1200 ")
    expect(marked).to_be_in_viewport()
    expect(marked.locator("time")).to_have_text(re.compile(r"\d\d:\d\d:\d\d\.\d\d\d$"))
    log.get_by_role("listitem").filter(has_text="line 1203 ").get_by_role("link").click()

    expect(page).to_have_url(re.compile(r"\?line=1-1203$"))
    expect(marked).to_contain_text("line 1203 ")


def test_a_whole_log_is_searched_and_downloaded(web: Web) -> None:
    (uuid,) = web.submit("Wordy", lines=3500)
    web.system.client.wait(uuid, 60)
    page = web.open(f"/jobs/{uuid}")
    log = page.get_by_role("log", name="Log")
    expect(page.get_by_role("heading", name="Log")).to_have_text("Log newest 2,000")

    page.get_by_role("searchbox", name="Search the log").fill("LINE 12")
    expect(page.get_by_text("of the newest 2,000 lines")).to_be_visible()
    expect(log).to_have_count(0)
    page.get_by_role("button", name="All lines").click()
    expect(page.get_by_text("111 of 3,500 lines")).to_be_visible()
    expect(log.get_by_role("listitem")).to_have_count(111)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the log").click()

    lines = Path(download.value.path()).read_text().splitlines()
    assert download.value.suggested_filename == f"{uuid}.log"
    assert len(lines) == 3500
    assert lines[0].endswith('#1 info line 0 {"ratio":1.0}')


def test_output_is_downloaded_as_it_was_sent(web: Web) -> None:
    uuid = web.system.client.submit("Exact", {"count": 2**63 - 1})
    web.finished(uuid)
    page = web.open(f"/jobs/{uuid}")

    with page.expect_download() as download:
        page.get_by_role("button", name="Download output").click()

    assert json.loads(Path(download.value.path()).read_text())["count"] == 2**63 - 1


def test_attempts_have_bars_that_are_seen_and_times_that_add_up(web: Web) -> None:
    (uuid,) = web.submit("Flaky")
    web.finished(uuid)
    page = web.open(f"/jobs/{uuid}")

    attempts = page.locator(".timeline").get_by_role("listitem")
    expect(attempts).to_have_count(3)
    expect(attempts.last).to_contain_text(re.compile(r"waited \d+.* · ran \d+"))
    widths = page.evaluate(
        "[...document.querySelectorAll('.attempt-bar span')]"
        ".map(part => part.getBoundingClientRect().width)"
    )
    assert len(widths) == 6
    assert min(widths) >= 4
    facts = page.locator(".facts")
    for name in ("Waited", "Ran", "In all"):
        expect(facts.locator("div", has=page.get_by_text(name, exact=True))).to_contain_text("s")


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


def test_a_job_is_cancelled_replayed_and_deleted(web: Web) -> None:
    (uuid,) = web.submit("Slow")
    page = web.open(f"/jobs/{uuid}")
    title = page.locator(".job-title")
    expect(title).to_contain_text("running")

    page.get_by_role("button", name="Cancel…").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel the job").click()
    expect(title).to_contain_text("cancelled 410")
    page.get_by_role("button", name="Replay…").click()
    page.get_by_role("dialog").get_by_role("button", name="Replay", exact=True).click()
    expect(title).to_contain_text("running")
    page.get_by_role("button", name="Cancel…").click()
    page.get_by_role("dialog").get_by_role("button", name="Cancel the job").click()
    expect(title).to_contain_text("cancelled 410")
    page.get_by_role("button", name="Delete…").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete the job").click()

    expect(page.get_by_role("heading", name="Jobs")).to_be_visible()
    assert uuid not in {job["uuid"] for job in web.system.client.list(types=["Slow"])}


def test_a_job_that_is_not_there_is_said(web: Web) -> None:
    web.complaints.provoked += ["status of 404"]

    page = web.open("/jobs/01a20fd6-df54-762a-96e1-594e09d3aa8d")

    expect(page.get_by_role("alert")).to_contain_text("There is no job")
    expect(page.get_by_role("link", name="All jobs")).to_be_visible()
