"""Idempotency keys: which jobs a client's key stands for, for as long as it is remembered.

A key is taken first, with the UUIDs that the jobs will have: a repeat after a crash between the two
writes finishes what the first request began. Once the jobs are accepted the key says so, and a
repeat never runs them again, not even when they are gone: finished, expired or deleted.
"""

from msgspec.structs import replace

from zerog.model.documents import Remembered, read, write
from zerog.model.errors import DocumentExistsError, DocumentNotFoundError
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
            return replace(remembered, accepted=False)
        return read(stored.document, Remembered)
    return None


async def look_up(store: Datastore, key: str) -> Remembered | None:
    """Return what a key stands for, None if it is not taken."""
    stored = await store.get("idempotency", key)
    return None if stored is None else read(stored.document, Remembered)


async def note_accepted(store: Datastore, key: str) -> None:
    """Note, durably, that a key's jobs are accepted. A repeat does no harm."""
    try:
        await store.patch("idempotency", key, [PatchOp("set", ("accepted",), True)], durable=True)
    except DocumentNotFoundError:
        pass  # it has expired
