"""For everybody: accessibility of every view in both themes, on a phone, without colour."""

import re
from collections.abc import Callable
from typing import Any, Literal

import pytest
from playwright.sync_api import Page, expect

from .conftest import Web

#: Phones as wide as most, and the narrowest that are in use.
WIDTHS = [390, 320]
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 780}, "has_touch": True}
LONG = "AVeryLongNameThatNobodyWouldChooseButIsGeneratedFromJavaPackages"
VIEWS = ["overview", "jobs", "filtered", "running", "failed", "types", "form", "docs"]

TIMES = "submittedAfter=2020-01-01T10:00:00Z&endedAfter=1h"


def open_view(web: Web, view: str, **options: Any) -> Page:
    """Open a view with something in it."""
    match view:
        case "overview":
            web.finished(*web.submit("Quick", 2))
            page = web.open("/", **options)
            expect(page.get_by_role("region", name="Workers")).to_be_visible()
        case "jobs":
            web.finished(*web.submit("Broken"), *web.submit("Quick"))
            page = web.open("/jobs", **options)
            expect(page.get_by_role("link", name=re.compile("^Broken")).first).to_be_visible()
        case "filtered":
            labels = {"team": "x" * 60, "env": "prod"}
            web.finished(web.system.client.submit("Broken", {}, labels=labels))
            page = web.open(f"/jobs?label=env%3Dprod&{TIMES}", **options)
            expect(page.get_by_role("link", name="Jobs with label env").first).to_be_visible()
        case "running":
            (uuid,) = web.submit("Slow")
            page = web.open(f"/jobs/{uuid}", **options)
            expect(page.get_by_role("log", name="Log")).to_contain_text("step 1")
        case "failed":
            (uuid,) = web.submit("Broken")
            web.finished(uuid)
            page = web.open(f"/jobs/{uuid}", **options)
            expect(page.locator(".job-title")).to_contain_text("failed 500")
        case "types":
            page = web.open("/run", **options)
            expect(page.get_by_role("link", name=re.compile("^Everything"))).to_be_visible()
        case "form":
            page = web.open("/run/Everything", **options)
            page.get_by_role("button", name="Run Everything").click()
            expect(page.get_by_role("alert")).to_be_visible()
        case _:
            page = web.open("/", **options)
            page.goto(f"{web.url}/docs")
            expect(page.get_by_text("/v1/jobs:batch")).to_be_visible()
    return page


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_a_view_shuts_nobody_out(
    web: Web, axe: Callable[[Page], list[str]], view: str, scheme: Literal["light", "dark"]
) -> None:
    page = open_view(web, view, color_scheme=scheme)

    assert axe(page) == []


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_fits_a_phone(web: Web, axe: Callable[[Page], list[str]], view: str) -> None:
    page = open_view(web, view, **PHONE)

    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 780})
        assert page.evaluate("document.scrollingElement.scrollWidth - innerWidth") <= 0
        for button in page.get_by_role("main").get_by_role("button").all():
            box = button.bounding_box()
            assert box is None or box["x"] + box["width"] <= width, button
    assert axe(page) == []


@pytest.mark.parametrize("width", [1200, *WIDTHS])
def test_long_names_push_nothing_out_of_the_view(web: Web, width: int) -> None:
    (uuid,) = web.submit(LONG)
    web.finished(uuid)
    page = web.open("/", viewport={"width": width, "height": 800})
    names = (
        page.locator("main")
        .locator(".cut, h1, .type-name")
        .filter(has_text=re.compile("long", re.I))
    )

    for route in ("/", "/jobs", f"/jobs/{uuid}", "/run", f"/run/{LONG}"):
        page.goto(f"{web.url}/#{route}")
        expect(names.first).to_be_visible()
        assert page.evaluate("document.scrollingElement.scrollWidth - innerWidth") <= 0, route
        inner = (
            "Math.max(0, ...[...document.querySelectorAll('.scroll:has(> .stack)')]"
            ".map(table => table.scrollWidth - table.clientWidth))"
        )
        assert page.evaluate(inner) == 0, route
    page.goto(f"{web.url}/#/jobs")
    name = page.get_by_role("link", name=uuid).locator(".cut")
    expect(name).to_have_attribute("title", LONG)


def test_a_name_in_the_list_of_types_has_room_on_a_phone(web: Web) -> None:
    page = web.open("/run", **PHONE)
    name = page.locator(".type-name", has_text=LONG)
    expect(name).to_be_visible()

    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 780})
        box = name.bounding_box()
        assert box is not None
        assert box["height"] < 80


@pytest.mark.parametrize("route", ["/jobs", "/run", "/run/Dated"])
def test_no_field_is_so_small_that_a_phone_zooms_into_it(web: Web, route: str) -> None:
    page = web.open(route, **PHONE, is_mobile=True)
    expect(page.locator("main input").first).to_be_visible()

    sizes = page.evaluate(
        "[...document.querySelectorAll('main input:not([type=checkbox]), main select')]"
        ".map(field => parseFloat(getComputedStyle(field).fontSize))"
    )
    assert min(sizes) >= 16


def test_the_question_before_a_change_shuts_nobody_out(
    web: Web, axe: Callable[[Page], list[str]]
) -> None:
    page = open_view(web, "running")

    page.get_by_role("button", name="Cancel…").click()

    assert axe(page) == []


def test_the_theme_is_the_systems_until_somebody_chooses(web: Web) -> None:
    page = web.open("/", color_scheme="dark")
    background = "getComputedStyle(document.body).backgroundColor"
    switch = page.get_by_role("combobox", name="Theme")
    expect(switch.locator("option:checked")).to_have_text("Theme: system")
    dark = page.evaluate(background)

    switch.select_option("light")
    light = page.evaluate(background)
    page.reload()
    expect(switch.locator("option:checked")).to_have_text("Theme: light")

    assert dark != light
    assert page.evaluate(background) == light


def test_a_call_is_made_from_the_page_of_the_calls(web: Web) -> None:
    page = open_view(web, "docs")

    call = page.locator("details", has_text=re.compile(r"POST\s*/v1/jobs/\{name\}")).first
    call.locator("summary").click()
    call.get_by_label("name (path, required)").fill("Quick")
    call.get_by_role("button", name="Send").click()

    expect(call.locator("pre")).to_contain_text("201")
    expect(call.locator("pre")).to_contain_text("uuid")
