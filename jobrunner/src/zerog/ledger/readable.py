"""All documents of a small collection: types, workers, pools.

A document that cannot be read is left out, so that it spoils nothing that is asked of the others.
So is one that is of another key than its own, or that could not be written again (a number that is
too large for JSON's readers): whoever works with it would stumble later.
"""

import logging
from collections.abc import Mapping
from typing import Protocol, TypeVar

from zerog.model import jsontext
from zerog.model.documents import read
from zerog.model.errors import UnreadableDocumentError
from zerog.store.port import Collection, Datastore, Stored

log = logging.getLogger(__name__)


class Keyed(Protocol):
    """A document that says where it is stored."""

    @property
    def key(self) -> str:
        """Where it is stored."""
        ...


T = TypeVar("T", bound=Keyed)
#: What the log has named: collection → key → why it cannot be read.
_named: dict[str, dict[str, str]] = {}


async def read_collection(
    store: Datastore, collection: Collection, kind: type[T], *, fresh: bool = False
) -> dict[str, tuple[T, str]]:
    """Return the documents that can be read by key, in order, each with its revision.

    The log names each of the others once, until it changes or goes. `fresh` as in `list_jobs`.
    """
    found, faults = read_each(await store.scan(collection, fresh=fresh), kind)
    for key, fault in faults.items():
        if _named.get(collection, {}).get(key) != fault:
            log.error("%s %s is left out: %s", collection, key, fault)
    _named[collection] = faults
    return found


def read_each(
    stored: Mapping[str, Stored], kind: type[T]
) -> tuple[dict[str, tuple[T, str]], dict[str, str]]:
    """Return documents that can be read, each with its revision, and why others cannot be. Pure."""
    found: dict[str, tuple[T, str]] = {}
    faults: dict[str, str] = {}
    for key in sorted(stored):
        try:
            found[key] = _read(stored[key], kind), stored[key].revision
        except UnreadableDocumentError as error:
            faults[key] = str(error)
    return found, faults


def _read(stored: Stored, kind: type[T]) -> T:
    document = read(stored.document, kind, stored.key)
    if document.key != stored.key:
        raise UnreadableDocumentError(f"it is the document of {document.key!r:.50}")
    try:
        jsontext.dumps(stored.document)
    except ValueError as error:
        raise UnreadableDocumentError(str(error)) from error
    return document
