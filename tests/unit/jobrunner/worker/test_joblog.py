"""An attempt's lines: in the job's log, and in the worker's with whose they are."""

import logging
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.store.memory import MemoryDatastore

from zerog.child.protocol import LineFrame
from zerog.ledger.reports import Backlog, Reports
from zerog.logs import JOBS
from zerog.model.limits import MAX_LOG_LINES
from zerog.model.record import JobRecord, new_job_id
from zerog.worker.joblog import JobLog

NOW = datetime(2026, 1, 1, tzinfo=UTC)
UUID = new_job_id()
CRASH = """\
File "/jobs/other.py", line 1 in run
Fatal Python error: Segmentation fault

Current thread 0x00007f (most recent call first):
  File "/usr/lib/python3.11/site-packages/lib.py", line 519 in string_at
  File "/jobs/mine.py", line 7 in run
"""


class Logged:
    def __init__(self, *, keeps_output: bool = True) -> None:
        record = JobRecord(UUID, "Thumb", "default", NOW, NOW, attempt=2)
        reports = Reports(MemoryDatastore(), UUID, 2, Backlog())
        self.reports = reports
        self.log = JobLog(record, reports, keeps_output=keeps_output)

    @property
    def kept(self) -> list[tuple[str, str, str | None]]:
        lines = [waiting.line for waiting in self.reports._lines]
        return [(line.level, line.message, line.logger) for line in lines]


def fields(caplog: pytest.LogCaptureFixture) -> list[dict[str, Any]]:
    return [record.__dict__["fields"] for record in caplog.records]


def test_a_line_is_in_both_logs(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, JOBS)
    logged = Logged()
    data = '{"n":1,"traceback":"Traceback:\\n  x"}'
    logged.log.take(LineFrame("r", 0, NOW, "error", "failed", data, "acme"))

    assert logged.kept == [("error", "failed", "acme")]
    assert fields(caplog) == [
        {
            "job": UUID, "type": "Thumb", "attempt": 2, "message": "failed", "jobLogger": "acme",
            "data": {"n": 1, "traceback": "Traceback:\n  x"},
        }
    ]  # fmt: skip
    (record,) = caplog.records
    assert record.levelname == "ERROR"
    assert record.getMessage() == f"Thumb {UUID} attempt 2: failed\nTraceback:\n  x"


def test_what_programs_print_becomes_lines(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, JOBS)
    logged = Logged()
    logged.log.take_printed(b"one\n\ntw")
    logged.log.take_printed(b"o\nthree")
    logged.log.close()

    expected = [("info", text, "output") for text in ("one", "two", "three")]
    assert logged.kept == expected
    assert [each["message"] for each in fields(caplog)] == ["one", "two", "three"]


def test_output_of_a_type_that_does_not_log_it_is_in_the_workers_log_alone_and_bounded(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO, JOBS)
    logged = Logged(keeps_output=False)
    logged.log.take_printed(b"x\n" * (MAX_LOG_LINES + 10))

    assert logged.kept == []
    assert len(caplog.records) == MAX_LOG_LINES


def test_lines_that_are_not_kept_are_in_neither_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, JOBS)
    logged = Logged()
    logged.log.take_printed(b"x\n" * (MAX_LOG_LINES + 10))

    assert len(logged.kept) == len(caplog.records) == MAX_LOG_LINES


def test_the_place_of_a_crash_is_the_authors_line() -> None:
    logged = Logged()
    logged.log.take_printed(CRASH.encode())

    assert logged.log.place_of_crash() == "/jobs/mine.py:7"


def test_without_a_crash_there_is_no_place() -> None:
    logged = Logged()
    logged.log.take_printed(b'File "/jobs/mine.py", line 7 in run\n')

    assert logged.log.place_of_crash() is None
