"""What people see of the pools on the web page: a small document per pool in the datastore.

A pool's loop only hands over what is to be shown; `bookkeeping` does the writing. Documents
expire: nothing is shown for long of an operator that is gone.
"""

import logging
from collections.abc import Mapping
from typing import Any

from zerog.model.documents import PoolDocument, write
from zerog.model.errors import DatastoreError
from zerog.store.port import Datastore
from zerog_operator.pool import PoolSpec
from zerog_operator.windows import bounds_at

log = logging.getLogger(__name__)

#: How often changes are written, at most.
WRITE_SECONDS = 2.0
#: What has not changed is written again before it expires.
AGAIN_SECONDS, EXPIRE_SECONDS = 60.0, 180.0

Key = tuple[str, str]


class Board:
    """The pools as last seen."""

    def __init__(self) -> None:
        self._next = 0.0
        self._shown: dict[Key, PoolDocument] = {}
        self._written: dict[Key, tuple[PoolDocument, float]] = {}

    def show(self, key: Key, spec: PoolSpec, status: Mapping[str, Any], now: float) -> None:
        """Tell of a pool at a Unix time. `key` is its namespace and name."""
        self._shown[key] = pool_document(key, spec, status, now)

    def forget(self, key: Key) -> None:
        """The pool is gone, or no longer ours."""
        self._shown.pop(key, None)

    async def work(self, store: Datastore, now: float) -> None:
        """Write what has changed, not too often."""
        if now < self._next:
            return
        self._next = now + WRITE_SECONDS
        await self.write(store, now)

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


def pool_document(key: Key, spec: PoolSpec, status: Mapping[str, Any], now: float) -> PoolDocument:
    """Return what people see of a pool, with the bounds that hold at a Unix time. Pure."""
    bounds = bounds_at(spec, now)
    ready = next((item for item in status["conditions"] if item["type"] == "Ready"), None)
    return PoolDocument(
        *key,
        queue=spec.queue,
        min_replicas=bounds.least,
        max_replicas=bounds.most,
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
