"""Logging of ZeroG's processes on standard error, for people or as JSON.

A record is one line in JSON. For people its further lines, e.g. of a traceback, are indented: so
no text that others wrote can pass for a record.

Lines of jobs are records of the logger `JOBS`. As many as jobs write, no process waits for whoever
reads its log: they are left out, and counted, while the pipe to it is full.
"""

import argparse
import contextlib
import fcntl
import json
import logging
import select
import struct
import sys
import termios
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime

from zerog import standardfiles
from zerog.shown import shown_block

FORMATS = ("text", "json")
#: The logger of what jobs write (`zerog.worker.joblog`).
JOBS = "zerog.job"
#: Loggers that tell of each request as information.
NOISY = ("httpx", "httpcore", "asyncio")
#: Returns what records are about that are made in this context: fields of JSON, e.g. `requestId`
#: and `job`. It is asked when there is a record: most jobs and requests have none.
ABOUT: ContextVar[Callable[[], Mapping[str, object]]] = ContextVar("about", default=dict)


class LineFormatter(logging.Formatter):
    """Formats a record for people: a line, and further ones below it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's text."""
        return shown_block(super().format(record))


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        # Parts that are fields of their own, e.g. of the audit log.
        fields = {**ABOUT.get()(), "message": record.getMessage(), **getattr(record, "fields", {})}
        if record.exc_info:
            fields["trace"] = self.formatException(record.exc_info)
        return _json_text(record.name, record.levelname.lower(), record.created, fields)


def json_line(logger: str, message: str, **fields: str) -> str:
    """Return a record as JSON, for who writes it without `logging`."""
    return _json_text(logger, "info", time.time(), {"message": message, **fields})


def _json_text(logger: str, level: str, seconds: float, fields: Mapping[str, object]) -> str:
    moment = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return json.dumps({"time": moment, "level": level, "logger": logger, **fields})


class _Room(logging.Filter):
    """Lets the lines of jobs through while there is room for them."""

    def __init__(self, fd: int) -> None:
        super().__init__()
        self._fd = fd
        self._poll = select.poll()
        self._poll.register(fd, select.POLLOUT)
        self._left_out = 0

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to write a line. Called by `logging`."""
        if record.name != JOBS:
            return True
        if not self._poll.poll(0) or self._room() < _size(record):
            self._left_out += 1
            return False
        if self._left_out:
            note = f"({self._left_out:,} lines of jobs are left out here: the log was not read) "
            record.msg, record.args = note + record.getMessage(), None
            record.fields = {**getattr(record, "fields", {}), "leftOut": self._left_out}
            self._left_out = 0
        return True

    def _room(self) -> int:
        """Return how many bytes can be written at least. A pipe says that it is ready for one page,
        and holds up whoever writes more."""
        try:
            size = fcntl.fcntl(self._fd, fcntl.F_GETPIPE_SZ)
            (used,) = struct.unpack("i", fcntl.ioctl(self._fd, termios.FIONREAD, bytes(4)))
        except OSError:  # not a pipe
            return sys.maxsize
        # Its pages may be filled in part.
        return int(size - 2 * used)


def _size(record: logging.LogRecord) -> int:
    """Return more bytes than a job's line takes in any format."""
    fields = json.dumps(getattr(record, "fields", {}), default=str)
    return 1024 + 6 * len(record.getMessage()) + 2 * len(fields)


def add_option(parser: argparse.ArgumentParser) -> None:
    """Let people choose the format."""
    parser.add_argument(
        "--log-format",
        choices=FORMATS,
        default=FORMATS[0],
        help="how to log: for people (text, default), or a JSON object per line (json)",
    )


def configure(log_format: str, *, verbose: bool = False) -> None:
    """Set up logging for a process of ZeroG."""
    standardfiles.protect()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _JsonFormatter()
        if log_format == "json"
        else LineFormatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")
    )
    with contextlib.suppress(OSError, ValueError):  # not a file
        handler.addFilter(_Room(sys.stderr.fileno()))
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, handlers=[handler])
    for noisy in NOISY:
        logging.getLogger(noisy).setLevel(logging.WARNING)
