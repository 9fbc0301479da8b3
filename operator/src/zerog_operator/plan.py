"""From a number of workers to pods: which to create, to delete, and to retire.

Order of going: pods that are not coming, pods without a node, pods that are starting (of each the
youngest first, so that the others keep their place in the line for nodes), then ready ones, which
retire by themselves: any idle one by a token, outdated ones by name. Outdated are pods of an older
template and pods on nodes that are about to go. They keep working until current ones are ready in
their place; at most `SURGE` more pods than wanted exist meanwhile.

The invariant: `delete` never holds a pod that is ready or retiring.
"""

from dataclasses import dataclass
from math import ceil

from zerog_operator.creation import Creation, may_create, note_created
from zerog_operator.model import NODE_REASONS, LimitedBy, WorkerPod
from zerog_operator.pool import StopPolicy
from zerog_operator.retirement import Retirement, note_tokens, tell
from zerog_operator.situation import Pods, Situation, by_age

#: Pods that may exist beyond those wanted while others are replaced, as a part of them.
SURGE = 0.25


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do to the pods, and what is remembered then."""

    creation: Creation
    retirement: Retirement
    create: int = 0
    delete: Pods = ()
    tokens_to_put: int = 0
    tokens_to_take: int = 0
    retire: Pods = ()
    limited_by: LimitedBy | None = None


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is left when surplus pods are gone: how many there are, and of what kind."""

    current: int
    outdated: int
    broken: Pods


def make_plan(situation: Situation, wanted: int) -> Plan:
    """Return what brings the pool to so many workers."""
    allowed = may_create(situation.creation, situation.refusal, situation.now)
    delete, kept = _let_go(situation, wanted, allowed)
    lacking = _lacking(situation, wanted, kept)
    create = min(lacking, allowed)
    if not lacking and allowed and situation.creation.failures and kept.current < wanted:
        # Another pod for one that does not come: it may be its node that is broken.
        stuck = [pod for pod in kept.broken if pod.reason not in NODE_REASONS][:1]
        delete, create = (*delete, *stuck), len(stuck)
    named = _to_name(situation, wanted)
    retire, retirement = tell(situation.retirement, named, situation.now)
    tokens = _tokens(situation, wanted, len(named))
    before = situation.retirement.tokens
    return Plan(
        creation=note_created(situation.creation, create, delete, situation.now),
        retirement=note_tokens(retirement, tokens),
        create=create,
        delete=delete,
        tokens_to_put=max(0, tokens - before),
        tokens_to_take=max(0, before - tokens),
        retire=retire,
        limited_by=_limit(situation, wanted, kept, lacking - create),
    )


def _let_go(situation: Situation, wanted: int, allowed: int) -> tuple[Pods, _Kept]:
    """Return the pods to delete: none of them ready, and the youngest first to go."""
    hold = situation.spec.stop_policy is StopPolicy.HOLD
    # What waits too long for a node has the best place in the line for one all the same.
    late = tuple(pod for pod in situation.not_coming if pod.reason in NODE_REASONS)
    broken = tuple(pod for pod in situation.not_coming if pod not in late)
    starting = situation.starting + by_age(situation.waiting + late)
    delete: list[WorkerPod] = []
    if hold or not allowed:
        # Nothing takes their place now: a pod of the old template is better than none.
        starting += situation.outdated_starting
    else:
        delete += situation.outdated_starting
    if hold:
        broken += situation.outdated_not_coming
    else:
        delete += situation.outdated_not_coming
    spare = _spare(situation, wanted, len(starting) + len(broken))
    delete += broken[:spare]
    broken = broken[spare:]
    spare = min(len(starting), _spare(situation, wanted, len(starting)))
    delete += starting[len(starting) - spare :]
    late = tuple(pod for pod in late if pod not in delete)
    coming = len(starting) - spare - len(late) + situation.creation.unseen_count
    kept = _Kept(situation.current_ready + coming, len(situation.outdated), broken + late)
    return tuple(delete), kept


def _spare(situation: Situation, wanted: int, waiting: int) -> int:
    """Return how many are too many if so many wait beside the ready ones."""
    unseen = situation.creation.unseen_count
    # An outdated pod works until a current one is ready: until then both are needed.
    current = situation.current_ready + unseen + waiting
    together = situation.ready_count + unseen + waiting
    return max(0, current - wanted, together - wanted - _surge(situation, wanted))


def _surge(situation: Situation, wanted: int) -> int:
    """Return how many pods beyond those wanted there may be now."""
    if not situation.outdated or situation.spec.stop_policy is StopPolicy.HOLD:
        return 0
    return max(1, ceil(wanted * SURGE))


def _lacking(situation: Situation, wanted: int, kept: _Kept) -> int:
    """Return how many pods are to be created, if it may be done at once."""
    there = kept.current + len(kept.broken)
    if situation.spec.stop_policy is StopPolicy.HOLD:
        return max(0, wanted - there - kept.outdated)
    surge = _surge(situation, wanted)
    pods = there + kept.outdated + len(situation.retiring)
    return max(
        0,
        min(
            wanted - there,
            wanted + surge - there - kept.outdated,
            situation.most + surge - pods,
        ),
    )


def _limit(situation: Situation, wanted: int, kept: _Kept, refused: int) -> LimitedBy | None:
    troubled = bool(situation.creation.failures) or situation.refusal is not None
    if troubled and kept.current + kept.outdated < wanted:
        return LimitedBy.BACKOFF
    return LimitedBy.CREATION_BUDGET if refused else None


def _to_name(situation: Situation, wanted: int) -> Pods:
    """Return the ready pods that are to retire by name."""
    match situation.spec.stop_policy:
        case StopPolicy.DRAIN:
            return situation.outdated + situation.ready
        case StopPolicy.HOLD:
            return ()
    needed = max(0, wanted - situation.current_ready)
    return situation.outdated[: max(0, len(situation.outdated) - needed)]


def _tokens(situation: Situation, wanted: int, named: int) -> int:
    """Return how many retire tokens shall lie on the tube."""
    if situation.spec.stop_policy is StopPolicy.DRAIN:
        return 0
    return max(0, situation.ready_count - named - wanted)
