"""How many pods may be created now: a budget for bursts, and backing off when pods do not come.

A wrong image or a quota must not turn into a storm of pods. While something is wrong, one pod at a
time is tried, at growing intervals; the first pod of the current template that becomes ready ends
that at once, and so does a new template. A pod that waits for a node is not wrong: a node
autoscaler buys as many nodes as there are pods waiting.

The invariant: what was created and has not shown up in the list yet is counted as there, so a
list that lags behind never makes the operator create twice.
"""

from dataclasses import dataclass, replace

from zerog.model.backoff import Backoff
from zerog_operator.model import Refusal, WorkerPod, WorkerState

#: So many pods may be created at once …
BURST = 200
#: … and so many a second when the burst is used up.
PER_SECOND = 10.0
#: The waits after failures, without jitter: the rest of this module is a pure function.
BACKOFF = Backoff(5.0, 300.0, spread=0)
#: A created pod that the list does not show by then was not created: more than a call may take
#: that gets no answer (`cluster.CALL_SECONDS`), and the list that is then asked for.
LISTED_WITHIN_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Creation:
    """What is remembered of creating."""

    budget: float = BURST
    time: float | None = None
    #: (when, how many): created, not seen in the list yet.
    unseen: tuple[tuple[float, int], ...] = ()
    #: Uids of the pods of the last list.
    known: frozenset[str] = frozenset()
    #: Uids of pods that were starting, and that nobody here deleted.
    starting: frozenset[str] = frozenset()
    #: Uids of pods that waited for a node.
    waiting: frozenset[str] = frozenset()
    #: Uids of pods that were counted as failures already.
    troubled: frozenset[str] = frozenset()
    template: str = ""
    failures: int = 0
    retry_time: float = 0.0

    @property
    def unseen_count(self) -> int:
        """Pods that were created and do not show in the list yet."""
        return sum(count for _, count in self.unseen)


def follow_creation(
    creation: Creation,
    pods: tuple[WorkerPod, ...],
    refusal: Refusal | None,
    *,
    template: str,
    now: float,
) -> Creation:
    """Return what is remembered after a list of pods."""
    elapsed = 0.0 if creation.time is None else max(0.0, now - creation.time)
    current = tuple(pod for pod in pods if pod.template == template)
    followed = replace(
        creation,
        budget=min(BURST, creation.budget + elapsed * PER_SECOND),
        time=now,
        known=frozenset(pod.uid for pod in pods),
        unseen=_still_unseen(creation, pods, now),
        starting=_uids(pods, WorkerState.STARTING),
        waiting=_uids(pods, WorkerState.WAITING_FOR_NODE),
        troubled=_uids(current, WorkerState.NOT_COMING),
        template=template,
    )
    if template != creation.template:
        return replace(followed, failures=0, retry_time=now)
    failed = _has_failed(creation, current, refusal)
    if refusal is not None and creation.unseen:
        followed = replace(followed, unseen=())
    if failed:
        failures = creation.failures + 1
        return replace(followed, failures=failures, retry_time=now + BACKOFF.pause(failures))
    if _came(creation, current) or now - creation.retry_time > 2 * BACKOFF.max_seconds:
        return replace(followed, failures=0)
    return followed


def may_create(creation: Creation, refusal: Refusal | None, now: float) -> int:
    """Return how many pods may be created now."""
    if refusal is not None and refusal.final:
        return 0
    if creation.failures or refusal is not None:
        return 1 if now >= creation.retry_time and creation.budget >= 1 else 0
    return int(creation.budget)


def note_created(
    creation: Creation, count: int, deleted: tuple[WorkerPod, ...], now: float
) -> Creation:
    """Return what is remembered after a decision."""
    gone = frozenset(pod.uid for pod in deleted)
    noted = replace(creation, starting=creation.starting - gone)
    if not count:
        return noted
    return replace(
        noted,
        budget=creation.budget - count,
        unseen=(*creation.unseen, (now, count)),
        retry_time=now + BACKOFF.pause(creation.failures),
    )


def _uids(pods: tuple[WorkerPod, ...], state: WorkerState) -> frozenset[str]:
    return frozenset(pod.uid for pod in pods if pod.state is state)


def _still_unseen(
    creation: Creation, pods: tuple[WorkerPod, ...], now: float
) -> tuple[tuple[float, int], ...]:
    came = sum(1 for pod in pods if pod.uid not in creation.known)
    left = []
    for when, count in creation.unseen:
        seen = min(came, count)
        came -= seen
        if count > seen and 0 <= now - when <= LISTED_WITHIN_SECONDS:
            left.append((when, count - seen))
    return tuple(left)


def _has_failed(
    creation: Creation, current: tuple[WorkerPod, ...], refusal: Refusal | None
) -> bool:
    """Whether something went wrong that was not counted before."""
    if refusal is not None and not refusal.final and (creation.unseen or not creation.failures):
        return True
    if _uids(current, WorkerState.NOT_COMING) - creation.troubled:
        return True
    # Ended before it was ever ready, and not by us. Pods of the old template are gone for
    # good reasons of their own: `starting` then holds uids of which none is in `current`.
    here = {pod.uid: pod.state for pod in current}
    ended = {uid for uid in creation.starting if here.get(uid) is WorkerState.ENDING}
    # One that found a retire token before anybody saw it ready has done as it should.
    return bool(ended - {pod.uid for pod in current if pod.reason == "Completed"})


def _came(creation: Creation, current: tuple[WorkerPod, ...]) -> bool:
    """Whether a pod of the current template has become ready since the last list."""
    was_waiting = creation.starting | creation.waiting | creation.troubled
    return any(
        pod.state is WorkerState.READY and (pod.uid in was_waiting or pod.uid not in creation.known)
        for pod in current
    )
