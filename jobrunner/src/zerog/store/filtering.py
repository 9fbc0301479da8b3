"""Which control documents a filter selects, what an index has of one, and the cursors of
listings: the same for every adapter. Pure."""

import base64
import binascii
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from zerog.model.limits import MAX_ENTRY_ID
from zerog.model.record import FINISHED_STATES, format_time
from zerog.store.port import (
    BEGUN_STATES,
    OPEN_STATES,
    WAITING_STATES,
    Document,
    JobFilter,
    OpenJob,
    QueuedVersion,
)

#: Greater than every key that begins alike.
LAST = "\uffff"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
#: The time of a UUIDv7 has 48 bits.
_MAX_MILLISECONDS = 2**48 - 1


def matches(key: str, document: Document, job_filter: JobFilter) -> bool:
    """Whether a control document is one that the filter selects."""
    wanted = (
        ("type", job_filter.types),
        ("state", job_filter.states),
        ("queue", job_filter.queues),
        ("cause", job_filter.causes),
    )
    if any(values and document.get(name) not in values for name, values in wanted):
        return False
    return (
        key_range(job_filter).has(key)
        and (not job_filter.is_of_ends or document.get("state") in FINISHED_STATES)
        and set(job_filter.labels) <= labels_of(document)
        and end_range(job_filter).has(document.get("finishedTime"))
    )


@dataclass(frozen=True, slots=True)
class TextRange:
    """Texts from the first one, and before the second; None: no bound."""

    first: str | None = None
    before: str | None = None

    def has(self, text: object) -> bool:
        """Whether a value is a text in this range; with no bounds every value is."""
        if self == TextRange():
            return True
        return (
            isinstance(text, str)
            and (self.first is None or text >= self.first)
            and (self.before is None or text < self.before)
        )


def key_range(job_filter: JobFilter, before: str | None = None) -> TextRange:
    """Return the keys that a filter leaves, below `before`."""
    prefix = job_filter.key_prefix
    firsts = [prefix, *map(first_key, _given(job_filter.submitted_after))]
    ends = [prefix + LAST] if prefix else []
    ends += map(first_key, _given(job_filter.submitted_before))
    if before is not None:
        ends.append(before)
    return TextRange(max(firsts) or None, min(ends, default=None))


def end_range(job_filter: JobFilter) -> TextRange:
    """Return the times of ending that a filter leaves."""
    after, before = _given(job_filter.ended_after), _given(job_filter.ended_before)
    return TextRange(next(map(format_time, after), None), next(map(format_time, before), None))


def _given(time: datetime | None) -> list[datetime]:
    return [] if time is None else [time]


def first_key(time: datetime) -> str:
    """Return what is not above any UUIDv7 of this time, and above all earlier ones."""
    milliseconds = min(max(0, (time - _EPOCH) // timedelta(milliseconds=1)), _MAX_MILLISECONDS)
    digits = f"{milliseconds:012x}"
    return f"{digits[:8]}-{digits[8:]}"


def labels_of(document: Document) -> set[str]:
    """Return a job's labels; none if its record cannot be read."""
    labels = document.get("labels")
    if not isinstance(labels, list | tuple):  # a tuple, where it is about to be written
        return set()
    return {each for each in labels if isinstance(each, str)}


def overdue_time(document: Document) -> str | None:
    """Return by when a queued job has to start; None if it has time."""
    time = document.get("expiresTime")
    return time if document.get("state") == "queued" and isinstance(time, str) else None


def open_job(key: str, document: Document) -> OpenJob | None:
    """Return what an index has of a control document; None if the job is finished."""
    if document.get("state") not in OPEN_STATES:
        return None
    return as_open_job(key, document.get("changedTime"), document.get("entryId"))


def as_open_job(key: str, changed: object, entry: object) -> OpenJob:
    """Return what an index says of a job, whatever stands in its fields."""
    number = entry if type(entry) is int and 0 <= entry <= MAX_ENTRY_ID else None
    return OpenJob(key, changed if isinstance(changed, str) else "", number)


def lacks_entry(document: Document, since: str) -> bool:
    """Whether a job is queued, has no entry and has not changed since."""
    changed = document.get("changedTime")
    waits = document.get("state") == "queued" and document.get("entryId") is None
    return waits and isinstance(changed, str) and changed < since


def is_of_workers(document: Document, workers: Sequence[str]) -> bool:
    """Whether a job is running or waiting and one of the workers has made an attempt."""
    return document.get("state") in BEGUN_STATES and not workers_of(document).isdisjoint(workers)


def waiting_version(document: Document) -> QueuedVersion | None:
    """Return queue and version of a job that waits for a worker; None if it does not."""
    queue, name = document.get("queue"), document.get("type")
    version = document.get("schemaHash")
    if document.get("state") not in WAITING_STATES:
        return None
    if not isinstance(name, str) or not isinstance(version, str):
        return None
    return queue if isinstance(queue, str) else None, name, version


def due_time(document: Document) -> tuple[str, str] | None:
    """Return the queue of a job that waits, and until when at least; None if it does not."""
    queue, time = document.get("queue"), document.get("notBeforeTime")
    waits = document.get("state") in WAITING_STATES
    return (queue, time) if waits and isinstance(queue, str) and isinstance(time, str) else None


def first_due(
    found: Iterable[tuple[str, str] | None],
    queues: Sequence[str],
    *,
    after: str,
    until: str,
    limit: int,
) -> dict[str, list[str]]:
    """Sort due times by queue; see `Datastore.due_times`."""
    by_queue: dict[str, list[str]] = {queue: [] for queue in queues}
    for item in found:
        if item is not None and item[0] in by_queue and after < item[1] <= until:
            by_queue[item[0]].append(item[1])
    return {queue: sorted(times)[:limit] for queue, times in by_queue.items()}


def count_up_to(
    found: Iterable[QueuedVersion | None], wanted: Sequence[QueuedVersion], limit: int
) -> Counter[QueuedVersion]:
    """Count the wanted versions, of each up to a limit."""
    counted = Counter(dict.fromkeys(wanted, 0))
    for each in found:
        if each is not None:
            for version in {each, (None, *each[1:])}:
                if version in counted and counted[version] < limit:
                    counted[version] += 1
    return counted


def workers_of(document: Document) -> set[str]:
    """Return who has made attempts at a job; nobody if its record cannot be read."""
    try:
        return {attempt["worker"]["name"] for attempt in document.get("attempts", [])}
    except (KeyError, TypeError):
        return set()


def encode_cursor(key: str) -> str:
    """Return the cursor of a page whose last document has this key."""
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> str:
    """Return the key in a cursor. `ValueError` if no listing gave it."""
    try:
        return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, ValueError) as error:
        raise ValueError("the cursor is not one that a listing returned") from error
