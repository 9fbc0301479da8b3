"""Running a job from the form that is made from its JSON Schema."""

import base64
import hashlib
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, expect
from tests.integration.path.conftest import until

from .conftest import Web

PICTURES = Path(__file__).parents[3] / "examples/jobs/pictures.py"


def output(web: Web, page: Page) -> Any:
    """Wait until the job that the page shows has succeeded; return its output."""
    expect(page.locator(".job-title")).to_contain_text("succeeded 200")
    return web.system.client.data(page.url.rsplit("/", 1)[-1])


def test_a_form_has_a_field_for_every_parameter_and_runs_the_job(web: Web) -> None:
    page = web.open("/run")

    page.get_by_role("link", name="Everything").click()
    page.get_by_label("Title").fill("Ada's notes")
    page.get_by_label("Copies").fill("3")
    page.get_by_label("Sizes").fill("1\n2\n3")
    page.get_by_role("combobox", name="Colour").select_option("red")
    page.get_by_label("Urgent").check()
    page.get_by_role("group", name="Author").get_by_label("Name").fill("Ada")
    page.get_by_label("Extra").fill('{"a": 1}')
    page.get_by_role("button", name="Run Everything").click()

    assert output(web, page) == {
        "title": "Ada's notes",
        "copies": 3,
        "scale": None,
        "sizes": [1, 2, 3],
        "colour": "red",
        "urgent": True,
        "author": {"name": "Ada", "born": None},
        "extra": {"a": 1},
    }


def test_what_is_left_empty_keeps_its_default(web: Web) -> None:
    page = web.open("/run/Everything")

    page.get_by_label("Title").fill("plain")
    page.get_by_role("button", name="Run Everything").click()

    result = output(web, page)
    assert (result["copies"], result["sizes"], result["author"]) == (1, [64, 256], None)


def test_what_does_not_fit_is_said_at_its_field_before_anything_is_sent(web: Web) -> None:
    page = web.open("/run/Everything")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))

    page.get_by_label("Title").fill("x")
    page.get_by_label("Copies").fill("12")
    expect(page.get_by_label("Title")).to_have_attribute("aria-invalid", "true")
    page.get_by_role("button", name="Run Everything").click()

    expect(page.get_by_role("alert")).to_contain_text("2 fields do not fit")
    expect(page.get_by_role("alert")).to_be_focused()
    expect(page.get_by_label("Copies")).to_have_accessible_description("1 to 9 Must be at most 9.")
    assert "POST" not in sent
    page.get_by_label("Title").fill("xy")
    page.get_by_label("Copies").fill("2")
    page.get_by_role("button", name="Run Everything").click()
    assert output(web, page)["copies"] == 2


def test_what_the_api_refuses_is_said_at_its_field_until_that_changes(web: Web) -> None:
    web.complaints.provoked += ["status of 422"]
    page = web.open("/run/Dated")

    page.get_by_label("Day").fill("2026-12-01")
    # The page checks patterns of plain letters only.
    page.get_by_label("Code").fill("ÄÖ1")
    page.get_by_role("button", name="Run Dated").click()
    expect(page.get_by_role("alert")).to_contain_text("One field does not fit")
    expect(page.get_by_label("Code")).to_have_attribute("aria-invalid", "true")
    page.get_by_label("Code").fill("XY1")

    expect(page.get_by_label("Code")).to_have_attribute("aria-invalid", "false")


def test_dates_and_times_are_picked_and_sent_with_their_zone(web: Web) -> None:
    page = web.open("/run/Dated", timezone_id="Asia/Kathmandu")

    expect(page.get_by_text("Your time zone, Asia/")).to_be_visible()
    expect(page.get_by_label("Day")).to_have_attribute("type", "date")
    page.get_by_label("Day").fill("2026-12-01")
    page.get_by_label("At").fill("2026-12-01T10:30")
    expect(page.get_by_text("sent as 2026-12-01T10:30:00+05:45")).to_be_visible()
    page.get_by_role("button", name="Run Dated").click()

    expected = {"day": "2026-12-01", "at": "2026-12-01T10:30:00+05:45", "code": "AB1"}
    assert output(web, page) == expected


def test_a_default_is_grey_until_it_is_changed(web: Web) -> None:
    page = web.open("/run/Everything")
    copies = page.locator(".field", has=page.get_by_label("Copies"))

    expect(copies).to_have_class(re.compile("is-default"))
    page.get_by_label("Copies").fill("3")
    expect(copies).not_to_have_class(re.compile("is-default"))
    page.get_by_text("What the job gets").click()
    expect(page.locator(".effective div", has_text="copies")).to_have_text("copies3")
    expect(page.locator(".effective div", has_text="colour")).to_have_text(
        'colour"green" (default)'
    )
    copies.get_by_role("button", name="Default").click()

    expect(page.get_by_label("Copies")).to_have_value("1")


def test_a_jobs_page_shows_greyed_the_defaults_of_what_was_not_given(web: Web) -> None:
    uuid = web.system.client.submit("Everything", {"title": "Ada", "copies": 2})
    page = web.open(f"/jobs/{uuid}")
    defaults = page.get_by_role("region", name="Parameters").locator(".effective div")

    expect(defaults.filter(has_text="colour")).to_have_text('colour"green" (default)')
    expect(defaults.filter(has_text="sizes")).to_have_text("sizes[64,256] (default)")
    expect(defaults.filter(has_text="copies")).to_have_count(0)
    expect(page.get_by_role("group", name="Parameters")).to_contain_text('"copies": 2')


def test_job_types_are_found_by_a_text(web: Web) -> None:
    page = web.open("/run")
    types = page.get_by_role("link", name=re.compile("."))
    box = page.get_by_role("searchbox", name="Search job types")

    box.fill("BYTES and its")
    expect(page.get_by_text("No job type contains “BYTES and its”.")).to_be_visible()
    box.fill("its size")
    expect(types.filter(has_text="Fingerprint")).to_be_visible()
    expect(types.filter(has_text="Everything")).to_have_count(0)


def test_what_is_missing_is_said_before_anything_is_sent(web: Web) -> None:
    page = web.open("/run/Everything")
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.method))

    page.get_by_label("Title").fill("xy")
    page.get_by_role("group", name="Author").get_by_label("Born").fill("1815")
    page.get_by_label("Sizes").fill("1\nlarge")
    page.get_by_role("button", name="Run Everything").click()

    expect(page.get_by_role("alert")).to_contain_text("2 fields do not fit")
    expect(page.get_by_text("Must be a whole number.")).to_be_visible()
    expect(page.get_by_text("Is required.")).to_be_visible()
    assert "POST" not in sent


def test_parameters_may_be_written_as_json(web: Web) -> None:
    page = web.open("/run/Everything")

    page.get_by_label("Title").fill("as json")
    page.get_by_role("button", name="Edit as JSON").click()
    box = page.get_by_label("Parameters as JSON")
    shown = json.loads(box.input_value())
    box.fill(json.dumps({**shown, "copies": 4}))
    page.get_by_role("button", name="Back to the form").click()
    expect(page.get_by_label("Copies")).to_have_value("4")
    page.get_by_role("button", name="Run Everything").click()

    result = output(web, page)
    assert (result["title"], result["copies"]) == ("as json", 4)


def test_one_like_another_begins_with_its_parameters(web: Web) -> None:
    uuid = web.system.client.submit("Everything", {"title": "first", "sizes": [7]})
    page = web.open(f"/jobs/{uuid}")

    page.get_by_role("link", name="Run one like it").click()
    expect(page.get_by_label("Title")).to_have_value("first")
    page.get_by_label("Title").fill("second")
    page.get_by_role("button", name="Run Everything").click()

    result = output(web, page)
    assert (result["title"], result["sizes"]) == ("second", [7])


def test_a_file_is_chosen_and_reaches_the_job_whole(web: Web, tmp_path: Path) -> None:
    content = b"\x89PNG" + bytes(range(256)) * 500
    chosen = tmp_path / "picture.png"
    chosen.write_bytes(content)
    page = web.open("/run/Fingerprint")

    page.get_by_role("button", name="Run Fingerprint").click()
    expect(page.get_by_text("Is required.")).to_be_visible()
    page.get_by_label("File").set_input_files(chosen)
    expect(page.get_by_text("170,672 characters of base64")).to_be_visible()
    page.get_by_role("button", name="Run Fingerprint").click()

    digest = hashlib.sha256(content).hexdigest()
    assert output(web, page) == {"head": "89504e47", "bytes": len(content), "sha256": digest}
    expect(page.get_by_role("region", name="Output")).to_contain_text(digest)


@pytest.fixture
def pictures(web: Web) -> Iterator[None]:
    """A worker of the example's job beside the one of all tests, which stays the only one."""
    worker = web.system.start("worker", str(PICTURES))
    try:
        types = web.system.client.types
        until(lambda: "Thumbnails" in {item["name"] for item in types()}, what="the type is there")
        yield
    finally:
        web.system.stop(worker)


@pytest.mark.usefixtures("pictures")
def test_a_picture_gets_its_thumbnails(web: Web, tmp_path: Path) -> None:
    chosen = tmp_path / "picture.png"
    Image.new("RGB", (640, 480), "teal").save(chosen)
    page = web.open("/run/Thumbnails")

    page.get_by_label("Picture").set_input_files(chosen)
    expect(page.get_by_text("characters of base64")).to_be_visible()
    page.get_by_role("button", name="Run Thumbnails").click()

    made = output(web, page)["thumbnails"]
    sizes = {
        size: Image.open(io.BytesIO(base64.b64decode(text))).size for size, text in made.items()
    }
    assert sizes == {"64": (64, 48), "256": (256, 192)}


def test_options_reach_the_job(web: Web) -> None:
    page = web.open("/run/Quick")

    page.get_by_label("Priority").fill("2")
    page.get_by_label("Delay").fill("3600")
    page.get_by_role("button", name="Run Quick").click()

    expect(page.locator(".job-title")).to_contain_text("queued")
    expect(page.locator(".facts")).to_contain_text("Not before")
    uuid = page.url.rsplit("/", 1)[-1]
    assert web.system.client.get(uuid)["priority"] == 2


def test_the_keyboard_alone_runs_a_job_and_cancels_it(web: Web) -> None:
    page = web.open()
    expect(page.get_by_role("banner").get_by_role("status")).to_have_text("Live")
    press = page.keyboard.press

    press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    tab_to(page, "Run a job")
    press("Enter")
    expect(page.get_by_role("heading", name="Run a job")).to_be_focused()
    tab_to(page, "Slow")
    press("Enter")
    expect(page.get_by_role("heading", name="Slow")).to_be_focused()
    tab_to(page, "Run Slow")
    press("Enter")
    expect(page.get_by_role("heading", name="Slow")).to_be_focused()
    expect(page.locator(".job-title")).to_contain_text("running")
    uuid = page.url.rsplit("/", 1)[-1]
    tab_to(page, "Cancel…")
    press("Enter")
    expect(page.get_by_role("button", name="Go back")).to_be_focused()
    press("Escape")
    expect(page.get_by_role("button", name="Cancel…")).to_be_focused()
    press("Enter")
    tab_to(page, "Cancel the job")
    press("Enter")

    until(lambda: web.state(uuid) == "cancelled", what="the job is cancelled")
    expect(page.locator(".job-title")).to_contain_text("cancelled 410")


def tab_to(page: Page, name: str) -> None:
    """Press Tab until what has this name has the focus."""
    for _ in range(40):
        page.keyboard.press("Tab")
        text = page.evaluate(
            "document.activeElement.getAttribute('aria-label') || document.activeElement.innerText"
        )
        if text.split("\n")[0].strip() == name:
            return
    raise AssertionError(f"Tab does not reach {name!r}")
