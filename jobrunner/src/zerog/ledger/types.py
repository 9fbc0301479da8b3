"""The job types that worker images registered, each with its versions.

A version is known by the hash of its schema. One that is new is introduced: the API prefers it to
those before. Workers that register a version again introduce nothing, so an old one that restarts
changes nothing. `zerog describe --register` introduces what it finds in any case: the operator runs
it for each template, so a roll-back introduces the older version again.

A type's document has several writers, so it is written by compare-and-swap.
"""

import logging
from collections.abc import Container, Iterable
from datetime import datetime, timedelta

from msgspec import UNSET
from msgspec.structs import replace

from zerog.ledger import readable
from zerog.model.documents import TypeDocument, WorkerDocument, read, write
from zerog.model.errors import (
    DatastoreError,
    DocumentExistsError,
    DocumentNotFoundError,
    RevisionConflictError,
    UnreadableDocumentError,
)
from zerog.store.port import Datastore, QueuedVersion

log = logging.getLogger(__name__)

#: Versions of one type that are kept: those that somebody needs before others, and those introduced
#: last. Each has a schema, which all readers of types read.
MAX_VERSIONS = 8
#: A version is kept this long after it was seen, so that a worker which is just being restarted is
#: not taken for a new version.
KEEP_FOR = timedelta(days=1)
#: When a version was seen is not written more often.
SEEN_EVERY = timedelta(hours=1)


async def register(
    store: Datastore,
    types: Iterable[TypeDocument],
    now: datetime,
    *,
    template_hash: str | None = None,
    introduce: bool = False,
) -> None:
    """Write types, so that the API accepts their jobs. A repeat does no harm.

    With `introduce` they become the newest versions even if they are known.
    """
    for job_type in types:
        ours = replace(job_type, template_hash=template_hash or UNSET)
        while not await _register(store, ours, now, introduce):
            pass  # another worker was faster, and has registered


async def read_all(store: Datastore, *, fresh: bool = False) -> dict[str, tuple[TypeDocument, str]]:
    """Return the registered types that can be read by name, each with its revision.

    A type that was registered a moment before may be missing unless they must be `fresh`.
    """
    return await readable.read_collection(store, "types", TypeDocument, fresh=fresh)


async def read_some(store: Datastore, names: Iterable[str]) -> dict[str, TypeDocument]:
    """Return those of the named types that can be read, by their keys alone."""
    stored = await store.get_many("types", list(names))
    found, _ = readable.read_each(stored, TypeDocument)
    return {name: job_type for name, (job_type, _) in found.items()}


def registered(
    stored: TypeDocument | None, ours: TypeDocument, now: datetime, *, introduce: bool
) -> TypeDocument:
    """Return a type's document with a version that registers; it may be one too many. Pure.

    Of the same schema with other options, those of the template that introduced it stay; where
    there are no templates, the last to register sets them.
    """
    versions = [] if stored is None else stored.versions
    place = next((n for n, v in enumerate(versions) if v.schema_hash == ours.schema_hash), None)
    if place is None or introduce:
        versions = [each for each in versions if each.schema_hash != ours.schema_hash]
        newest = replace(ours, introduced_time=now, seen_time=now)
        return TypeDocument.of_versions([newest, *versions])
    known = versions[place]
    if ours.template_hash == known.template_hash:
        ours = replace(ours, introduced_time=known.introduced_time, seen_time=known.seen_time)
    else:
        ours = known
    if ours.seen_time is None or now - ours.seen_time >= SEEN_EVERY:
        ours = replace(ours, seen_time=now)
    versions[place] = ours
    return TypeDocument.of_versions(versions)


def pruned(
    document: TypeDocument, served: Container[str], carried: Container[str], now: datetime
) -> TypeDocument:
    """Return a type's document without the versions that nobody needs: not seen lately, served by
    no worker, and carried by no job that waits. Of too many more are dropped: such versions first,
    then those that were introduced first. Pure.
    """
    newest, *others = document.versions
    kept = [newest]
    for version in others:
        if version.schema_hash in served:
            kept.append(replace(version, seen_time=now))
        elif version.schema_hash in carried or not _is_old(version, now):
            kept.append(version)
    droppable = sorted(
        kept[:0:-1], key=lambda each: each.schema_hash in served or each.schema_hash in carried
    )
    surplus = {each.schema_hash for each in droppable[: max(len(kept) - MAX_VERSIONS, 0)]}
    return TypeDocument.of_versions([each for each in kept if each.schema_hash not in surplus])


def _is_old(version: TypeDocument, now: datetime) -> bool:
    return version.seen_time is None or now - version.seen_time >= KEEP_FOR


async def _register(store: Datastore, ours: TypeDocument, now: datetime, introduce: bool) -> bool:
    """Register a type; False if its document was changed meanwhile."""
    stored = await store.get("types", ours.name)
    known = None
    if stored is not None:
        try:
            known = read(stored.document, TypeDocument, ours.name)
        except UnreadableDocumentError:
            pass  # whatever it is, nobody can use it
    document = registered(known, ours, now, introduce=introduce)
    too_many = len(document.versions) > MAX_VERSIONS
    if too_many or any(_is_old(version, now) for version in document.versions[1:]):
        try:
            document = await _without_old(store, document, now)
        except DatastoreError as error:
            # A worker must get to start. One that is needed and lost its version here stays, too.
            document = TypeDocument.of_versions(document.versions[:MAX_VERSIONS])
            log.warning("which versions of %s are needed cannot be read: %s", ours.name, error)
    if document == known:
        return True
    try:
        if stored is None:
            await store.insert("types", ours.name, write(document))
        else:
            await store.replace("types", ours.name, write(document), stored.revision)
    except (DocumentExistsError, DocumentNotFoundError, RevisionConflictError):
        return False
    return True


async def _without_old(store: Datastore, document: TypeDocument, now: datetime) -> TypeDocument:
    # A worker that was killed a moment ago has still a document, and will be back.
    workers = await readable.read_collection(store, "workers", WorkerDocument)
    served = {worker.takes.get(document.name, "") for worker, _ in workers.values()}
    asked: list[QueuedVersion] = [
        (None, document.name, version.schema_hash) for version in document.versions[1:]
    ]
    counts = await store.count_waiting(asked, limit=1)
    carried = {version for (*_, version), count in counts.items() if count}
    return pruned(document, served, carried, now)
