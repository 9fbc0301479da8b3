"""Queues and workers are held by buttons, and everybody who looks sees it and why."""

import re

from playwright.sync_api import expect
from tests.integration.path.conftest import until

from .conftest import Web


def test_a_queue_is_paused_with_a_reason_and_resumed(web: Web) -> None:
    page = web.open()
    queues = page.get_by_role("region", name="Queues")
    queues.get_by_role("button", name=re.compile("idle queues?$")).click()
    row = queues.get_by_role("row", name="quick")

    row.get_by_role("button", name="Pause quick").click()
    dialog = page.get_by_role("dialog", name="Pause the queue quick?")
    dialog.get_by_role("textbox", name="Reason (shown to others)").fill("the <b>disk</b> is full")
    dialog.get_by_label("Reason (shown to others)").press("Enter")

    expect(row.get_by_text("paused since")).to_contain_text("the <b>disk</b> is full")
    (uuid,) = web.submit("Quick")
    expect(row.get_by_role("cell", name="1", exact=True)).to_be_visible()
    assert web.system.client.progress(uuid)["state"] == "queued"

    row.get_by_role("button", name="Resume quick").click()
    page.get_by_role("button", name="Resume", exact=True).click()
    expect(row.get_by_role("button", name="Pause quick")).to_be_visible()
    web.finished(uuid)


def test_a_worker_drains_and_takes_jobs_again(web: Web) -> None:
    page = web.open()
    workers = page.get_by_role("region", name="Workers")

    workers.get_by_role("button", name="Drain").click()
    page.get_by_role("dialog").get_by_role("button", name="Drain", exact=True).click()

    expect(workers.get_by_text("drains since")).to_be_visible()
    expect(workers.get_by_text("draining", exact=True)).to_be_visible()
    workers.get_by_role("button", name="Undrain").click()
    page.get_by_role("dialog").get_by_role("button", name="Undrain", exact=True).click()
    expect(workers.get_by_text("idle", exact=True)).to_be_visible()
    client = web.system.client
    until(lambda: all(worker["drain"] is None for worker in client.workers()))


def test_a_job_says_that_its_queue_is_paused(web: Web) -> None:
    client = web.system.client
    client.pause("quick", "the disk is full")
    try:
        (uuid,) = web.submit("Quick")
        page = web.open(f"/jobs/{uuid}")

        notice = page.get_by_role("status").filter(has_text="The queue quick is paused")
        expect(notice).to_contain_text("the disk is full. The job waits until it is resumed.")
    finally:
        client.resume("quick")
    web.finished(uuid)
    expect(notice).to_have_count(0)
