"""The job types that worker images registered."""

from collections.abc import Iterable
from datetime import datetime

from msgspec.structs import replace

from zerog.ledger import readable
from zerog.model.documents import TypeDocument, write
from zerog.store.port import Datastore


async def register(store: Datastore, types: Iterable[TypeDocument], now: datetime) -> None:
    """Write types, so that the API accepts their jobs. A repeat does no harm."""
    for job_type in types:
        document = write(replace(job_type, registered_time=now))
        await store.upsert("types", job_type.name, document)


async def read_all(store: Datastore) -> dict[str, tuple[TypeDocument, str]]:
    """Return the registered types that can be read by name, each with its revision."""
    return await readable.read_collection(store, "types", TypeDocument)
