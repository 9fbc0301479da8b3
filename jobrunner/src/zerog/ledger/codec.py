"""A job's record as the store has it. Only the ledger imports this, since it alone writes jobs."""

import msgspec

from zerog.model import documents
from zerog.model.errors import UnreadableDocumentError
from zerog.model.record import JobRecord, State
from zerog.store.port import Document


def write_record(record: JobRecord) -> Document:
    """Return the document of a record: camelCase, None and no labels left out."""
    found: Document = msgspec.to_builtins(record)
    document = {name: value for name, value in found.items() if value is not None}
    if not record.labels:
        del document["labels"]
    if record.limits.timeout_seconds is None:  # the only limit that may be missing
        del document["limits"]["timeoutSeconds"]
    return document


def read_record(document: Document, key: str = "") -> JobRecord:
    """Read a control document. `UnreadableDocumentError` if it is not one."""
    record = documents.read(document, JobRecord, key)
    if record.state is State.RUNNING and record.current_attempt is None:
        raise UnreadableDocumentError(f"job {record.uuid} is running, but has no attempt")
    return record
