"""The job types that worker images registered."""

from collections.abc import Iterable
from datetime import datetime

from msgspec import UNSET
from msgspec.structs import replace

from zerog.ledger import readable
from zerog.model.documents import TypeDocument, schema_hash, write
from zerog.store.port import Datastore


async def register(
    store: Datastore,
    types: Iterable[TypeDocument],
    now: datetime,
    *,
    template_hash: str | None = None,
) -> None:
    """Write types, so that the API accepts their jobs. A repeat does no harm.

    Of several workers with different schemas for one type, the last to register says what the API
    accepts. The hashes tell which one that was.
    """
    for job_type in types:
        registered = replace(
            job_type,
            registered_time=now,
            schema_hash=schema_hash(job_type.schema),
            template_hash=template_hash or UNSET,
        )
        await store.upsert("types", job_type.name, write(registered))


async def read_all(store: Datastore, *, fresh: bool = False) -> dict[str, tuple[TypeDocument, str]]:
    """Return the registered types that can be read by name, each with its revision.

    A type that was registered a moment before may be missing unless they must be `fresh`.
    """
    return await readable.read_collection(store, "types", TypeDocument, fresh=fresh)
