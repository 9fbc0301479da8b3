"""Open a datastore as the edges of a process do: with what the environment says of Couchbase."""

import os
from typing import Any

from zerog import store
from zerog.settings import CouchbaseSettings, load
from zerog.store.port import Datastore


def couchbase_settings() -> CouchbaseSettings:
    """Return what the environment says of Couchbase."""
    return load(CouchbaseSettings, os.environ)


async def open_datastore(url: str, **options: Any) -> Datastore:
    """Open the datastore that a URL names, with the environment's settings."""
    return await store.open_datastore(url, couchbase_settings(), **options)
