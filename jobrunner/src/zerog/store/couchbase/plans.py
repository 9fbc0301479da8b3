"""Which index answers which listing of jobs: decided here, never by the planner.

Left to itself the planner keeps the indexes with the most usable keys and takes one of them by
chance, also one on which a rare state means reading every job that is retained. So every
statement names its index, and a listing is divided into selections: each is a run of one index in
the order of the jobs' keys, and costs the rows that are taken from it. A filter by several values
is several selections, whose rows are merged. Where there would be too many, the rest of the
filter is applied to the index's further fields instead.

A label has an index of its own, in no order: a listing by it reads the jobs that have the label.
Causes and times of ending are further fields of the indexes with a state, so that such a listing
scans the jobs of the finished states, or of those that are asked for, and reads what it returns.
Pure.
"""

import math
from collections.abc import Mapping, Set
from dataclasses import dataclass
from itertools import product

from zerog.model.record import FINISHED_STATES, State
from zerog.store.port import JobFilter

#: The order of a page.
KEY = "META().id DESC"
#: A job is listed by at most this many runs: a request may name 100 values of one field.
MAX_SELECTIONS = 100
#: These change with the state, so an index that has the state costs no more for having them.
_CHANGING = ("META().expiration", "finishedTime", "cause")


@dataclass(frozen=True, slots=True)
class JobIndex:
    """An index of jobs: a run for each combination of its leading fields' values."""

    name: str
    #: Fields before the key. A selection gives each of them one value.
    leading: tuple[str, ...]
    #: Fields behind the key, to filter by without reading documents.
    further: tuple[str, ...]
    #: An array field of texts, each of which has the job in the index once. In no order.
    each: str = ""


# A job's queue and type never change, so an index without a state is seldom written.
_ALL = JobIndex("zerog_jobs_newest", (), ("type", "queue", "META().expiration"))
_OF_QUEUE = JobIndex("zerog_jobs_of_queue", ("queue",), ())
_WITH_STATE = {
    frozenset[str](): JobIndex("zerog_jobs_in_state", ("state",), ("type", "queue", *_CHANGING)),
    frozenset({"type"}): JobIndex("zerog_jobs_of_type", ("type", "state"), _CHANGING),
    frozenset({"queue"}): JobIndex("zerog_jobs_in_queue", ("queue", "state"), _CHANGING),
    frozenset({"queue", "type"}): JobIndex(
        "zerog_jobs_of_queue_and_type", ("queue", "type", "state"), _CHANGING
    ),
}
_BY_LABEL = JobIndex("zerog_jobs_by_label", (), (), each="labels")
JOB_INDEXES = (_ALL, _OF_QUEUE, *_WITH_STATE.values(), _BY_LABEL)
#: States, where only finished jobs are asked for.
_FINISHED = tuple(sorted(map(str, FINISHED_STATES)))


@dataclass(frozen=True, slots=True)
class Selection:
    """A run of an index, and what is left to filter in it."""

    index: JobIndex
    #: The value of each leading field.
    values: tuple[str, ...]
    #: Further fields, each with the values that it may have.
    among: tuple[tuple[str, tuple[str, ...]], ...] = ()
    #: Texts that the index's array field must all have.
    labels: tuple[str, ...] = ()


def select(job_filter: JobFilter, *, counting: bool = False) -> list[Selection]:
    """Return the selections that together are what the filter selects, none twice."""
    wanted = {
        name: tuple(dict.fromkeys(str(value) for value in values))
        for name, values in (
            ("state", job_filter.states),
            ("type", job_filter.types),
            ("queue", job_filter.queues),
            ("cause", job_filter.causes),
        )
        if values
    }
    if job_filter.is_of_ends:
        wanted.setdefault("state", _FINISHED)
    if job_filter.labels:
        labels = tuple(dict.fromkeys(job_filter.labels))
        return [Selection(_BY_LABEL, (), tuple(wanted.items()), labels)]
    index = _choose(wanted, wanted.keys() & {"queue", "type"}, counting=counting)
    runs = _runs(index, wanted)
    if math.prod(len(values) for values in runs) > MAX_SELECTIONS:
        index = _choose(wanted, frozenset(), counting=counting)
        runs = _runs(index, wanted)
    among = tuple((name, values) for name, values in wanted.items() if name not in index.leading)
    return [Selection(index, values, among) for values in product(*runs)]


def _choose(wanted: Mapping[str, tuple[str, ...]], fields: Set[str], *, counting: bool) -> JobIndex:
    # Only the indexes with a state, and that of all jobs, know what has expired.
    if "state" not in wanted:
        if not fields:
            return _ALL
        if fields == {"queue"} and not counting:
            return _OF_QUEUE
    return _WITH_STATE[frozenset(fields)]


def _runs(index: JobIndex, wanted: Mapping[str, tuple[str, ...]]) -> list[tuple[str, ...]]:
    """Return the values of each leading field. Without a wanted state it is every state."""
    return [wanted.get(name, tuple(State)) for name in index.leading]
