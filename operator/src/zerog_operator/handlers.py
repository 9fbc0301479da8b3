"""What kopf calls: it keeps the watches, which feed the inventory and the loops. Decides nothing.

Only `on.event` handlers are used: they put no finalizer on pools and no annotations, so a pool can
be deleted while no operator runs. kopf's indices would be a second cache, which shows pods that
went while nobody watched.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

import kopf

from zerog.model.backoff import Backoff
from zerog_operator import names
from zerog_operator.cluster import PAGE, Cluster
from zerog_operator.inventory import Inventory
from zerog_operator.reconcile import PoolLoop, PoolParts

#: A call that gets no connection and no answer ends after so long.
CONNECT_SECONDS, REQUEST_SECONDS = 5, 15
#: A watch is begun anew so often, so that a silent one is noticed.
WATCH_SECONDS = 60
#: A pool whose loop has not turned for so long is stuck: every call of a look has a deadline.
STUCK_SECONDS = 120.0

#: Between tries to reach the API server.
RETRY = Backoff(0.4, 3.0)


class Forever:
    """kopf's pauses between tries; it gives up when they end, so they do not."""

    def __iter__(self) -> Iterator[float]:
        return map(RETRY.pause, count(1))


def configure(settings: kopf.OperatorSettings) -> None:
    """Set what kopf has no good default for."""
    settings.scanning.disabled = True
    settings.networking.request_timeout = REQUEST_SECONDS
    settings.networking.connect_timeout = CONNECT_SECONDS
    settings.networking.error_backoffs = Forever()
    settings.watching.server_timeout = WATCH_SECONDS
    settings.watching.client_timeout = WATCH_SECONDS + REQUEST_SECONDS
    settings.watching.connect_timeout = CONNECT_SECONDS
    settings.watching.label_selectors["", "v1", "pods"] = names.POOL_LABEL
    settings.watching.chunk_size = PAGE
    settings.posting.reporting_component = "zerog-operator"
    settings.posting.event_name_prefix = "zerog-"
    settings.persistence.finalizer = f"{names.GROUP}/operator"


class Pools:
    """The loops of all pools."""

    def __init__(self, parts: PoolParts) -> None:
        self._parts = parts
        self.loops: dict[tuple[str, str], PoolLoop] = {}
        self._stopped = False

    async def changed(self, kind: str | None, body: Mapping[str, Any]) -> None:
        """Take note of an event of a pool; `kind` is None for those that were there."""
        metadata = body["metadata"]
        key = metadata["namespace"], metadata["name"]
        loop = self.loops.get(key)
        # One that waits for its finalizers is as good as gone: its pods shall not come again.
        gone = kind == "DELETED" or bool(metadata.get("deletionTimestamp"))
        if loop is not None and (gone or loop.identity.uid != metadata["uid"]):
            await self.loops.pop(key).stop()
            loop = None
        if gone or self._stopped:
            return
        if loop is None:
            self.loops[key] = PoolLoop(self._parts, body)
        else:
            loop.update(body)

    async def forget_gone(self, cluster: Cluster, namespaces: tuple[str, ...]) -> None:
        """End the loops of pools whose end was missed."""
        before = {key: loop.identity.uid for key, loop in self.loops.items()}
        there: set[str] = set()
        for namespace in namespaces or (None,):
            async for page in cluster.list_pools(namespace):
                there.update(pool["metadata"]["uid"] for pool in page.items)
        for key, uid in before.items():
            loop = self.loops.get(key)
            if uid not in there and loop is not None and loop.identity.uid == uid:
                await self.loops.pop(key).stop()

    def stuck(self) -> list[str]:
        """Return the pools whose loops do not turn any more."""
        late = time.monotonic() - STUCK_SECONDS
        return sorted("/".join(key) for key, loop in self.loops.items() if loop.turned < late)

    async def stop(self) -> None:
        """End all loops; none is begun any more."""
        self._stopped = True
        await asyncio.gather(*[loop.stop() for loop in self.loops.values()])


def register(
    registry: kopf.OperatorRegistry, pools: Pools, inventory: Inventory, *, watch_nodes: bool
) -> None:
    """Add the handlers to a registry."""

    def doubt_after_gap(event: Any) -> None:
        # Without a type it was listed, not watched: what went before is not told.
        if event["type"] is None:
            inventory.doubt()

    @kopf.on.login(registry=registry)
    def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)

    @kopf.on.event("", "v1", "pods", registry=registry)
    async def pod_changed(event: Any, body: kopf.Body, **_: Any) -> None:
        doubt_after_gap(event)
        if event["type"] == "DELETED":
            inventory.remove(body)
        else:
            inventory.put(body, watched=True)

    @kopf.on.event(names.GROUP, names.VERSION, names.PLURAL, registry=registry)
    async def pool_changed(event: Any, body: kopf.Body, **_: Any) -> None:
        doubt_after_gap(event)
        await pools.changed(event["type"], dict(body))

    if watch_nodes:

        @kopf.on.event("", "v1", "nodes", registry=registry)
        async def node_changed(event: Any, body: kopf.Body, **_: Any) -> None:
            cordoned = bool(body["spec"].get("unschedulable")) and event["type"] != "DELETED"
            inventory.note_node(body["metadata"]["name"], cordoned=cordoned)
