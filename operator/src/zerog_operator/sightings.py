"""Pods that the watch has not shown, and pods that it shows and that are gone. No I/O.

The watch fills an index, and the index can be wrong both ways: a watch that is silent or late
does not show what was just created, and after 410 Gone kopf lists the objects anew and does not
miss those that went meanwhile. So the answer to each creation is remembered until the watch has
shown the pod, and from time to time a list says what there is.

The invariant: a pod whose creation was answered counts, until the watch has shown it or a list
that was begun later does not have it. What is remembered keeps the resourceVersion with which it
was seen, so a delete that stands on old news fails.
"""

from collections.abc import Collection, Iterable, Mapping

from zerog_operator.pods import PodFacts

#: A list is asked for so often when all is well …
LIST_SECONDS = 30.0
#: … and so often while something that exists is not shown.
UNSEEN_SECONDS = 3.0

#: Namespace and name of a pool.
PoolKey = tuple[str, str]


class Sightings:
    """What is known of pods besides what the watch has shown."""

    def __init__(self) -> None:
        self._unseen: dict[str, tuple[PoolKey, PodFacts]] = {}
        self._gone: frozenset[str] = frozenset()
        #: Uids in the index when the list in progress was begun; settled and created since then.
        self._indexed: frozenset[str] = frozenset()
        self._settled: set[str] = set()
        self._created: set[str] = set()
        self._listed_at = float("-inf")
        self._doubted = True

    def note_created(self, pool: PoolKey, facts: PodFacts) -> None:
        """Remember a pod whose creation was answered."""
        self._unseen[facts.worker.uid] = (pool, facts)
        self._created.add(facts.worker.uid)

    def settle(self, uid: str) -> None:
        """Take note that the watch has shown a pod, or its end, or that it was deleted."""
        self._unseen.pop(uid, None)
        self._settled.add(uid)

    def doubt(self) -> None:
        """Let the next list come at once: something may have happened unseen."""
        self._doubted = True

    def is_list_due(self, now: float) -> bool:
        """Whether a list should be asked for now."""
        pause = UNSEEN_SECONDS if self._unseen else LIST_SECONDS
        return self._doubted or now - self._listed_at >= pause

    def begin_list(self, indexed: frozenset[str], now: float) -> None:
        """Take note that a list is asked for now, and of the uids that the watch shows."""
        self._indexed = indexed
        self._settled, self._created = set(), set()
        self._listed_at, self._doubted = now, False

    def end_list(
        self, listed: Collection[str], missing: Mapping[str, tuple[PoolKey, PodFacts]]
    ) -> None:
        """Take in a complete list: all uids, and what is not in the index."""
        self._gone = self._indexed.difference(listed)
        # A list that was begun before a creation was answered may lack that pod.
        late = {uid: item for uid, item in self._unseen.items() if uid in self._created}
        found = {uid: item for uid, item in missing.items() if uid not in self._settled}
        self._unseen = {**found, **late}

    def merge(self, pool: PoolKey, indexed: Iterable[PodFacts]) -> list[PodFacts]:
        """Return a pool's pods: those that the watch shows, put right."""
        found = [facts for facts in indexed if facts.worker.uid not in self._gone]
        shown = {facts.worker.uid for facts in found}
        for uid, (key, facts) in list(self._unseen.items()):
            if uid in shown:
                del self._unseen[uid]
            elif key == pool:
                found.append(facts)
        return found
