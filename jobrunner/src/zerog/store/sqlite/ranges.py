"""What a listing of the SQLite store reads: ranges of an index, each sorted by key. Pure.

SQLite's planner would take the primary key, whatever the filter, and walk over all jobs; or it
would read all that fits and sort it. So a filter becomes one range for each combination of the
values that its index begins with, and the ranges are merged: a page costs what it returns, and a
filter that fits nothing costs next to nothing. Where no state is asked for, all of them are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from zerog.model.record import State
from zerog.store.port import JobFilter

LIVE = "(expires IS NULL OR expires > ?)"
_STATES = tuple(map(str, State))


@dataclass(frozen=True, slots=True)
class Range:
    """A part of the table, to be read by one statement."""

    source: str
    where: str
    values: tuple[str | float, ...]


def ranges(job_filter: JobFilter, *, now: float, before: str | None = None) -> list[Range]:
    """Return what to read of a file, only keys below `before`."""
    index, leads = _index(job_filter)
    keys = ["collection = 'jobs'", *(f"{column} = ?" for column in leads)]
    rest, last = [LIVE], list[str | float]([now])
    end: list[str] = []
    if job_filter.types and job_filter.queues:
        end += _texts(job_filter.queues)
        keys.append(f"queue IN ({','.join('?' * len(end))})")
    if before is not None:
        end.append(before)
        keys.append("key < ?")
    source = f"document INDEXED BY {index}" if index else "document"
    where = " AND ".join([*keys, *rest])
    if job_filter.types and job_filter.queues:
        # Each job would be read to see its queue, though the index has it too.
        source = (
            f"(SELECT collection, key FROM {source} WHERE {' AND '.join(keys)}) "
            "CROSS JOIN document USING (collection, key)"
        )
        where = " AND ".join(rest)
    return [Range(source, where, (*chosen, *end, *last)) for chosen in product(*leads.values())]


def _index(job_filter: JobFilter) -> tuple[str | None, dict[str, list[str]]]:
    """Return an index, and the values of the columns that it begins with."""
    states = {"state": _texts(job_filter.states or _STATES)}
    if job_filter.types:
        return "jobs_by_type", {"type": _texts(job_filter.types), **states}
    if job_filter.queues:
        return "jobs_by_queue", {"queue": _texts(job_filter.queues), **states}
    if job_filter.states:
        return "jobs_by_state", states
    return None, {}


def _texts(values: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(map(str, values)))
