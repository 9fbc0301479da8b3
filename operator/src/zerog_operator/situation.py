"""The pool's pods, sorted once by what can be expected of them.

Everything that plans asks here, so that "ready", "outdated" or "active" mean one thing. The
invariant: every pod of the list is in at most one of the groups, and a pod that was told by name
to retire counts as retiring from that moment, whatever the list says yet.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from zerog_operator.creation import Creation
from zerog_operator.model import Refusal, WorkerPod, Workers, WorkerState
from zerog_operator.pool import PoolSpec
from zerog_operator.retirement import TELL_AGAIN_SECONDS, Retirement

Pods = tuple[WorkerPod, ...]


@dataclass(frozen=True, slots=True)
class Situation:
    """Groups of pods, each with the oldest first."""

    spec: PoolSpec
    #: Ready, of the current template, on a node that stays.
    ready: Pods
    #: Ready, to be replaced: those on nodes that are about to go first.
    outdated: Pods
    #: Will be ready soon.
    starting: Pods
    #: Will be ready once a node takes them.
    waiting: Pods
    #: Not ready yet, and would have to be replaced at once.
    outdated_starting: Pods
    #: The cluster does not get them to run.
    not_coming: Pods
    outdated_not_coming: Pods
    #: Finish what they run, and then are gone.
    retiring: Pods
    retirement: Retirement
    creation: Creation
    refusal: Refusal | None
    #: The most workers that there may be now.
    most: int
    now: float

    @property
    def ready_count(self) -> int:
        """Ready workers that stay: without those that took a token and are still listed."""
        return max(0, len(self.ready) + len(self.outdated) - len(self.retirement.exits))

    @property
    def current_ready(self) -> int:
        """Ready workers that need not be replaced."""
        return max(0, self.ready_count - len(self.outdated))

    @property
    def active(self) -> int:
        """Workers that are there or on their way."""
        coming = len(self.starting) + len(self.waiting) + len(self.outdated_starting)
        return self.ready_count + coming + self.creation.unseen_count


def situate(
    spec: PoolSpec,
    workers: Workers,
    *,
    template: str,
    creation: Creation,
    retirement: Retirement,
    refusal: Refusal | None,
    most: int,
    now: float,
) -> Situation:
    """Sort the pods of a list."""
    # One that still is ready long after it was told has not heard of it.
    told = {uid for uid, when in retirement.told if 0 <= now - when < TELL_AGAIN_SECONDS}
    groups: dict[tuple[WorkerState, bool], list[WorkerPod]] = {}
    for pod in workers.pods:
        outdated = pod.template != template or pod.node_draining
        state = pod.state
        if state is WorkerState.READY and pod.uid in told:
            state = WorkerState.RETIRING
        groups.setdefault((state, outdated), []).append(pod)

    def group(state: WorkerState, outdated: bool) -> Pods:
        return by_age(groups.get((state, outdated), ()))

    return Situation(
        spec=spec,
        ready=group(WorkerState.READY, False),
        outdated=group(WorkerState.READY, True),
        starting=group(WorkerState.STARTING, False),
        waiting=group(WorkerState.WAITING_FOR_NODE, False),
        outdated_starting=by_age(
            group(WorkerState.STARTING, True) + group(WorkerState.WAITING_FOR_NODE, True)
        ),
        not_coming=group(WorkerState.NOT_COMING, False),
        outdated_not_coming=group(WorkerState.NOT_COMING, True),
        retiring=group(WorkerState.RETIRING, False) + group(WorkerState.RETIRING, True),
        retirement=retirement,
        creation=creation,
        refusal=refusal,
        most=most,
        now=now,
    )


def by_age(pods: Iterable[WorkerPod]) -> Pods:
    """Return the pods with the oldest first, and before them those on nodes that are to go."""
    return tuple(sorted(pods, key=lambda pod: (not pod.node_draining, pod.created, pod.name)))
