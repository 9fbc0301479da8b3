"""Keeps clients from flooding the log: a line that repeats itself is written once a second.

What a line is about (a path, a job, an address) is in its arguments; lines with the same format
repeat each other. The next one that is written says how many were left out. The logs of changes and
of requests count for themselves.
"""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable

_SECONDS = 1.0
#: Formats stand in the code, so there are few; other libraries may put values into theirs.
_MAX_FORMATS = 1000
_COUNTING = frozenset({"zerog.audit", "zerog.requests"})


class Repeats(logging.Filter):
    """Lets one line of each format through per second."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        #: When each format was last written, and how many lines of it were left out since.
        self._seen: OrderedDict[tuple[str, str], tuple[float, int]] = OrderedDict()

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to write a line. Called by `logging`."""
        if record.name in _COUNTING:
            return True
        key, now = (record.name, str(record.msg)), self._clock()
        at, left_out = self._seen.get(key, (-_SECONDS, 0))
        if 0 <= now - at < _SECONDS:
            self._seen[key] = (at, left_out + 1)
            return False
        self._seen[key] = (now, 0)
        self._seen.move_to_end(key)
        if len(self._seen) > _MAX_FORMATS:
            self._seen.popitem(last=False)
        if left_out:
            record.msg, record.args = f"{record.getMessage()} (and {left_out} more like it)", None
        return True


def hold_back() -> None:
    """Let no line repeat itself more than once a second in this process."""
    repeats = Repeats()
    for handler in logging.getLogger().handlers:
        handler.addFilter(repeats)
