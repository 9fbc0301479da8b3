"""Which control documents a filter selects, and the cursors of listings: the same for
every adapter. Pure."""

import base64
import binascii

from zerog.store.port import Document, JobFilter


def matches(document: Document, job_filter: JobFilter) -> bool:
    """Whether a control document is one that the filter selects."""
    wanted = (
        ("type", job_filter.types),
        ("state", job_filter.states),
        ("queue", job_filter.queues),
    )
    if any(values and document.get(name) not in values for name, values in wanted):
        return False
    if job_filter.without_entry and document.get("entryId") is not None:
        return False
    before = job_filter.changed_before
    return before is None or str(document.get("changedTime")) < before


def encode_cursor(key: str) -> str:
    """Return the cursor of a page whose last document has this key."""
    return base64.urlsafe_b64encode(key.encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> str:
    """Return the key in a cursor. `ValueError` if no listing gave it."""
    try:
        return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, ValueError) as error:
        raise ValueError("the cursor is not one that a listing returned") from error
