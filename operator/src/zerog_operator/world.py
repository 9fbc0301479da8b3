"""What the operator's parts share: clients, what the watches have seen, and whether that is fresh.

The watches are kopf's; they fill the indices that `pods_of` reads. An index says nothing of its
own age, so a heartbeat asks the API server every few seconds: without an answer the list of pods
is `Unknown`, and nothing is decided on what was seen before.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from zerog_operator import names
from zerog_operator.apply import Applier
from zerog_operator.causes import CauseRecorder
from zerog_operator.cluster import CallError, Cluster
from zerog_operator.metrics import Metrics
from zerog_operator.model import Unknown, Workers
from zerog_operator.pods import PodFacts
from zerog_operator.records import Records
from zerog_operator.settings import OperatorSettings
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
    pods: Index = field(default_factory=dict)
    nodes: Index = field(default_factory=dict)
    last_contact: float = field(default_factory=time.monotonic)
    trouble: str = ""
    #: Whether this replica acts.
    active: bool = False
    #: When a pool was last looked at; None before the first look.
    last_look: float | None = None

    def facts_of(self, namespace: str, pool: str) -> list[PodFacts]:
        """Return the pods of a pool as last seen."""
        return [_note_node(facts, self.nodes) for facts in self.pods.get((namespace, pool), ())]

    def workers_of(self, facts: Iterable[PodFacts]) -> Workers | Unknown:
        """Return the workers among the pods, or why nobody knows."""
        silent = time.monotonic() - self.last_contact
        if silent > FRESH_SECONDS:
            return Unknown("ApiServerUnreachable", f"no answer for {silent:.0f} s: {self.trouble}")
        return Workers(tuple(item.worker for item in facts if item.role == names.ROLE_WORKER))

    async def heartbeat(self) -> None:
        """Ask the API server whether it is there, for ever."""
        while True:
            try:
                await self.cluster.ping()
                self.last_contact = time.monotonic()
            except CallError as error:
                self.trouble = str(error)
                self.metrics.api_errors.labels(call="ping").inc()
                log.warning("%s", error)
            await asyncio.sleep(HEARTBEAT_SECONDS)


def _note_node(facts: PodFacts, nodes: Index) -> PodFacts:
    draining = any(nodes.get(facts.worker.node, ()))
    if not draining:
        return facts
    return replace(facts, worker=replace(facts.worker, node_draining=True))
