"""What the SQLite file has of a control document in columns of their own, to find jobs by. Pure.

A column is null where the document has nothing of the kind, so that partial indexes leave it out.
"""

from collections.abc import Callable, Mapping
from typing import Any

from zerog.model import jsontext
from zerog.store.filtering import as_open_job, labels_of, overdue_time
from zerog.store.port import Document

#: Written where a document names an entry that no queue could have.
_NO_ENTRY = -1


def _text(name: str) -> Callable[[Document], str | None]:
    def read(document: Document) -> str | None:
        value = document.get(name)
        return value if isinstance(value, str) else None

    return read


def _entry(document: Document) -> int | None:
    entry = document.get("entryId")
    if entry is None:
        return None
    known = as_open_job("", "", entry).entry_id
    return _NO_ENTRY if known is None else known


def _labels(document: Document) -> str | None:
    """Return a JSON array, which a trigger takes apart."""
    labels = labels_of(document) if document.get("labels") else None
    return jsontext.dumps(sorted(labels)).decode() if labels else None


_OF_JOBS: Mapping[str, Callable[[Document], Any]] = {
    "state": _text("state"),
    "type": _text("type"),
    "queue": _text("queue"),
    "changed": _text("changedTime"),
    "entry": _entry,
    "version": _text("schemaHash"),
    "due": _text("notBeforeTime"),
    "overdue": overdue_time,
    "finished": _text("finishedTime"),
    "cause": _text("cause"),
    "labels": _labels,
}
COLUMNS = tuple(_OF_JOBS)
_NONE = (None,) * len(COLUMNS)


def column_values(collection: str, document: Document) -> tuple[Any, ...]:
    """Return what the columns have of a document; nothing if it is not a job's."""
    if collection != "jobs":
        return _NONE
    return tuple(read(document) for read in _OF_JOBS.values())
