"""Idempotency keys: which jobs a client's key stands for, for as long as it is remembered.

A key is taken first, with the UUIDs that the jobs will have: a repeat after a crash between the two
writes finishes what the first request began. A job's record names its key. While there is a record
it shows that the job was accepted; before it is removed, by a delete or by its retention, the key
notes that the job has ended. So a repeat never runs a job again.
"""

from zerog.model.documents import Remembered, read, write
from zerog.model.errors import DocumentExistsError, DocumentNotFoundError
from zerog.model.record import JobRecord
from zerog.store.port import Datastore, PatchOp


async def remember(
    store: Datastore, key: str, remembered: Remembered, seconds: float
) -> Remembered | None:
    """Take a key, durably. Return what it stood for already, None if it is taken now."""
    try:
        await store.insert(
            "idempotency", key, write(remembered), durable=True, expire_seconds=seconds
        )
    except DocumentExistsError:
        stored = await store.get("idempotency", key)
        if stored is None:  # it has expired just now
            return remembered
        return read(stored.document, Remembered)
    return None


async def look_up(store: Datastore, key: str) -> Remembered | None:
    """Return what a key stands for, None if it is not taken."""
    stored = await store.get("idempotency", key)
    return None if stored is None else read(stored.document, Remembered)


async def note_ended(store: Datastore, record: JobRecord) -> None:
    """Note, durably, that a job has ended which may be forgotten before its key is.

    A repeat does no harm.
    """
    if record.idempotency_key is None:
        return
    op = PatchOp("set", ("ended", record.uuid), True)
    try:
        await store.patch("idempotency", record.idempotency_key, [op], durable=True)
    except DocumentNotFoundError:
        pass  # it has expired
