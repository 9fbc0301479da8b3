"""The bounds of one attempt's log. What exceeds them is cut or counted, and the log says so.

The worker enforces the same bounds again: a child is not trusted.
"""

from collections.abc import Iterator
from datetime import UTC, datetime

from zerog.model.documents import LogLine
from zerog.model.limits import (
    LINE_OVERHEAD_BYTES,
    MAX_LINE_CHARS,
    MAX_LINE_DATA_BYTES,
    MAX_LOG_BYTES,
    MAX_LOG_LINES,
    MAX_LOGGER_CHARS,
)
from zerog.sdk.text import clean, cut, to_text


class LogBudget:
    """Numbers the lines, cuts what is too long, and counts what is dropped."""

    def __init__(self) -> None:
        self._seq = 0
        self._bytes = 0
        self._dropped = 0

    def lines(
        self,
        level: str,
        message: object,
        data: bytes | None,
        logger: str | None = None,
        *,
        is_extra: bool = False,
    ) -> Iterator[LogLine]:
        """Yield what is to be written for one line of the job.

        That is the line, or at first a note that the log is full, or nothing. An extra line is
        written even then.
        """
        if self._dropped and not is_extra:
            self._dropped += 1
            return
        text = cut(to_text(message), MAX_LINE_CHARS)
        if data is not None and len(data) > MAX_LINE_DATA_BYTES:
            text += f" ({len(data)} bytes of data cut, at most {MAX_LINE_DATA_BYTES} are kept)"
            data = None
        name = None if logger is None else clean(logger)[:MAX_LOGGER_CHARS]
        size = LINE_OVERHEAD_BYTES + len(text.encode()) + len(data or b"")
        is_full = self._seq >= MAX_LOG_LINES or self._bytes + size > MAX_LOG_BYTES
        if is_full and not is_extra:
            self._dropped = 1
            level, data, name = "warning", None, None
            text = (
                f"the log is full: at most {MAX_LOG_LINES} lines and {MAX_LOG_BYTES} bytes "
                "are kept, no more follow"
            )
        self._bytes += size
        yield self._line(level, text, data, name)

    def last_lines(self) -> Iterator[LogLine]:
        """Yield the note on how many lines were dropped, if any were."""
        if self._dropped:
            yield self._line("warning", f"{self._dropped} lines were dropped", None)

    def _line(
        self, level: str, text: str, data: bytes | None, logger: str | None = None
    ) -> LogLine:
        seq, self._seq = self._seq, self._seq + 1
        values = None if data is None else data.decode()
        return LogLine(seq, datetime.now(UTC), level, text, values, logger)
