"""Why this many: the sentence in `status.lastDecision.reason`, for people.

It has the figures that the decision stands on and the limit that bound it, and nothing that
changes while nothing changes. Pure text; nothing reads it back.
"""

from zerog.shown import shown
from zerog_operator.model import LimitedBy, Observation, QueueReading, Rates, Unknown
from zerog_operator.plan import Plan
from zerog_operator.pool import PoolSpec, StopPolicy
from zerog_operator.windows import OpenWindows, describe


def explain(
    spec: PoolSpec,
    queue: QueueReading,
    rates: Rates,
    *,
    needed: int,
    wanted: int,
    limit: LimitedBy | None,
    plan: Plan,
    waiting: int = 0,
    due: int = 0,
    windows: OpenWindows = (),
    paused: bool = False,
) -> str:
    """Return the sentence for a decision; `waiting` pods wait for a node, `due` jobs are delayed
    for no longer than a pod takes to start."""
    if spec.stop_policy is StopPolicy.DRAIN:
        return "stopPolicy is Drain: no workers, jobs that run are finished"
    if spec.stop_policy is StopPolicy.HOLD:
        return f"stopPolicy is Hold: {_workers(wanted)}, whatever the load"
    because = ", ".join(_load_of_paused(spec, queue) if paused else _load(spec, queue, rates, due))
    sentence = f"{because}: {_workers(needed)}"
    reason = _limit(spec, limit, wanted, plan)
    if limit is None and wanted > needed:
        reason = f"{wanted} stay, so small a difference is not worth a change"
    nodes = _nodes(rates, waiting)
    opened = [describe(window, end) for window, end in windows]
    return "; ".join(part for part in (sentence, reason, nodes, *opened) if part)


def explain_unknown(observation: Observation, replicas: int | None) -> str:
    """Return the sentence for a decision that changes nothing."""
    unread = [
        f"{what} cannot be read ({shown(f'{value.reason}: {value.message}'.removesuffix(': '))})"
        for what, value in (("the queue", observation.queue), ("the pods", observation.workers))
        if isinstance(value, Unknown)
    ]
    stay = "nothing changes" if replicas is None else f"{_workers(replicas)} as before"
    return f"{' and '.join(unread)}: {stay}"


def _load(spec: PoolSpec, queue: QueueReading, rates: Rates, due: int) -> list[str]:
    if not queue.depth and not due:
        parts = ["nothing to do"]
    else:
        parts = [f"{queue.ready} ready + {queue.reserved} running"]
        if due:
            parts.append(f"{due} delayed and due before a new pod would be ready")
        if spec.scaling.jobs_per_worker is not None:
            parts.append(f"{spec.scaling.jobs_per_worker} jobs per worker")
        else:
            how = "jobs take" if rates.job_seconds_measured else "jobs should take"
            parts.append(f"{how} {_seconds(rates.job_seconds)}")
            parts.append(f"must start within {_seconds(spec.scaling.target_start_seconds or 0)}")
    if spec.scaling.min_idle:
        parts.append(f"{spec.scaling.min_idle} idle to spare")
    return parts


def _load_of_paused(spec: PoolSpec, queue: QueueReading) -> list[str]:
    parts = ["the queue is paused", f"{queue.ready} ready must wait, {queue.reserved} running"]
    if spec.scaling.min_idle:
        parts.append(f"{spec.scaling.min_idle} idle to spare")
    return parts


def _limit(spec: PoolSpec, limit: LimitedBy | None, wanted: int, plan: Plan) -> str:
    match limit:
        case LimitedBy.MAX_REPLICAS:
            return f"limited by maxReplicas to {wanted}"
        case LimitedBy.MIN_REPLICAS:
            return f"raised by minReplicas to {wanted}"
        case LimitedBy.SCALE_DOWN_DELAY:
            delay = _seconds(spec.scaling.scale_down_delay_seconds)
            return f"{wanted} stay until fewer were enough for {delay}"
        case LimitedBy.PAUSED:
            return "no worker is added until it is resumed"
        case LimitedBy.CREATION_BUDGET:
            return f"{wanted} wanted, {plan.create} created now: no more at once"
        case LimitedBy.BACKOFF:
            return f"{wanted} wanted, but new pods do not come: trying one at a time"
        case _:
            return ""


def _nodes(rates: Rates, waiting: int) -> str:
    if not waiting:
        return ""
    sentence = "1 waits for a node" if waiting == 1 else f"{waiting} wait for nodes"
    if rates.node_wait_seconds >= 1:
        sentence += f", which took {_seconds(rates.node_wait_seconds)} lately"
    return sentence


def _workers(count: int) -> str:
    return "1 worker" if count == 1 else f"{count} workers"


def _seconds(seconds: float) -> str:
    if seconds >= 100:
        return f"{seconds:.0f} s"
    return f"{seconds:.1f} s".replace(".0 s", " s") if seconds >= 0.1 else f"{seconds:.3f} s"
