"""The audit log: what a client sends can neither pass for a line nor make many."""

import asyncio
import logging
from typing import Any

import pytest

from zerog_api.auth import audit
from zerog_api.auth.audit import MAX_NAMES, MAX_REFUSAL_LINES, Audit, Change

SHOP = ("shop", "10.0.0.1")
CALL = "POST /v1/jobs/{name}"


@pytest.fixture(autouse=True)
def _log_all(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "zerog.audit")


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [record.__dict__["fields"] for record in caplog.records]


def change(number: int = 0, *, queue: str = "mail", status: int = 201) -> Change:
    return Change("create", CALL, [queue], [f"uuid-{number}"], status)


async def test_a_queue_that_a_client_made_up_cannot_forge_a_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    book = Audit()
    book.changed(*SHOP, change(queue="x\n12:00:00 INFO admin DELETE /v1/jobs/{uuid}: 204"))

    (record,) = caplog.records
    assert "\n" not in record.getMessage()
    assert "(queues x" in record.getMessage()


async def test_a_change_is_written_at_once_and_those_of_the_same_second_together(
    caplog: pytest.LogCaptureFixture,
) -> None:
    book = Audit()
    for number in range(1000):
        address = f"10.0.0.{number % 200 + 1}"
        book.changed("shop", address, change(number, status=201 if number % 10 else 403))
    assert len(lines(caplog)) == 1
    book.close()

    first, rest = lines(caplog)
    assert [each["count"] for each in first["changes"]] == [1]
    assert {each["status"]: each["count"] for each in rest["changes"]} == {201: 900, 403: 99}
    assert all(len(each["jobs"]) <= MAX_NAMES for each in rest["changes"])
    assert sum(each["jobCount"] for each in rest["changes"]) == 999


async def test_what_waits_is_written_when_its_second_is_over(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "CHANGE_SECONDS", 0.01)
    book = Audit()
    for number in range(5):
        book.changed(*SHOP, change(number))
    while len(lines(caplog)) < 2:
        await asyncio.sleep(0.001)
    assert lines(caplog)[1]["changes"][0]["count"] == 4

    while book._waiting:  # nothing is remembered of a client that has stopped
        await asyncio.sleep(0.001)


async def test_refusals_are_counted_by_address_and_take_few_lines(
    caplog: pytest.LogCaptureFixture,
) -> None:
    book = Audit()
    for number in range(5000):
        book.refused("", f"10.0.{number // 250}.{number % 250}", 401)
    for _ in range(50):
        book.refused(*SHOP, 403)
    assert lines(caplog) == []
    book.close()

    found = lines(caplog)
    assert len(found) <= MAX_REFUSAL_LINES
    assert sum(line["refused"].get("401", 0) for line in found) == 5000
    assert sum(line["refused"].get("403", 0) for line in found) == 50
