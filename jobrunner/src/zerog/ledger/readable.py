"""All documents of a small collection: types, workers, pools.

A document that cannot be read is left out, so that it spoils nothing that is asked of the others.
"""

import logging
from typing import TypeVar

from zerog.model.documents import read
from zerog.model.errors import UnreadableDocumentError
from zerog.store.port import Collection, Datastore

log = logging.getLogger(__name__)

T = TypeVar("T")
#: What the log has named: collection → key → why it cannot be read.
_named: dict[str, dict[str, str]] = {}


async def read_collection(
    store: Datastore, collection: Collection, kind: type[T]
) -> dict[str, tuple[T, str]]:
    """Return the documents that can be read by key, in order, each with its revision.

    The log names each of the others once, until it changes or goes.
    """
    stored = await store.scan(collection)
    found, faults = {}, {}
    for key in sorted(stored):
        try:
            found[key] = read(stored[key].document, kind, key), stored[key].revision
        except UnreadableDocumentError as error:
            faults[key] = str(error)
    for key, fault in faults.items():
        if _named.get(collection, {}).get(key) != fault:
            log.error("%s %s is left out: %s", collection, key, fault)
    _named[collection] = faults
    return found
