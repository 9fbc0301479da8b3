"""What people see of the pools on the web page: a small document a pool in the datastore.

Written by a task of its own, so that a datastore that is slow or away never holds up a
pool. Documents expire: of an operator that is gone nothing is told for long.
"""

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Any

from zerog.model.errors import DatastoreError
from zerog.store import open_datastore
from zerog.store.port import Datastore
from zerog_operator.pool import PoolSpec

log = logging.getLogger(__name__)

#: How often changes are written, at most.
WRITE_SECONDS = 2.0
#: What has not changed is written again before it expires.
AGAIN_SECONDS, EXPIRE_SECONDS = 60.0, 180.0
_TOLD = ("replicas", "readyReplicas", "desiredReplicas", "starting", "retiring", "busy")

Key = tuple[str, str]


class Board:
    """The pools as last seen, kept up to date in the datastore, if there is one."""

    def __init__(self, url: str | None) -> None:
        self._url = url
        self._shown: dict[Key, dict[str, Any]] = {}
        self._written: dict[Key, tuple[dict[str, Any], float]] = {}

    def show(self, key: Key, spec: PoolSpec, status: Mapping[str, Any]) -> None:
        """Tell of a pool. `key` is its namespace and name."""
        self._shown[key] = pool_document(key, spec, status)

    def forget(self, key: Key) -> None:
        """The pool is gone, or no longer ours."""
        self._shown.pop(key, None)

    async def run(self) -> None:
        """Write what has changed, for ever."""
        if self._url is None:
            return
        store: Datastore | None = None
        try:
            while True:
                await asyncio.sleep(WRITE_SECONDS)
                try:
                    store = store or await open_datastore(self._url)
                    await self.write(store, time.monotonic())
                except DatastoreError as error:
                    log.warning("the pools are not told to the web page: %s", error)
        finally:
            if store is not None:
                await store.close()

    async def write(self, store: Datastore, now: float) -> None:
        """Write the documents that are new, changed or about to expire; remove those of no pool."""
        for key, document in list(self._shown.items()):
            before, when = self._written.get(key, ({}, 0.0))
            if document == before and now - when < AGAIN_SECONDS:
                continue
            await store.upsert("pools", "::".join(key), document, expire_seconds=EXPIRE_SECONDS)
            self._written[key] = (document, now)
        for key in self._written.keys() - self._shown.keys():
            await store.remove("pools", "::".join(key))
            del self._written[key]


def pool_document(key: Key, spec: PoolSpec, status: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is told of a pool. Pure."""
    ready = next((item for item in status["conditions"] if item["type"] == "Ready"), None)
    return {
        "namespace": key[0],
        "name": key[1],
        "queue": spec.queue,
        "minReplicas": spec.min_replicas,
        "maxReplicas": spec.max_replicas,
        **{name: status[name] for name in _TOLD if name in status},
        "decision": status["lastDecision"]["reason"],
        "ready": ready["status"] if ready else "Unknown",
        "message": ready["message"] if ready else "",
    }
