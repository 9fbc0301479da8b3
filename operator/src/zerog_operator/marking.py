"""Mark the pods of busy workers, so that node autoscalers leave their nodes alone meanwhile.

Who knows what a worker runs is the worker: its document in the datastore (`zerog.ledger.workers`).
`Busyness` reads all of them as one of the `bookkeeping`'s books; `keep_marked` compares that with
the inventory and patches pods, in a task of its own. So no pool's loop and no book waits for it.

The invariant: unknown changes nothing. A pod keeps what it has while nobody knows whether its
worker is idle: the datastore cannot be read, the worker was not seen to beat, or it writes no
document.

How long a job runs is a difference of two times of the worker's own clock, which it writes itself.
That a worker lives is seen by its counter and timed by our monotonic clock. No clock is compared
with another one.
"""

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from zerog.ledger.unserved import SHARED_SECONDS
from zerog.ledger.workers import GONE_SECONDS, Observer
from zerog.model.documents import WorkerDocument
from zerog.store.port import Datastore
from zerog_operator import names
from zerog_operator.cluster import CallError, Cluster
from zerog_operator.inventory import Inventory
from zerog_operator.model import WorkerState
from zerog_operator.pods import PodFacts

log = logging.getLogger(__name__)

#: What a busy worker's pod carries: Karpenter's and Cluster Autoscaler's words.
MARKS: Mapping[str, str] = {names.KARPENTER_MARK: "true", names.AUTOSCALER_MARK: "false"}
#: A worker is busy once it has run one job for this long: less is soon done again elsewhere, and
#: is not worth two patches.
BUSY_SECONDS = 30.0
#: Between two looks, at the workers and at the pods. A worker beats as often.
LOOK_SECONDS = 5.0
#: Pods that are patched per look at most, and at the same time.
MAX_PATCHES, PATCHES_AT_ONCE = 100, 20
#: A pod whose patch was refused is left alone for this long.
REFUSED_SECONDS = 60.0
#: Only these may run a job.
_RUNNING = frozenset({WorkerState.READY, WorkerState.RETIRING})


@dataclass(frozen=True, slots=True)
class Marks:
    """A pod whose annotations differ from what they should be."""

    namespace: str
    facts: PodFacts
    busy: bool


class Busyness:
    """Which pods' workers are busy, as last read."""

    def __init__(self, observer: Observer) -> None:
        """`observer` is shared with others who look at the same workers."""
        self._observer = observer
        self._known: dict[str, bool] = {}
        self._next = self._read_at = float("-inf")

    def known(self, now: float) -> Mapping[str, bool]:
        """Return by the pod's name whether its worker is busy. A missing pod: unknown."""
        return self._known if now - self._read_at < GONE_SECONDS else {}

    async def work(self, store: Datastore, now: float) -> None:
        """Read what the workers run, not too often. `now` is a monotonic clock's."""
        if now < self._next:
            return
        self._next = now + LOOK_SECONDS
        living = await self._observer.living(store, now, max_age_seconds=SHARED_SECONDS)
        self._known = busy_pods(
            worker for worker in living if self._observer.has_seen_beating(worker.name)
        )
        self._read_at = now


def busy_pods(workers: Iterable[WorkerDocument]) -> dict[str, bool]:
    """Return by the pod's name whether its worker is busy. Pure.

    One that has begun a job a moment ago is neither busy nor idle: it is missing.
    """
    of_pods: dict[str, set[bool | None]] = {}
    for worker in workers:
        if worker.pod is not None:
            of_pods.setdefault(worker.pod, set()).add(is_busy(worker))
    found = {}
    for pod, busy in of_pods.items():
        if True in busy:
            found[pod] = True
        elif busy == {False}:
            found[pod] = False
    return found


def is_busy(worker: WorkerDocument) -> bool | None:
    """Whether a worker is busy; None: not yet, and not idle either. Pure."""
    if not worker.running:
        return False
    since = min(job.started_time for job in worker.running)
    return (worker.updated_time - since).total_seconds() >= BUSY_SECONDS or None


def choose_changes(pods: Iterable[tuple[str, PodFacts]], busy: Mapping[str, bool]) -> list[Marks]:
    """Return the pods of workers, each with its namespace, that need a patch. Pure.

    Those to be marked come first: a mark that is missing may cost work, one too many does not.
    """
    changes = [
        Marks(namespace, facts, known)
        for namespace, facts in pods
        if facts.role == names.ROLE_WORKER
        and facts.worker.state in _RUNNING
        and (known := busy.get(facts.worker.name)) is not None
        and facts.marks is not None
        and facts.marks != (MARKS if known else {})
    ]
    return sorted(changes, key=lambda change: not change.busy)


class Marker:
    """Patches pods, a few at a time."""

    def __init__(self, cluster: Cluster, inventory: Inventory, busyness: Busyness) -> None:
        self._cluster, self._inventory, self._busyness = cluster, inventory, busyness
        #: By UID: until when a pod is left alone.
        self._refused: dict[str, float] = {}

    async def look(self, now: float) -> None:
        """Patch the pods that need it. `now` is a monotonic clock's."""
        self._refused = {uid: until for uid, until in self._refused.items() if until > now}
        changes = [
            change
            for change in choose_changes(self._inventory.placed(), self._busyness.known(now))
            if change.facts.worker.uid not in self._refused
        ][:MAX_PATCHES]
        for start in range(0, len(changes), PATCHES_AT_ONCE):
            if not await self._patch(changes[start : start + PATCHES_AT_ONCE], now):
                return

    async def _patch(self, changes: Sequence[Marks], now: float) -> bool:
        """Patch some pods; whether the next ones are worth a try."""
        found = await asyncio.gather(*[self._mark(change) for change in changes])
        errors = [error for error in found if error is not None]
        for change, error in zip(changes, found, strict=True):
            if error is not None and not error.ambiguous:
                self._refused[change.facts.worker.uid] = now + REFUSED_SECONDS
        if errors:
            log.warning("%d pods cannot be marked busy or idle: %s", len(errors), errors[0])
        return not errors

    async def _mark(self, change: Marks) -> CallError | None:
        worker = change.facts.worker
        marks = {name: value if change.busy else None for name, value in MARKS.items()}
        try:
            patched = await self._cluster.annotate_pod(
                change.namespace, worker.name, uid=worker.uid, annotations=marks
            )
        except CallError as error:
            return error
        if patched is not None:
            self._inventory.put(patched)
        return None


async def keep_marked(marker: Marker) -> None:
    """Look for ever."""
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        try:
            await marker.look(time.monotonic())
        except Exception:  # one pod's fault must not end this for all
            log.exception("busy pods")
