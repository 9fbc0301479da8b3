"""The one cache of pods: which pods does a pool have, and how fresh is that?

The contract:

- A pod belongs to the pool whose UID its controller reference holds. Labels only narrow what is
  listed and watched, so a pod that merely carries our label is not in here.
- kopf's watch, our own lists and the answers to our own calls all bring sightings of pods. The
  newest one counts, by `resourceVersion`, in whatever order they arrive.
- A created pod is here from the moment its creation was answered. A pod goes when the watch shows
  its end or when a later list does not have it. What is gone does not come back.
- `of` returns all pods of a pool, or `Unknown` while no list is complete or the API server has
  not answered for `FRESH_SECONDS`.

A watch may be silent or late, and after 410 Gone kopf does not report what went meanwhile. So
`keep_fresh` asks the API server every second whether it is there, and lists all pods now and then,
soon after anything doubtful.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from zerog_operator import names
from zerog_operator.cluster import CallError, Cluster
from zerog_operator.model import Unknown, WorkerState
from zerog_operator.pods import PodFacts, parse_departed, parse_pod

log = logging.getLogger(__name__)

HEARTBEAT_SECONDS = 1.0
#: Without an answer of the API server for this long, what was seen is too old.
FRESH_SECONDS = 4.0
#: All pods are listed this often when all is well …
LIST_SECONDS = 30.0
#: … and this often while the watch has not shown something that exists.
UNSEEN_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class _Sighting:
    facts: PodFacts
    namespace: str
    #: API servers number all changes of one resource upwards.
    version: int
    #: Whether the watch has shown the pod like this.
    watched: bool


class Inventory:
    """The pods of all pools, by the UID of the pool that owns them. Does no I/O."""

    def __init__(self) -> None:
        self._pods: dict[str, dict[str, _Sighting]] = {}
        #: Uids of pods that are gone: (namespace, version of the end), until a later list.
        self._gone: dict[str, tuple[str, int]] = {}
        #: By pool: how to wake its loop, and workers that went since it asked last.
        self._wakers: dict[str, Callable[[], None]] = {}
        self._departed: dict[str, list[PodFacts]] = {}
        self._cordoned: set[str] = set()
        self._listed_at = self._answered_at = float("-inf")
        self._doubted = True
        self._trouble = ""
        #: Set once all pods were listed.
        self.complete = asyncio.Event()

    def of(self, pool: str) -> tuple[PodFacts, ...] | Unknown:
        """Return all pods of a pool, or why nobody knows them."""
        silent = time.monotonic() - self._answered_at
        if not self.complete.is_set():
            return Unknown("PodsNotListed", self._trouble or "the pods are being listed")
        if silent > FRESH_SECONDS:
            return Unknown("ApiServerUnreachable", f"no answer for {silent:.0f} s: {self._trouble}")
        return tuple(self._note_node(seen.facts) for seen in self._pods.get(pool, {}).values())

    def placed(self) -> Iterator[tuple[str, PodFacts]]:
        """Yield all pods as last seen, each with its namespace."""
        return ((seen.namespace, seen.facts) for _, _, seen in list(self._all()))

    def follow(self, pool: str, wake: Callable[[], None]) -> None:
        """Call `wake` at every change of the pool's pods from now on."""
        self._wakers[pool], self._departed[pool] = wake, []

    def forget(self, pool: str) -> None:
        """End what `follow` began."""
        self._wakers.pop(pool, None)
        self._departed.pop(pool, None)

    def take_departed(self, pool: str) -> tuple[PodFacts, ...]:
        """Return the pods of a followed pool that were watched to go, each of them once."""
        departed = tuple(self._departed.get(pool, ()))
        self._departed[pool] = []
        return departed

    def put(self, body: Mapping[str, Any], *, watched: bool = False) -> None:
        """Take in a sighting of a pod."""
        metadata = body["metadata"]
        pool, uid, version = pool_of(body), metadata["uid"], int(metadata["resourceVersion"])
        if pool is None or uid in self._gone:
            return
        pods = self._pods.setdefault(pool, {})
        before = pods.get(uid)
        if before is not None and before.version > version:
            return
        if before is not None and before.version == version:
            # What was noted of it since stays.
            pods[uid] = replace(before, watched=before.watched or watched)
            return
        pods[uid] = _Sighting(parse_pod(body), metadata["namespace"], version, watched)
        self._wake(pool)

    def remove(self, body: Mapping[str, Any]) -> None:
        """Take in that the watch has shown a pod's end."""
        metadata = body["metadata"]
        pool, uid = pool_of(body), metadata["uid"]
        if pool is None or uid in self._gone:
            return
        self._gone[uid] = metadata["namespace"], int(metadata["resourceVersion"])
        self._drop(pool, uid)
        # One that lost its label still runs: it is not ours any more, and did not end.
        if pool in self._departed and names.POOL_LABEL in metadata.get("labels", {}):
            self._departed[pool].append(parse_departed(body))
        self._wake(pool)

    def note_deleted(self, pool: str, uid: str) -> None:
        """Take in that a delete was accepted: the pod ends, whatever the watch still shows."""
        if (seen := self._pods.get(pool, {}).get(uid)) is not None:
            worker = replace(seen.facts.worker, state=WorkerState.ENDING)
            facts = replace(seen.facts, worker=worker, finished=False)
            self._pods[pool][uid] = replace(seen, facts=facts)

    def note_node(self, node: str, *, cordoned: bool) -> None:
        """Take in whether a node is about to go."""
        (self._cordoned.add if cordoned else self._cordoned.discard)(node)

    def doubt(self) -> None:
        """Let the next list come at once: something may have happened unseen."""
        self._doubted = True

    def is_list_due(self, now: float) -> bool:
        """Whether all pods should be listed now."""
        unseen = any(not seen.watched for _, _, seen in self._all())
        pause = UNSEEN_SECONDS if unseen else LIST_SECONDS
        return self._doubted or now - self._listed_at >= pause

    def begin_list(self, now: float) -> None:
        """Take in that all pods are listed from now on: a later doubt needs another list."""
        self._listed_at, self._doubted = now, False

    def end_list(self, namespace: str | None, listed: Collection[str], version: int) -> None:
        """Take in that a list of a namespace (None: of all) had exactly these uids."""
        for pool, uid, seen in list(self._all()):
            here = namespace in (None, seen.namespace)
            if here and uid not in listed and seen.version <= version:
                self._drop(pool, uid)
                self._wake(pool)
        self._gone = {
            uid: (place, end)
            for uid, (place, end) in self._gone.items()
            if end > version or namespace not in (None, place)
        }

    def note_answer(self, now: float) -> None:
        """Take in that the API server has answered."""
        self._answered_at = now

    def note_trouble(self, trouble: str) -> None:
        """Take in that it has not; what happens meanwhile may be missed by the watch, too."""
        self._trouble = trouble
        self.doubt()

    def _all(self) -> Iterator[tuple[str, str, _Sighting]]:
        for pool, pods in self._pods.items():
            for uid, seen in pods.items():
                yield pool, uid, seen

    def _drop(self, pool: str, uid: str) -> None:
        pods = self._pods.get(pool, {})
        pods.pop(uid, None)
        if not pods:
            self._pods.pop(pool, None)

    def _wake(self, pool: str) -> None:
        if (wake := self._wakers.get(pool)) is not None:
            wake()

    def _note_node(self, facts: PodFacts) -> PodFacts:
        if facts.worker.node not in self._cordoned:
            return facts
        return replace(facts, worker=replace(facts.worker, node_draining=True))


def pool_of(body: Mapping[str, Any]) -> str | None:
    """Return the UID of the pool that owns a pod; None for a pod of anybody else."""
    for owner in body["metadata"].get("ownerReferences") or ():
        ours = owner["kind"] == names.KIND and owner["apiVersion"].startswith(f"{names.GROUP}/")
        if ours and owner.get("controller"):
            return str(owner["uid"])
    return None


async def keep_fresh(
    inventory: Inventory,
    cluster: Cluster,
    namespaces: tuple[str, ...],
    after_list: Callable[[], Awaitable[None]],
) -> None:
    """Ask the API server whether it is there, and what is there, for ever."""
    while True:
        try:
            if inventory.is_list_due(time.monotonic()):
                await list_pods(inventory, cluster, namespaces)
                await after_list()
            else:
                await cluster.ping()
            inventory.note_answer(time.monotonic())
        except CallError as error:
            inventory.note_trouble(str(error))
            log.warning("%s", error)
        await asyncio.sleep(HEARTBEAT_SECONDS)


async def list_pods(inventory: Inventory, cluster: Cluster, namespaces: tuple[str, ...]) -> None:
    """List all pods of all pools into the inventory."""
    inventory.begin_list(time.monotonic())
    for namespace in namespaces or (None,):
        listed: set[str] = set()
        version = 0
        async for page in cluster.list_pods(namespace):
            version = page.version
            for body in page.items:
                listed.add(body["metadata"]["uid"])
                inventory.put(body)
        inventory.end_list(namespace, listed, version)
    inventory.note_answer(time.monotonic())
    inventory.complete.set()
