"""What to do with a pool now: one pure function of spec, observation, history and clock.

    load ──demand──▶ wanted ──delay, bounds──▶ replicas ──plan──▶ create, delete, tokens, retire

`decide` asks no server and no clock, so the operator, the tests and `zerog simulate` run the
same code. It is level-based: it looks at what is, not at what it did, and remembers only what a
look cannot show (rates, the recent past, what it asked for and cannot see yet).

The invariants: what is unknown changes nothing. A ready pod is never deleted, it retires by
itself. The number of workers is within the pool's bounds, whatever is measured.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import ceil

from zerog_operator.ahead import Due, due_soon, ready_by, slots_ahead
from zerog_operator.creation import Creation, follow_creation
from zerog_operator.demand import Load, group_deadlines, slots_for_depth, slots_for_target
from zerog_operator.explain import explain, explain_unknown
from zerog_operator.history import QueueHistory, follow
from zerog_operator.model import (
    Decision,
    LimitedBy,
    Observation,
    QueueReading,
    Rates,
    Refusal,
    Unknown,
    WorkerPod,
    Workers,
    WorkerState,
)
from zerog_operator.plan import Plan, make_plan
from zerog_operator.pool import PoolSpec, StopPolicy
from zerog_operator.rates import (
    ENOUGH_JOBS,
    late_entries,
    measure,
    measure_job_time,
    seen_to_end,
    waiting_ages,
)
from zerog_operator.retirement import Retirement, follow_retirement
from zerog_operator.situation import Situation, situate
from zerog_operator.windows import Bounds, bounds_at

#: A pool without workers is looked at more often: somebody may be waiting for the first one.
CHECK_EMPTY_SECONDS = 0.5
CHECK_SECONDS = 1.0
CHECK_UNKNOWN_SECONDS = 2.0
#: Fewer workers than this part less are not worth a scale-down.
TOLERANCE = 0.1
#: A pod's start is believed to take so long until some have been seen to start.
EXPECTED_POD_START_SECONDS = 5.0
#: The starts of so many pods are remembered, and so much of the slowest is left out.
POD_STARTS = 16
POD_START_QUANTILE = 0.8
MAX_POD_START_SECONDS = 300.0
#: Longer waits for a node are no measure for the next pod: a queue in front of the nodes was full.
MAX_NODE_WAIT_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class History:
    """All that is remembered between two decisions. `History()` knows nothing yet."""

    queue: QueueHistory = field(default_factory=QueueHistory)
    creation: Creation = field(default_factory=Creation)
    retirement: Retirement = field(default_factory=Retirement)
    #: (when, workers): what the load needed lately; falling, so the first is the highest.
    needed: tuple[tuple[float, int], ...] = ()
    #: The last decision's number; None before the first, and after something was unknown.
    replicas: int | None = None
    #: The number that `stopPolicy: Hold` keeps.
    held: int | None = None
    #: What was measured last of the jobs' length, for when nothing is measured any more.
    job_seconds: float | None = None
    #: How long the latest pods waited for their node, and how long they took to start on it.
    pod_starts: tuple[tuple[float, float], ...] = ()
    #: What falls due by then has got its workers.
    due_until: float = float("-inf")
    #: Uids of pods whose start was counted.
    started: frozenset[str] = frozenset()
    #: Why the last pod of the template `refused` was refused, while that matters.
    refusal: Refusal | None = None
    refused: str = ""
    #: Uids of pods that were deleted by a decision, while they are listed.
    deleted: frozenset[str] = frozenset()
    #: Whether the queue was paused when that was last known.
    paused: bool = False


def decide(
    spec: PoolSpec, observation: Observation, history: History, now: float
) -> tuple[Decision, History]:
    """Return what to do now, and what to remember. Pure: no I/O, no clock, no surprise."""
    queue, workers = observation.queue, observation.workers
    if isinstance(queue, Unknown) or isinstance(workers, Unknown):
        return _change_nothing(observation, history)
    template = spec.template_hash
    history = _follow(spec, queue, workers, history, now)
    history = _heed(history, observation, workers, template, now)
    rates = _measure(spec, history, now)
    bounds = bounds_at(spec, now - observation.ahead_seconds)
    situation = situate(
        spec,
        workers,
        template=template,
        creation=history.creation,
        retirement=history.retirement,
        refusal=observation.refusal,
        most=bounds.most,
        now=now,
    )
    history = replace(history, due_until=ready_by(history.due_until, rates, now))
    soon = due_soon(observation.due, queue, until=history.due_until, now=now)
    due = () if history.paused else soon
    needed = _needed(spec, queue, due, situation, history, rates)
    history, wanted, limit = _settle(spec, bounds, history, needed, situation.active, now)
    if history.paused and spec.stop_policy is StopPolicy.NONE:
        most = max(situation.active, bounds.least)
        wanted, limit = _pause(queue, most, wanted, limit)
    plan = make_plan(situation, wanted)
    limit = plan.limited_by or limit
    decision = Decision(
        replicas=wanted,
        reason=explain(
            spec,
            queue,
            rates,
            needed=needed,
            wanted=wanted,
            limit=limit,
            plan=plan,
            waiting=len(situation.waiting),
            due=sum(item.count for item in due),
            windows=bounds.open,
            paused=history.paused,
        ),
        limited_by=limit,
        create=plan.create,
        delete=plan.delete,
        tokens_to_put=plan.tokens_to_put,
        tokens_to_take=plan.tokens_to_take,
        retire=plan.retire,
        retiring=len(situation.retiring) + len(plan.retire),
        next_check_seconds=_next_check(situation, bounds),
        rates=rates,
    )
    return decision, _remember(history, plan, wanted)


def _next_check(situation: Situation, bounds: Bounds) -> float:
    seconds = CHECK_SECONDS if situation.active else CHECK_EMPTY_SECONDS
    return seconds if bounds.seconds_left is None else min(seconds, bounds.seconds_left)


def _change_nothing(observation: Observation, history: History) -> tuple[Decision, History]:
    replicas = history.replicas
    if replicas is None and isinstance(observation.workers, Workers):
        replicas = len(observation.workers.of(WorkerState.STARTING, WorkerState.READY))
    decision = Decision(
        replicas=replicas or 0,
        reason=explain_unknown(observation, replicas),
        limited_by=LimitedBy.UNKNOWN,
        next_check_seconds=CHECK_UNKNOWN_SECONDS,
    )
    # What was needed before is too old to allow a scale-down when things are known again.
    return decision, replace(history, needed=())


def _follow(
    spec: PoolSpec, queue: QueueReading, workers: Workers, history: History, now: float
) -> History:
    holding = workers.of(WorkerState.READY, WorkerState.RETIRING)
    queue_history = follow(history.queue, queue, len(holding) * spec.slots)
    job_time = measure_job_time(queue_history, None)
    fresh = [
        pod
        for pod in workers.of(WorkerState.READY)
        if pod.ready_since is not None and pod.uid not in history.started
    ]
    starts = (*history.pod_starts, *(_start_of(pod) for pod in fresh))
    listed = {pod.uid for pod in workers.pods}
    return replace(
        history,
        queue=queue_history,
        retirement=follow_retirement(history.retirement, queue, workers.pods, now),
        job_seconds=job_time.seconds if job_time.jobs >= ENOUGH_JOBS else history.job_seconds,
        pod_starts=starts[-POD_STARTS:],
        started=(history.started & listed) | {pod.uid for pod in fresh},
    )


def _heed(
    history: History, observation: Observation, workers: Workers, template: str, now: float
) -> History:
    """Take note of a pause, and of what became of the pods that were created."""
    pause, creation = observation.facts.pause, history.creation
    creation = follow_creation(
        creation, workers.pods, observation.refusal, template=template, now=now
    )
    paused = history.paused if pause is None else pause.paused
    return replace(history, paused=paused, creation=creation)


def _start_of(pod: WorkerPod) -> tuple[float, float]:
    """Return how long a ready pod waited for its node, and how long it took to start on it."""
    scheduled = max(pod.created, pod.scheduled_since or pod.created)
    start = (pod.ready_since or scheduled) - scheduled
    wait = min(MAX_NODE_WAIT_SECONDS, scheduled - pod.created)
    return wait, min(MAX_POD_START_SECONDS, max(0.0, start))


def _measure(spec: PoolSpec, history: History, now: float) -> Rates:
    seen = history.pod_starts or ((0.0, EXPECTED_POD_START_SECONDS),)
    place = int(POD_START_QUANTILE * (len(seen) - 1))
    waits, starts = (sorted(seconds)[place] for seconds in zip(*seen, strict=True))
    rates = measure(
        history.queue,
        now=now,
        believed_job_seconds=history.job_seconds or spec.scaling.expected_job_seconds,
        pod_start_seconds=starts,
    )
    target = spec.scaling.target_start_seconds
    late = 0 if target is None else late_entries(history.queue, now, target)
    return replace(rates, node_wait_seconds=waits, late=late)


def _needed(
    spec: PoolSpec,
    queue: QueueReading,
    due: Sequence[Due],
    situation: Situation,
    history: History,
    rates: Rates,
) -> int:
    """Return the workers that the load asks for, warm spares included, bounds not."""
    slots = spec.slots
    # Jobs that retiring workers finish need nobody else.
    elsewhere = len(situation.retiring) * slots
    reserved = max(0, queue.reserved - elsewhere)
    # Short jobs are claimed several at a time: what no slot holds waits for its turn.
    busy = min(reserved, situation.ready_count * slots)
    ready = queue.ready + reserved - busy
    if history.paused:
        wanted_slots = busy  # nobody may start the others
    elif spec.scaling.jobs_per_worker is not None:
        wanted_slots = slots_for_depth(ready, busy, spec.scaling.jobs_per_worker / slots)
        wanted_slots = min(wanted_slots, ready + busy)
    else:
        # Where nodes have to be bought first, jobs with time left need more workers at once. That a
        # wait is long never makes workers unwanted: pods would lose their place in the line.
        wanted_slots = max(
            slots_for_target(_load(spec, (ready, busy), situation, history, rates, node_wait))
            for node_wait in {0.0, rates.node_wait_seconds}
        )
    wanted_slots = max(wanted_slots, slots_ahead(spec, due, busy, rates.job_seconds))
    return ceil(wanted_slots / slots) + spec.scaling.min_idle


def _load(
    spec: PoolSpec,
    entries: tuple[int, int],
    situation: Situation,
    history: History,
    rates: Rates,
    node_wait: float,
) -> Load:
    """Return the load of (waiting, running) entries if pods wait this long for their nodes."""
    target = spec.scaling.target_start_seconds or 0.0
    now, start = situation.now, rates.pod_start_seconds
    coming = [
        max(0.0, (pod.scheduled_since or pod.created) + start - now)
        for pod in situation.starting + situation.outdated_starting
    ]
    coming += [max(0.0, pod.created + node_wait - now) + start for pod in situation.waiting]
    coming += [node_wait + start] * situation.creation.unseen_count
    coming.sort()
    return Load(
        ready=entries[0],
        busy=entries[1],
        slots=situation.ready_count * spec.slots,
        coming=tuple(seconds for seconds in coming for _ in range(spec.slots)),
        groups=group_deadlines(waiting_ages(history.queue, now), target),
        arrivals_per_second=rates.arrivals_per_second or 0.0,
        departures_per_second=seen_to_end(history.queue, now),
        job_seconds=rates.job_seconds,
        pod_start_seconds=node_wait + start,
        target_seconds=target,
    )


def _settle(
    spec: PoolSpec, bounds: Bounds, history: History, needed: int, active: int, now: float
) -> tuple[History, int, LimitedBy | None]:
    """Return the workers that shall be: up at once, down after the delay, within bounds."""
    # After a start or a blackout, what runs was needed until now, as far as anybody knows.
    since = history.needed or ((now, max(needed, active)),)
    delay = spec.scaling.scale_down_delay_seconds
    kept = [(when, count) for when, count in since if 0 <= now - when <= delay]
    while kept and kept[-1][1] <= needed:
        kept.pop()
    kept.append((now, needed))
    history = replace(history, needed=tuple(kept))
    wanted = kept[0][1]
    limit = LimitedBy.SCALE_DOWN_DELAY if wanted > needed else None
    before = history.replicas
    if before is not None and 0 < before - wanted < TOLERANCE * before:
        wanted = before
    if wanted > bounds.most:
        wanted, limit = bounds.most, LimitedBy.MAX_REPLICAS
    elif wanted < bounds.least:
        wanted, limit = bounds.least, LimitedBy.MIN_REPLICAS
    if spec.stop_policy is StopPolicy.NONE:
        return replace(history, held=None), wanted, limit
    held = history.held if history.held is not None else active
    history = replace(history, held=held)
    wanted = 0 if spec.stop_policy is StopPolicy.DRAIN else held
    return history, wanted, LimitedBy.STOP_POLICY


def _pause(
    queue: QueueReading, most: int, wanted: int, limit: LimitedBy | None
) -> tuple[int, LimitedBy | None]:
    """Return the workers that there shall be while the queue is paused: no more than there are."""
    if wanted > most or (limit is None and queue.ready):
        return min(wanted, most), LimitedBy.PAUSED
    return wanted, limit


def _remember(history: History, plan: Plan, wanted: int) -> History:
    return replace(history, creation=plan.creation, retirement=plan.retirement, replicas=wanted)
