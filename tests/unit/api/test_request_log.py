"""The log of requests: what is written, and that no client floods it."""

import logging

import pytest

from zerog_api.edge.requests import MAX_JOBS, MAX_PER_SECOND, Logged, RequestLog


def write(log: RequestLog, *, changes: bool = True, jobs: list[str] | None = None) -> None:
    about = {"requestId": "abc"}
    if log.wants(201, changes=changes):
        log.wrote("POST /v1/jobs/{name}", 201, 0.0123, jobs or [], about)


@pytest.fixture(autouse=True)
def level(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "zerog.requests")


@pytest.mark.parametrize(
    ("logged", "changes", "count"),
    [("none", True, 0), ("changes", True, 1), ("changes", False, 0), ("all", False, 1)],
)
def test_what_is_written_is_a_setting(
    caplog: pytest.LogCaptureFixture, logged: Logged, changes: bool, count: int
) -> None:
    write(RequestLog(logged), changes=changes)

    assert len(caplog.records) == count


def test_a_line_names_request_and_jobs(caplog: pytest.LogCaptureFixture) -> None:
    log = RequestLog("all")
    write(log, jobs=["one"])
    write(log, jobs=["x"] * 1000)

    one, many = caplog.records
    assert one.getMessage() == "POST /v1/jobs/{name}: 201 in 12 ms, job one, request abc"
    assert many.__dict__["fields"] == {
        "requestId": "abc", "call": "POST /v1/jobs/{name}", "status": 201, "ms": 12.3,
        "jobs": ["x"] * MAX_JOBS, "jobCount": 1000,
    }  # fmt: skip


def test_more_than_is_written_in_a_second_is_counted(caplog: pytest.LogCaptureFixture) -> None:
    now = 7.0
    log = RequestLog("changes", lambda: now)
    for _ in range(MAX_PER_SECOND + 5):
        write(log)
    now = 8.0
    write(log)

    assert len(caplog.records) == MAX_PER_SECOND + 1
    assert caplog.records[-1].__dict__["fields"]["leftOut"] == 5
