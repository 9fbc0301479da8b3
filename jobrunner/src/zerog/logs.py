"""Logging of ZeroG's processes on standard error, for people or as JSON.

A record is one line in JSON. For people its further lines, e.g. of a traceback, are indented: so
no text that others wrote can pass for a record.
"""

import json
import logging
import sys
from datetime import UTC, datetime

from zerog import standardfiles
from zerog.shown import shown_block


class LineFormatter(logging.Formatter):
    """Formats a record for people: a line, and further ones below it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the record's text."""
        return shown_block(super().format(record))


class _JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        document = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        # Parts that are fields of their own, e.g. of the audit log.
        document.update(getattr(record, "fields", {}))
        if record.exc_info:
            document["trace"] = self.formatException(record.exc_info)
        return json.dumps(document)


def configure(*, verbose: bool = False, as_json: bool = False) -> None:
    """Set up logging for a process of ZeroG."""
    standardfiles.protect()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        _JsonFormatter()
        if as_json
        else LineFormatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")
    )
    logging.basicConfig(level=logging.DEBUG if verbose else logging.INFO, handlers=[handler])
    for noisy in ("httpx", "httpcore", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
