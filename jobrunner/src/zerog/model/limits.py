"""The bounds of everything that comes from outside: durations, texts, logs, results.

Every number is checked where it enters (signals, options, frames, requests, stored documents), so
that no later step has to fear one. A duration that is computed later is cut to the same bounds by
`bounded`.
"""

import math
from datetime import timedelta
from decimal import Decimal
from numbers import Real

DAY_SECONDS = 86400.0
#: The longest delay, timeout or back-off. A longer wait belongs in a calendar, not in a queue.
#: beanstalkd's own limit is 136 years.
MAX_SECONDS = 366 * DAY_SECONDS
#: How long a finished job may be kept.
MAX_RETENTION_SECONDS = 10 * MAX_SECONDS
#: How long an Idempotency-Key may be remembered. The record of a job that is kept as long outlives
#: its key; other jobs note their end there (`zerog.ledger.keys`).
MAX_KEY_SECONDS = 7 * DAY_SECONDS
#: What is beside an unfinished job is kept this long after it was last written: longer than any
#: two delays. The job's end sets its own time.
UNFINISHED_SECONDS = 2 * MAX_SECONDS

#: Result codes are like HTTP's, and the job's own choice. -1 means "not finished".
MIN_CODE, MAX_CODE = 0, 9999

#: Errors or crashes that a type may allow.
MAX_TRIES = 1_000_000

#: The largest count in a document: what every reader of JSON holds exactly.
MAX_COUNT = 2**53 - 1
#: The largest id of a queue entry that a record notes. beanstalkd counts from 1.
MAX_ENTRY_ID = 2**63 - 1

#: A job's message is one line for people.
MAX_MESSAGE_CHARS = 2000
#: The beginning of it that an attempt keeps when the next one starts. The log has all of it.
MAX_PAST_MESSAGE_CHARS = 200

#: Why a queue is paused or a worker drains, in one line for people.
MAX_REASON_CHARS = 200

#: One attempt's log: lines, characters of a line, bytes of a line's data, bytes in all.
MAX_LOG_LINES = 10_000
#: A few lines may follow the last one: that the log is full, why the job failed, what was dropped.
EXTRA_LINES = 10
MAX_LINE_CHARS = 4096
#: The name of the logger or stream that a line came from.
MAX_LOGGER_CHARS = 200
MAX_LINE_DATA_BYTES = 16 * 1024
MAX_LOG_BYTES = 8 * 1024 * 1024
#: About what a line costs besides its text and data.
LINE_OVERHEAD_BYTES = 100
#: Log lines in one stored chunk, which takes 3 MiB at most.
LINES_PER_CHUNK = 100

#: `ctx.state`, as JSON.
MAX_STATE_BYTES = 64 * 1024
#: Larger parameters and outputs are kept in a document of their own, so that a change of state
#: rewrites little.
INLINE_BYTES = 2048
#: So are those with more arrays and objects: three bytes of text take a hundred as an object.
INLINE_CONTAINERS = 64
#: Couchbase refuses documents above 20 MiB; ours stay below it, with room for metadata.
MAX_DOCUMENT_BYTES = 16 * 1024 * 1024
#: Parameters or an output: a document has a few bytes around them.
MAX_DATA_BYTES = MAX_DOCUMENT_BYTES - 1024


def read_seconds(value: object, most: float = MAX_SECONDS) -> float:
    """Read a duration: a finite number of seconds or a `timedelta`, from 0 to `most`.

    Raises:
        TypeError: It is neither a number nor a `timedelta`.
        ValueError: It is out of bounds.
    """
    if isinstance(value, timedelta):
        value = value.total_seconds()
    # Also a `Decimal`, a `Fraction` and the numbers of numpy.
    if isinstance(value, bool) or not isinstance(value, Real | Decimal):
        raise TypeError(f"{value!r} is not a duration: give seconds as a number, or a timedelta")
    try:
        seconds = float(value)
    except (OverflowError, ValueError):  # too large, or a signaling NaN
        seconds = math.nan
    if not 0 <= seconds <= most:  # NaN compares false
        days = most / DAY_SECONDS
        raise ValueError(
            f"{seconds!r} is not a duration from 0 to {most:.0f} seconds ({days:.0f} days)"
        )
    return seconds


def bounded(seconds: float) -> float:
    """Cut a computed duration to 0 … `MAX_SECONDS`; 0 if it is not a number."""
    return 0.0 if math.isnan(seconds) else min(max(0.0, seconds), MAX_SECONDS)


def one_line(text: str | None) -> str | None:
    """Cut a message to the one line that a record holds, in text that every store can hold."""
    if not text:
        return None
    # Lone surrogates have no UTF-8 form. What is far too long need not be looked at whole.
    line = text[: 2 * MAX_MESSAGE_CHARS].encode("utf-8", "backslashreplace").decode()
    line = " ".join(line.splitlines())
    if max(len(text), len(line)) > MAX_MESSAGE_CHARS:
        line = f"{line[: MAX_MESSAGE_CHARS - 40]}… ({len(text):,} characters)"
    return line or None
