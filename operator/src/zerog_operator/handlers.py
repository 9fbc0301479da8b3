"""What kopf calls: it keeps the watches and indices, and wakes the loops. Nothing is decided here.

Only `on.event` handlers and indices are used: they put no finalizer on pools and no annotations,
so a pool can be deleted while no operator runs.
"""

import asyncio
import logging
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

import kopf

from zerog.model.backoff import Backoff
from zerog_operator import names
from zerog_operator.pods import PodFacts, parse_departed, parse_pod
from zerog_operator.reconcile import PoolLoop
from zerog_operator.world import World

log = logging.getLogger(__name__)

#: A call that gets no connection and no answer ends after so long.
CONNECT_SECONDS, REQUEST_SECONDS = 5, 15
#: A watch is begun anew so often, so that a silent one is noticed.
WATCH_SECONDS = 60


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
    settings.posting.reporting_component = "zerog-operator"
    settings.posting.event_name_prefix = "zerog-"
    settings.persistence.finalizer = f"{names.GROUP}/operator"


class Pools:
    """The loops of all pools."""

    def __init__(self, world: World) -> None:
        self.world = world
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
            self.loops[key] = PoolLoop(self.world, body)
        else:
            loop.update(body)

    async def forget_gone(self) -> None:
        """End the loops of pools whose end was missed."""
        before = {key: loop.identity.uid for key, loop in self.loops.items()}
        there: set[str] = set()
        for namespace in self.world.settings.namespaces or (None,):
            async for pool in self.world.cluster.list_pools(namespace):
                there.add(pool["metadata"]["uid"])
        for key, uid in before.items():
            loop = self.loops.get(key)
            if uid not in there and loop is not None and loop.identity.uid == uid:
                await self.loops.pop(key).stop()

    def wake(self, namespace: str, pool: str) -> None:
        """Let a pool's loop look at its pods."""
        loop = self.loops.get((namespace, pool))
        if loop is not None:
            loop.wake()

    async def stop(self) -> None:
        """End all loops; none is begun any more."""
        self._stopped = True
        await asyncio.gather(*[loop.stop() for loop in self.loops.values()])


def register(registry: kopf.OperatorRegistry, pools: Pools, *, watch_nodes: bool) -> None:
    """Add the handlers to a registry."""
    ours = {names.POOL_LABEL: kopf.PRESENT}

    def doubt_after_gap(event: Any) -> None:
        # Without a type it was listed, not watched: what went before is not told.
        if event["type"] is None:
            pools.world.sightings.doubt()

    @kopf.on.login(registry=registry)
    def login(**kwargs: Any) -> kopf.ConnectionInfo | None:
        return kopf.login_with_service_account(**kwargs) or kopf.login_with_kubeconfig(**kwargs)

    @kopf.index("", "v1", "pods", id="pods", labels=ours, registry=registry)
    def pods(body: kopf.Body, **_: Any) -> dict[tuple[str, str], PodFacts]:
        metadata = body["metadata"]
        return {(metadata["namespace"], metadata["labels"][names.POOL_LABEL]): parse_pod(body)}

    @kopf.on.event("", "v1", "pods", labels=ours, registry=registry)
    async def pod_changed(event: Any, body: kopf.Body, **_: Any) -> None:
        metadata = body["metadata"]
        pools.world.sightings.settle(metadata["uid"])
        doubt_after_gap(event)
        pool = metadata["namespace"], metadata["labels"][names.POOL_LABEL]
        if event["type"] == "DELETED" and pool in pools.loops:
            pools.world.departed.setdefault(pool, []).append(parse_departed(dict(body)))
        pools.wake(*pool)

    @kopf.on.event(names.GROUP, names.VERSION, names.PLURAL, registry=registry)
    async def pool_changed(event: Any, body: kopf.Body, **kwargs: Any) -> None:
        doubt_after_gap(event)
        pools.world.pods = kwargs["pods"]
        pools.world.nodes = kwargs.get("nodes", {})
        await pools.changed(event["type"], dict(body))

    if watch_nodes:

        @kopf.index("", "v1", "nodes", id="nodes", registry=registry)
        def nodes(body: kopf.Body, **_: Any) -> dict[str, bool]:
            return {body["metadata"]["name"]: bool(body["spec"].get("unschedulable"))}
