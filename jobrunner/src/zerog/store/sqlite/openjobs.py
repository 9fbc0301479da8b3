"""What repair, workers and the operator read of the SQLite store: unfinished jobs, from indexes
that hold no others.

Each of the partial indexes has all that its statements return, so that no document is read. A
statement repeats the index's condition word by word: SQLite does not conclude anything here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from zerog.model import jsontext
from zerog.store.filtering import as_open_job
from zerog.store.port import (
    BEGUN_STATES,
    OPEN_STATES,
    WAITING_STATES,
    OpenJob,
    QueuedVersion,
)
from zerog.store.sqlite.ranges import LIVE

_OPEN = f"state IN {OPEN_STATES}"
_WAITING = f"state IN {WAITING_STATES}"
_DUE_LATER = f"due IS NOT NULL AND {_WAITING}"
_OVERDUE = "overdue IS NOT NULL"
_ENTRY_MISSING = "state = 'queued' AND entry IS NULL"
#: SQLite bounds the depth of an expression. With more names all such documents are read.
_MAX_NAMES = 500

INDEXES = f"""
CREATE INDEX jobs_open ON document (key, changed, queue, entry, expires, state)
    WHERE collection = 'jobs' AND {_OPEN};
CREATE INDEX jobs_without_entry ON document (key, changed, entry, expires, state)
    WHERE collection = 'jobs' AND {_ENTRY_MISSING};
"""
VERSIONS_INDEX = f"""
CREATE INDEX jobs_by_version ON document (type, version, queue, expires, state)
    WHERE collection = 'jobs' AND {_WAITING};
"""
DUE_INDEX = f"""
CREATE INDEX jobs_due ON document (queue, due, expires, state)
    WHERE collection = 'jobs' AND {_DUE_LATER};
"""
OVERDUE_INDEX = f"""
CREATE INDEX jobs_overdue ON document (overdue, key, expires)
    WHERE collection = 'jobs' AND {_OVERDUE};
"""


@dataclass(frozen=True, slots=True)
class Statement:
    """A statement and its values."""

    text: str
    values: tuple[str | float | bytes, ...]


def rows(after: str, limit: int, without_entry_since: str | None, now: float) -> Statement:
    """Return what reads `open_jobs`."""
    index, condition, values = "jobs_open", _OPEN, tuple[str, ...]()
    if without_entry_since is not None:
        index = "jobs_without_entry"
        condition, values = f"{_ENTRY_MISSING} AND changed < ?", (without_entry_since,)
    return Statement(
        f"SELECT key, changed, entry FROM document INDEXED BY {index} WHERE collection = 'jobs' "
        f"AND {condition} AND key > ? AND {LIVE} ORDER BY key LIMIT ?",
        (*values, after, now, limit),
    )


def counts(changed_before: str, now: float) -> Statement:
    """Return what reads `count_open`."""
    return Statement(
        "SELECT queue, count(*) FROM document INDEXED BY jobs_open WHERE collection = 'jobs' "
        f"AND {_OPEN} AND changed < ? AND queue IS NOT NULL AND {LIVE} GROUP BY queue",
        (changed_before, now),
    )


def begun(workers: Sequence[str], now: float) -> Statement:
    """Return what reads the documents of jobs that one of the workers may run, and of others whose
    text has its name."""
    names = [jsontext.dumps(name) for name in workers] if len(workers) <= _MAX_NAMES else [b""]
    named = " OR ".join(["instr(body, ?)"] * len(names))
    return Statement(
        "SELECT body, revision, key FROM document INDEXED BY jobs_by_state "
        f"WHERE collection = 'jobs' AND state IN {BEGUN_STATES} AND {LIVE} AND ({named})",
        (now, *names),
    )


def waiting(version: QueuedVersion, limit: int, now: float) -> Statement:
    """Return what counts the jobs of a version that wait for a worker, up to a limit."""
    queue, *of_type = version
    in_queue, queues = ("", ()) if queue is None else ("AND queue = ? ", (queue,))
    return Statement(
        "SELECT count(*) FROM (SELECT 1 FROM document INDEXED BY jobs_by_version "
        f"WHERE collection = 'jobs' AND {_WAITING} AND type = ? AND version = ? "
        f"{in_queue}AND {LIVE} LIMIT ?)",
        (*of_type, *queues, now, limit),
    )


def due(queue: str, after: str, until: str, limit: int, now: float) -> Statement:
    """Return what reads when the first delayed jobs of a queue fall due."""
    return Statement(
        "SELECT due FROM document INDEXED BY jobs_due "
        f"WHERE collection = 'jobs' AND {_DUE_LATER} AND queue = ? AND due > ? AND due <= ? "
        f"AND {LIVE} ORDER BY due LIMIT ?",
        (queue, after, until, now, limit),
    )


def overdue(until: str, limit: int, now: float) -> Statement:
    """Return what reads the queued jobs that have not started in time."""
    return Statement(
        "SELECT key FROM document INDEXED BY jobs_overdue WHERE collection = 'jobs' "
        f"AND {_OVERDUE} AND overdue <= ? AND {LIVE} ORDER BY overdue LIMIT ?",
        (until, now, limit),
    )


def as_jobs(found: list[tuple[Any, ...]]) -> list[OpenJob]:
    """Return the jobs in the rows of `rows`."""
    return [as_open_job(key, changed, entry) for key, changed, entry in found]
