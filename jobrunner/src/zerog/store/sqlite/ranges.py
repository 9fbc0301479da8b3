"""What a listing of the SQLite store reads: ranges of an index, each sorted by key. Pure.

SQLite's planner would take the primary key, whatever the filter, and walk over all jobs; or it
would read all that fits and sort it. So a filter becomes one range for each combination of the
values that its index begins with, and the ranges are merged: a page costs what it returns, and a
filter that fits nothing costs next to nothing. Where no state is asked for, all of them are.

Labels have a table of their own, and times of ending an index. What they leave is filtered by the
rest, so that a page costs at most the jobs with a label, or those that ended in a span of time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from zerog.model.record import FINISHED_STATES, State
from zerog.store.filtering import end_range, key_range
from zerog.store.port import JobFilter

LIVE = "(expires IS NULL OR expires > ?)"
_STATES = tuple(map(str, State))
_FINISHED_STATES = tuple(sorted(map(str, FINISHED_STATES)))
Value = str | float


@dataclass(frozen=True, slots=True)
class Range:
    """A part of the table, to be read by one statement."""

    source: str
    where: str
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class _Term:
    """A condition and its values."""

    text: str
    values: tuple[Value, ...] = ()


_IS_JOB = _Term("collection = 'jobs'")
_HAS_LABEL = "EXISTS (SELECT 1 FROM label AS other WHERE other.text = ? AND other.key = chosen.key)"


def ranges(job_filter: JobFilter, *, now: float, before: str | None = None) -> list[Range]:
    """Return what to read of a file, only keys below `before`."""
    keys = key_range(job_filter, before)
    bounds = [*_bound("key >= ?", keys.first), *_bound("key < ?", keys.before)]
    rest = [_Term(LIVE, (now,)), *_among("cause", job_filter.causes)]
    if job_filter.labels or job_filter.ended_after or job_filter.ended_before:
        return [_of_label_or_end(job_filter, bounds, rest)]
    index, leads = _index(job_filter)
    source = f"document INDEXED BY {index}" if index else "document"
    chosen = [
        [_Term(f"{name} = ?", (value,)) for name, value in zip(leads, values, strict=True)]
        for values in product(*leads.values())
    ]
    if not (job_filter.types and job_filter.queues):
        return [Range(source, *_joined([_IS_JOB, *lead, *bounds, *rest])) for lead in chosen]
    # Each job would be read to see its queue, though the index has it too.
    queues, found = _among("queue", job_filter.queues), []
    outer, last = _joined(rest)
    for lead in chosen:
        where, values = _joined([_IS_JOB, *lead, *queues, *bounds])
        inner = f"(SELECT collection, key FROM {source} WHERE {where})"
        joined = f"{inner} CROSS JOIN document USING (collection, key)"
        found.append(Range(joined, outer, (*values, *last)))
    return found


def _of_label_or_end(
    job_filter: JobFilter, bounds: Sequence[_Term], rest: Sequence[_Term]
) -> Range:
    """Return the one range of a filter by labels or by times of ending."""
    ends = end_range(job_filter)
    terms = [*_bound("finished >= ?", ends.first), *_bound("finished < ?", ends.before)]
    if job_filter.is_of_ends and not job_filter.states:
        terms += _among("state", _FINISHED_STATES)
    terms += _among("state", job_filter.states)
    terms += [*_among("type", job_filter.types), *_among("queue", job_filter.queues)]
    if not job_filter.labels:
        fixed = [_IS_JOB, _Term("finished IS NOT NULL")]
        return Range("document INDEXED BY jobs_by_end", *_joined([*fixed, *terms, *bounds, *rest]))
    first, *others = _texts(job_filter.labels)
    labels = [_Term("chosen.text = ?", (first,)), *(_Term(_HAS_LABEL, (it,)) for it in others)]
    # The key is that of the table of labels, which is in its order.
    source = "label AS chosen CROSS JOIN document USING (key)"
    return Range(source, *_joined([_IS_JOB, *labels, *bounds, *terms, *rest]))


def _index(job_filter: JobFilter) -> tuple[str | None, dict[str, list[str]]]:
    """Return an index, and the values of the columns that it begins with."""
    every = _FINISHED_STATES if job_filter.is_of_ends else _STATES
    states = {"state": _texts(job_filter.states or every)}
    if job_filter.types:
        return "jobs_by_type", {"type": _texts(job_filter.types), **states}
    if job_filter.queues:
        return "jobs_by_queue", {"queue": _texts(job_filter.queues), **states}
    if job_filter.states or job_filter.is_of_ends:
        return "jobs_by_state", states
    return None, {}


def _among(column: str, values: Sequence[str]) -> list[_Term]:
    texts = _texts(values)
    return [_Term(f"{column} IN ({','.join('?' * len(texts))})", tuple(texts))] if texts else []


def _bound(condition: str, value: str | None) -> list[_Term]:
    return [] if value is None else [_Term(condition, (value,))]


def _joined(terms: Sequence[_Term]) -> tuple[str, tuple[Value, ...]]:
    """Return terms as one condition, with the values in its order."""
    return " AND ".join(term.text for term in terms), tuple(v for t in terms for v in t.values)


def _texts(values: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(map(str, values)))
