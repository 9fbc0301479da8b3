"""What the SQLite file has of a control document in columns of their own, to find jobs by. Pure.

A column is null where the document has nothing of the kind, so that partial indexes leave it out.
Each write of a job comes by here, so that there is one pass over the names and no call for each.
"""

from typing import Any

from zerog.model import jsontext
from zerog.store.filtering import as_open_job, labels_of, overdue_time
from zerog.store.port import Document

#: Written where a document names an entry that no queue could have.
_NO_ENTRY = -1
#: Column → the text of a document that it has.
_TEXTS = {
    "state": "state",
    "type": "type",
    "queue": "queue",
    "changed": "changedTime",
    "version": "schemaHash",
    "due": "notBeforeTime",
    "finished": "finishedTime",
    "cause": "cause",
}
#: `labels` is a JSON array. It is the last, so that it is found in a row.
COLUMNS = (*_TEXTS, "overdue", "entry", "labels")
_NAMES = tuple(_TEXTS.values())
_NONE = (None,) * len(COLUMNS)


def column_values(collection: str, document: Document) -> tuple[Any, ...]:
    """Return what the columns have of a document; nothing if it is not a job's."""
    if collection != "jobs":
        return _NONE
    texts = [value if isinstance(value, str) else None for value in map(document.get, _NAMES)]
    overdue = overdue_time(document) if "expiresTime" in document else None
    entry = document.get("entryId")
    labels = _labels(document) if document.get("labels") else None
    return (*texts, overdue, None if entry is None else _entry(entry), labels)


def _entry(entry: object) -> int:
    known = as_open_job("", "", entry).entry_id
    return _NO_ENTRY if known is None else known


def _labels(document: Document) -> str | None:
    labels = labels_of(document)
    return jsontext.dumps(sorted(labels)).decode() if labels else None
