"""How long the documents beside a job's record are kept: as long as the record itself.

Whoever finishes a job (worker, API, a claim that finds it cancelled) lets its progress, log
lines and blobs vanish when the record does; whoever replays it keeps what it still needs.
"""

import contextlib

from zerog.model import life
from zerog.model.documents import events_key, input_key, output_key
from zerog.model.errors import DatastoreError
from zerog.model.record import JobRecord
from zerog.store.port import Datastore

#: Longer than any job may be delayed; a job that ends sets its own time anew.
REPLAY_SECONDS = 2 * 366 * 86400.0


async def expire_side_documents(store: Datastore, record: JobRecord) -> None:
    """Let what belongs to a finished job vanish with it. A store that is away keeps it longer."""
    seconds = life.retention_seconds(record)
    with contextlib.suppress(DatastoreError):
        await store.expire("progress", record.uuid, seconds)
        if record.has_input_blob:
            await store.expire("blobs", input_key(record.uuid), seconds)
        if record.output_blob_attempt is not None:
            key = output_key(record.uuid, record.output_blob_attempt)
            await store.expire("blobs", key, seconds)
        for attempt in record.attempts:
            chunk = 0
            while await store.expire(
                "events", events_key(record.uuid, attempt.number, chunk), seconds
            ):
                chunk += 1


async def keep_input(store: Datastore, record: JobRecord) -> None:
    """Keep a replayed job's parameters until it has run."""
    if record.has_input_blob:
        await store.expire("blobs", input_key(record.uuid), REPLAY_SECONDS)
