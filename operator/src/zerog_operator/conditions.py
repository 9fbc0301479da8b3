"""The pool's status: conditions, counts and the last decision. Pure.

Conditions have the standard shape; `lastTransitionTime` moves only when a status does. Reasons
are the constants here, each with its message beside it.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from zerog_operator.model import (
    Decision,
    LimitedBy,
    Observation,
    Pause,
    QueueReading,
    Refusal,
    Unknown,
    Workers,
    WorkerState,
)
from zerog_operator.pool import PoolSpec, StopPolicy
from zerog_operator.slo import build_slo, decimal, measure_slo
from zerog_operator.usage import build_usage

#: The queue's figures are written at most this often: they change all the time …
FIGURES_SECONDS = 10.0
#: … and so often where nothing happens: many pools are idle most of the time.
IDLE_FIGURES_SECONDS = 60.0

READY, QUEUE, TYPES, SCALING, NODES, SERVED, PAUSED = (
    "Ready",
    "QueueReachable",
    "TypesRegistered",
    "Scaling",
    "WaitingForNodes",
    "TypesServed",
    "Paused",
)
#: A reason of Paused; others are of stopPolicy.
QUEUE_PAUSED = "QueuePaused"
#: Ready says the first of these that is not True.
PARTS = frozenset({QUEUE, TYPES, SCALING})
#: These are False where nothing is special.
NEGATIVE = frozenset({NODES, PAUSED})
#: Pods that `replicas` counts: those that do not end.
HERE = frozenset(WorkerState) - {WorkerState.RETIRING, WorkerState.ENDING}
#: Types that a message names; the rest is counted.
MAX_NAMED = 10


def build_status(
    spec: PoolSpec,
    observation: Observation,
    decision: Decision,
    before: Mapping[str, Any],
    *,
    generation: int,
    now: float,
) -> dict[str, Any]:
    """Return the whole status. `generation` is the pool's."""
    time = format_seconds(now)
    status: dict[str, Any] = {
        "conditions": _conditions(spec, observation, decision, before, generation, time),
        "observedGeneration": generation,
        "desiredReplicas": _desired(decision, before),
        "lastDecision": _last_decision(
            decision, _desired(decision, before), before.get("lastDecision"), time
        ),
    }
    status.update(_counts(spec, observation, decision, before))
    if isinstance(observation.queue, QueueReading):
        status["queue"] = _figures(observation.queue, decision, before.get("queue"), now)
    elif "queue" in before:
        status["queue"] = before["queue"]
    figures = {
        "slo": build_slo(measure_slo(spec, observation.facts, decision.rates.late)),
        "usage": build_usage(spec, observation.facts),
    }
    for name, found in figures.items():
        old = before.get(name, {})
        # Like the queue's figures, and with them: they change all the time.
        steady = found.keys() == old.keys() and status.get("queue") == before.get("queue")
        if found:
            status[name] = old if steady else found
    scaled = before.get("desiredReplicas") not in (None, status["desiredReplicas"])
    if scaled or "lastScaleTime" in before:
        status["lastScaleTime"] = time if scaled else before["lastScaleTime"]
    return status


def build_invalid_status(
    fault: str, before: Mapping[str, Any], *, generation: int, now: float
) -> dict[str, Any]:
    """Return the status of a pool whose spec makes no sense: as it was, and not Ready."""
    others = list(before.get("conditions") or ())
    old = next((item for item in others if item["type"] == READY), None)
    others = [item for item in others if item["type"] != READY]
    message = f"{fault}. Until this is corrected, the pool's workers stay as they are"
    verdict = "False", "InvalidSpec", message
    ready = _condition(READY, verdict, old, generation, format_seconds(now))
    return {**before, "conditions": [ready, *others], "observedGeneration": generation}


def format_seconds(now: float) -> str:
    """RFC 3339, whole seconds: what Kubernetes shows."""
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def transitions(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the conditions whose status has changed; on the first visit only bad ones."""
    old = {item["type"]: item["status"] for item in before.get("conditions") or ()}
    return [
        item
        for item in after["conditions"]
        if item["status"] != "Unknown"
        and item["status"] != old.get(item["type"], _usual(item["type"]))
    ]


def news(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the transitions that people are told. What Ready says for another is told once."""
    found = transitions(before, after)
    ready = next((item for item in found if item["type"] == READY), None)
    if ready is None:
        return found
    fine = ready["status"] == "True"
    told = PARTS if fine else {it["type"] for it in found if it["reason"] == ready["reason"]}
    return [item for item in found if item is ready or item["type"] not in told]


def event_type(item: Mapping[str, Any]) -> str:
    """Return of which type a transition's Event is. That nodes are waited for is daily life, and
    who pauses something means it."""
    usual = item["type"] in NEGATIVE or item["status"] == _usual(item["type"])
    return "Normal" if usual else "Warning"


def _usual(kind: str) -> str:
    return "False" if kind in NEGATIVE else "True"


def _desired(decision: Decision, before: Mapping[str, Any]) -> int:
    """Return the wanted number; a decision on what is unknown leaves it as it was."""
    if decision.limited_by is LimitedBy.UNKNOWN:
        return int(before.get("desiredReplicas", decision.replicas))
    return decision.replicas


def _counts(
    spec: PoolSpec, observation: Observation, decision: Decision, before: Mapping[str, Any]
) -> dict[str, Any]:
    workers, queue = observation.workers, observation.queue
    if isinstance(workers, Unknown) or (isinstance(queue, Unknown) and "retiring" in before):
        kept = ("replicas", "readyReplicas", "starting", "waitingForNode", "retiring", "outdated",
                "idle", "busy")  # fmt: skip
        return {key: before[key] for key in kept if key in before}
    ready = workers.of(WorkerState.READY)
    here = workers.of(*HERE)
    counts = {
        "replicas": len(here),
        "readyReplicas": len(ready),
        "starting": len(workers.of(WorkerState.STARTING)),
        "waitingForNode": len(workers.of(WorkerState.WAITING_FOR_NODE)),
        "retiring": decision.retiring,
        "outdated": sum(pod.template != spec.template_hash for pod in here),
    }
    if isinstance(queue, QueueReading):
        # A worker with several slots is busy when one of them is: at least so many are.
        busy = min(len(ready), -(-queue.reserved // spec.slots))
        counts |= {"busy": busy, "idle": len(ready) - busy}
    return counts


def _figures(
    queue: QueueReading, decision: Decision, before: Mapping[str, Any] | None, now: float
) -> dict[str, Any]:
    rates = decision.rates
    figures: dict[str, Any] = {
        "ready": queue.ready,
        "reserved": queue.reserved,
        "delayed": queue.delayed,
        "buried": queue.buried,
        # Read within this look; `queue.time` is of a clock for ages.
        "observedTime": format_seconds(now),
    }
    if rates.arrivals_per_second is not None:
        figures["arrivalPerMinute"] = round(rates.arrivals_per_second * 60)
    if rates.job_seconds_measured:
        # Whole milliseconds would be a float: the CRD has none, so it is a quantity as text.
        figures["jobSeconds"] = decimal(rates.job_seconds)
    if not before:
        return figures
    age = _age(before.get("observedTime"), now)
    entries = ("ready", "reserved", "delayed", "buried")
    idle = not queue.depth and all(figures[key] == before.get(key) for key in entries)
    same = all(bool(figures[key]) == bool(before.get(key)) for key in ("ready", "reserved"))
    if (idle and age < IDLE_FIGURES_SECONDS) or (same and age < FIGURES_SECONDS):
        return dict(before)
    return figures


def _age(time: str | None, now: float) -> float:
    # A time that is still to come was written by a clock that has been set back since.
    age = now - datetime.fromisoformat(time).timestamp() if time else -1.0
    return age if age >= 0 else float("inf")


def _last_decision(
    decision: Decision, replicas: int, before: Mapping[str, Any] | None, time: str
) -> dict[str, Any]:
    after: dict[str, Any] = {"replicas": replicas, "reason": decision.reason}
    if decision.limited_by is not None:
        after["limitedBy"] = str(decision.limited_by)
    kept = before or {}
    # The sentence moves with the load; it is written when the decision does, or once in a while.
    unchanged = kept.get("replicas") == replicas and kept.get("limitedBy") == after.get("limitedBy")
    if unchanged and _age(kept.get("time"), _age_now(time)) < FIGURES_SECONDS:
        return dict(kept)
    if unchanged and kept.get("reason") == decision.reason:
        return dict(kept)
    return {**after, "time": time}


def _age_now(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()


def _conditions(
    spec: PoolSpec,
    observation: Observation,
    decision: Decision,
    before: Mapping[str, Any],
    generation: int,
    time: str,
) -> list[dict[str, Any]]:
    queue = _queue_condition(observation)
    types = _types_condition(observation.refusal)
    scaling = _scaling_condition(observation, decision)
    nodes = _nodes_condition(observation.workers)
    ready = _ready_condition(observation, queue, types, scaling)
    old = {item["type"]: item for item in before.get("conditions") or ()}
    served = _served_condition(observation.facts.unserved, old.get(SERVED))
    paused = _paused_condition(spec, observation.facts.pause, old.get(PAUSED))
    found = []
    for kind, verdict in (
        (READY, ready),
        (QUEUE, queue),
        (TYPES, types),
        (SCALING, scaling),
        (NODES, nodes),
        (SERVED, served),
        (PAUSED, paused),
    ):
        if verdict is None:
            continue
        found.append(_condition(kind, verdict, old.get(kind), generation, time))
    return found


def _condition(
    kind: str, verdict: "Verdict", before: Mapping[str, Any] | None, generation: int, time: str
) -> dict[str, Any]:
    status, reason, message = verdict
    same = before is not None and before.get("status") == status
    return {
        "type": kind,
        "status": status,
        "reason": reason,
        "message": message[:1024],
        "observedGeneration": generation,
        "lastTransitionTime": before["lastTransitionTime"] if before and same else time,
    }


Verdict = tuple[str, str, str]


def _queue_condition(observation: Observation) -> Verdict:
    if isinstance(observation.queue, Unknown):
        return "False", observation.queue.reason, observation.queue.message
    return "True", "QueueAnswers", "the queue's counters can be read"


def _types_condition(refusal: Refusal | None) -> Verdict:
    if refusal is None or not refusal.final:
        return "True", "ImageChecked", "the image's job types are registered"
    if refusal.reason == "ImageNotChecked":
        return "Unknown", refusal.reason, refusal.message
    return "False", refusal.reason, refusal.message


def _scaling_condition(observation: Observation, decision: Decision) -> Verdict:
    workers, refusal = observation.workers, observation.refusal
    if isinstance(workers, Unknown):
        return "Unknown", workers.reason, workers.message
    if refusal is not None and not refusal.final:
        return "False", refusal.reason, refusal.message
    stuck = workers.of(WorkerState.NOT_COMING)
    if stuck:
        return "False", stuck[0].reason, f"{stuck[0].name}: {stuck[0].message}"
    if decision.limited_by is LimitedBy.MAX_REPLICAS:
        return "True", "LimitedByMaxReplicas", decision.reason
    return "True", "FollowsLoad", "the number of workers follows the load"


def _nodes_condition(workers: Workers | Unknown) -> Verdict:
    if isinstance(workers, Unknown):
        return "Unknown", workers.reason, workers.message
    waiting = workers.of(WorkerState.WAITING_FOR_NODE)
    if not waiting:
        return "False", "NoneWaits", "no worker waits for a node"
    # Of the first in the line: what is said of the others changes with each that is added.
    first = min(waiting, key=lambda pod: (pod.created, pod.name))
    count = "1 worker waits" if len(waiting) == 1 else f"{len(waiting)} workers wait"
    return "True", first.reason, f"{count} for a node: {first.name}: {first.message}"


def _served_condition(
    unserved: tuple[str, ...] | None, before: Mapping[str, Any] | None
) -> Verdict | None:
    """None: nothing was ever known, as without a datastore. The unknown leaves it as it was."""
    if unserved is None:
        return (before["status"], before["reason"], before["message"]) if before else None
    if not unserved:
        return "True", "TypesServed", "every type with open jobs is known to a worker of the queue"
    named = ", ".join(unserved[:MAX_NAMED])
    if len(unserved) > MAX_NAMED:
        named += f" and {len(unserved) - MAX_NAMED} more"
    return (
        "False",
        "TypesUnserved",
        f"no worker of the queue knows {named}: start workers from an image that does, or "
        "cancel their jobs",
    )


def was_paused(status: Mapping[str, Any]) -> bool:
    """Whether a status says that the queue is paused: what counts until that is known again."""
    conditions = status.get("conditions") or ()
    return any((item["type"], item["reason"]) == (PAUSED, QUEUE_PAUSED) for item in conditions)


def _paused_condition(
    spec: PoolSpec, pause: Pause | None, before: Mapping[str, Any] | None
) -> Verdict:
    match spec.stop_policy:
        case StopPolicy.HOLD:
            return "True", "Held", "stopPolicy is Hold: the number of workers stays"
        case StopPolicy.DRAIN:
            return "True", "Drained", "stopPolicy is Drain: no workers, running jobs finish"
        case _ if pause is not None and pause.paused:
            told = " ".join(part for part in ("the queue is paused", pause.told) if part)
            return "True", QUEUE_PAUSED, f"{told}. Until it is resumed, no worker is added"
        case _ if pause is None and before is not None and before["reason"] == QUEUE_PAUSED:
            return before["status"], before["reason"], before["message"]
        case _:
            return "False", "NotPaused", "workers take jobs, and their number follows the load"


def _ready_condition(observation: Observation, *others: Verdict) -> Verdict:
    for status, reason, message in others:
        if status != "True":
            return status, reason, message
    return "True", "PoolWorks", "queue, types and workers are fine"
