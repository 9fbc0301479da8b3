"""What the operator's parts share: clients, what the watches have seen, and whether that is fresh.

The watches are kopf's; they fill the indices that `facts_of` reads. An index says nothing of its
own age, so a heartbeat asks the API server every second: without an answer the list of pods is
`Unknown`, and nothing is decided on what was seen before. Now and then, and after every trouble,
the heartbeat is a list, by which the index is put right (`sightings`).
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from zerog_operator import names
from zerog_operator.apply import Applier
from zerog_operator.board import Board
from zerog_operator.causes import CauseRecorder
from zerog_operator.cluster import CallError, Cluster
from zerog_operator.metrics import Metrics
from zerog_operator.model import Unknown, Workers
from zerog_operator.pods import PodFacts, parse_pod
from zerog_operator.records import Records
from zerog_operator.settings import OperatorSettings
from zerog_operator.sightings import PoolKey, Sightings
from zerog_operator.tubes import Tubes

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 1.0
#: Without an answer of the API server for so long, what was seen is too old.
FRESH_SECONDS = 4.0

Index = Mapping[Any, Iterable[Any]]


@dataclass
class World:
    """One per operator process."""

    settings: OperatorSettings
    cluster: Cluster
    tubes: Tubes
    applier: Applier
    causes: CauseRecorder
    metrics: Metrics
    records: Records
    board: Board
    sightings: Sightings
    #: Workers' pods that are gone, each until its pool's loop has asked why.
    departed: dict[PoolKey, list[PodFacts]] = field(default_factory=dict)
    pods: Index = field(default_factory=dict)
    nodes: Index = field(default_factory=dict)
    last_contact: float = field(default_factory=time.monotonic)
    trouble: str = ""
    #: Whether this replica acts.
    active: bool = False
    #: When each pool's loop last turned, by `time.monotonic()`.
    turns: dict[PoolKey, float] = field(default_factory=dict)

    def facts_of(self, namespace: str, pool: str) -> list[PodFacts]:
        """Return the pods of a pool as last seen."""
        indexed = self.pods.get((namespace, pool), ())
        found = self.sightings.merge((namespace, pool), indexed)
        return [_note_node(facts, self.nodes) for facts in found]

    def workers_of(
        self, facts: Iterable[PodFacts], now: float, node_wait_seconds: float
    ) -> Workers | Unknown:
        """Return the workers among the pods, or why nobody knows."""
        silent = time.monotonic() - self.last_contact
        if silent > FRESH_SECONDS:
            return Unknown("ApiServerUnreachable", f"no answer for {silent:.0f} s: {self.trouble}")
        workers = (item for item in facts if item.role == names.ROLE_WORKER)
        return Workers(tuple(item.worker_at(now, node_wait_seconds) for item in workers))

    async def heartbeat(self, after_list: Callable[[], Awaitable[None]]) -> None:
        """Ask the API server whether it is there, and what is there, for ever."""
        while True:
            try:
                if self.sightings.is_list_due(time.monotonic()):
                    await self.list_pods()
                    await after_list()
                else:
                    await self.cluster.ping()
                self.last_contact = time.monotonic()
            except CallError as error:
                self.trouble = str(error)
                # What happens meanwhile may be missed by the watches, too.
                self.sightings.doubt()
                log.warning("%s", error)
            except Exception:  # without it nobody would know any more what is there
                self.sightings.doubt()
                log.exception("heartbeat")
            await asyncio.sleep(HEARTBEAT_SECONDS)

    async def list_pods(self) -> None:
        """Put right what the watch has shown."""
        indexed = frozenset(self._indexed_pods())
        self.sightings.begin_list(indexed, time.monotonic())
        listed: set[str] = set()
        missing: dict[str, tuple[PoolKey, PodFacts]] = {}
        for namespace in self.settings.namespaces or (None,):
            async for body in self.cluster.list_pods(namespace):
                metadata = body["metadata"]
                listed.add(metadata["uid"])
                if metadata["uid"] not in indexed:
                    pool = metadata["labels"][names.POOL_LABEL]
                    missing[metadata["uid"]] = ((metadata["namespace"], pool), parse_pod(body))
        self.sightings.end_list(listed, missing)

    def _indexed_pods(self) -> Iterable[str]:
        return (facts.worker.uid for pool in list(self.pods) for facts in self.pods[pool])


def _note_node(facts: PodFacts, nodes: Index) -> PodFacts:
    draining = any(nodes.get(facts.worker.node, ()))
    if not draining:
        return facts
    return replace(facts, worker=replace(facts.worker, node_draining=True))
