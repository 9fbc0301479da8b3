"""What people see of the pools on the web page: a small document a pool in the datastore.

Written by a task of its own, so that a datastore that is slow or away never holds up a
pool. Documents expire: of an operator that is gone nothing is told for long.

The same task reads which types of the pools' queues are unserved; a pool's loop only looks at
what it has found.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from zerog.ledger.unserved import Unserved
from zerog.model.documents import PoolDocument, write
from zerog.model.errors import DatastoreError
from zerog.store.port import Datastore
from zerog_operator.pool import PoolSpec

log = logging.getLogger(__name__)

#: How often changes are written, at most.
WRITE_SECONDS = 2.0
#: What has not changed is written again before it expires.
AGAIN_SECONDS, EXPIRE_SECONDS = 60.0, 180.0

Key = tuple[str, str]


class Board:
    """The pools as last seen, kept up to date in the datastore, if there is one to open."""

    def __init__(self, open_store: Callable[[], Awaitable[Datastore]] | None) -> None:
        self._open_store = open_store
        self._shown: dict[Key, PoolDocument] = {}
        self._written: dict[Key, tuple[PoolDocument, float]] = {}
        self._unserved = Unserved()

    def show(self, key: Key, spec: PoolSpec, status: Mapping[str, Any]) -> None:
        """Tell of a pool. `key` is its namespace and name."""
        self._shown[key] = pool_document(key, spec, status)

    def forget(self, key: Key) -> None:
        """The pool is gone, or no longer ours."""
        self._shown.pop(key, None)

    def unserved(self, queue: str) -> tuple[str, ...] | None:
        """Return the types of a queue that no worker of it knows, as last seen; None: unknown."""
        found = self._unserved.found.get(queue)
        return None if found is None else tuple(found)

    async def run(self) -> None:
        """Write what has changed, and look for unserved types, for ever."""
        if self._open_store is None:
            return
        store: Datastore | None = None
        try:
            while True:
                await asyncio.sleep(WRITE_SECONDS)
                try:
                    store = store or await self._open_store()
                    await self.write(store, time.monotonic())
                    await self.look(store, time.monotonic())
                except DatastoreError as error:
                    log.warning("the pools are not shown on the web page: %s", error)
                except Exception:  # one pool's status must not end this for all pools
                    log.exception("the pools are not shown on the web page")
        finally:
            if store is not None:
                await store.close()

    async def write(self, store: Datastore, now: float) -> None:
        """Write the documents that are new, changed or about to expire; remove those of no pool."""
        for key, document in list(self._shown.items()):
            before, when = self._written.get(key, (None, 0.0))
            if document == before and now - when < AGAIN_SECONDS:
                continue
            try:
                await store.upsert(
                    "pools", document.key, write(document), expire_seconds=EXPIRE_SECONDS
                )
            except DatastoreError as error:
                if error.transient:
                    raise
                log.warning("the pool %s is not shown on the web page: %s", document.key, error)
            self._written[key] = (document, now)
        for key in self._written.keys() - self._shown.keys():
            await store.remove("pools", "::".join(key))
            del self._written[key]

    async def look(self, store: Datastore, now: float) -> None:
        """Look which types are unserved, if there is a pool that asks and the last look is old."""
        if self._shown:
            await self._unserved.look(store, now)


def pool_document(key: Key, spec: PoolSpec, status: Mapping[str, Any]) -> PoolDocument:
    """Return what people see of a pool. Pure."""
    ready = next((item for item in status["conditions"] if item["type"] == "Ready"), None)
    return PoolDocument(
        *key,
        queue=spec.queue,
        min_replicas=spec.min_replicas,
        max_replicas=spec.max_replicas,
        decision=status["lastDecision"]["reason"],
        ready=ready["status"] if ready else "Unknown",
        message=ready["message"] if ready else "",
        replicas=status.get("replicas"),
        ready_replicas=status.get("readyReplicas"),
        desired_replicas=status.get("desiredReplicas"),
        starting=status.get("starting"),
        retiring=status.get("retiring"),
        busy=status.get("busy"),
    )
