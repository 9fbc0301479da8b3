"""The lines of one attempt: into the job's log, and into the worker's own.

A worker's log has every line of its jobs' logs, as records of the logger `zerog.job` with the job's
UUID, type and attempt. They are made here, from a line that came from the job's process: whatever
a job writes, it cannot pass for another job or for the worker.

Of a type with `log_output = False`, what its jobs print goes into the worker's log only.
"""

import json
import logging
from collections import deque
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from zerog.child.protocol import LineFrame
from zerog.ledger.reports import Reports
from zerog.lines import PrintedLines
from zerog.logs import JOBS
from zerog.model.limits import MAX_LOG_BYTES, MAX_LOG_LINES
from zerog.model.origin import trace_id_of
from zerog.model.record import JobRecord
from zerog.sdk.text import place_in

log = logging.getLogger(JOBS)

#: The logger of what was written past Python.
OUTPUT = "output"
#: With these words begins what Python writes when it crashes; this many lines may follow.
_FATAL = "Fatal Python error"
_REPORT_LINES = 200


def about(record: JobRecord) -> dict[str, Any]:
    """Return what all records of a log have that are about a job's attempt."""
    found = {"job": record.uuid, "type": record.type, "attempt": record.attempt}
    if record.request_id is not None:
        found["requestId"] = record.request_id
    if (trace := trace_id_of(record.trace_parent)) is not None:
        found["traceId"] = UUID(record.uuid).hex if record.own_trace else trace
    return found


class JobLog:
    """Takes what one attempt writes."""

    def __init__(self, record: JobRecord, reports: Reports, *, keeps_output: bool) -> None:
        self._reports = reports
        self._keeps_output = keeps_output
        self._fields = about(record)
        self._about = f"{record.type} {record.uuid} attempt {record.attempt}"
        self._printed = PrintedLines()
        self._lines = self._bytes = 0
        self._last: deque[str] = deque(maxlen=_REPORT_LINES)

    def take(self, line: LineFrame) -> None:
        """Take in a line of the job's log."""
        if self._reports.take_line(line.time, line.level, line.message, line.data, line.logger):
            self._tell(line.level, line.message, line.data, line.logger)

    def take_printed(self, data: bytes) -> None:
        """Take in what was written to standard output or error past Python."""
        self._take_lines(self._printed.feed(data))

    def close(self) -> None:
        """Take in the line that has no end."""
        self._take_lines(self._printed.rest())

    def place_of_crash(self) -> str | None:
        """Return the file and line where Python says that it crashed."""
        report = "\n".join(self._last).rpartition(_FATAL)
        return place_in(report[2]) if report[1] else None

    def _take_lines(self, texts: list[str]) -> None:
        for text in filter(None, texts):
            self._last.append(text)
            if self._accept(text):
                self._tell("info", text, None, OUTPUT)

    def _accept(self, text: str) -> bool:
        if self._keeps_output:
            return self._reports.take_line(datetime.now(UTC), "info", text, None, OUTPUT)
        self._lines += 1
        self._bytes += len(text)
        return self._lines <= MAX_LOG_LINES and self._bytes <= MAX_LOG_BYTES

    def _tell(self, level: str, message: str, data: str | None, logger: str | None) -> None:
        number = logging.getLevelNamesMapping()[level.upper()]
        if not log.isEnabledFor(number):
            return
        fields: dict[str, Any] = {**self._fields, "message": message}
        below = ""
        if logger is not None:
            fields["jobLogger"] = logger
        if data is not None:
            fields["data"] = values = json.loads(data)
            below = str(values.get("traceback", ""))
        below = f"\n{below}" if below else ""
        log.log(number, "%s: %s%s", self._about, message, below, extra={"fields": fields})
