"""From a Pod object to what can be expected of it, and to why it ended. Pure.

The invariant: a pod is READY only if the cluster says so, one that was ready and is not any more
may still run a job, and what the cluster says of one that is not coming is kept word by word.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, TypeVar

from zerog_operator import names
from zerog_operator.model import NODE_REASONS, WorkerPod, WorkerState

#: Waiting reasons after which a container will not run soon.
STUCK_REASONS = frozenset(
    {
        "ImagePullBackOff",
        "ErrImagePull",
        "ErrImageNeverPull",
        "InvalidImageName",
        "RegistryUnavailable",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
        "CrashLoopBackOff",
    }
)
FINISHED_PHASES = frozenset({"Succeeded", "Failed"})
#: A pod that is not ready this long after it got its node is not coming, whatever is wrong.
LATE_SECONDS = 300.0
#: A node that has much to do tells so late that a pod is ready.
TOLD_LATE_SECONDS = 10.0


Moved = TypeVar("Moved", "PodFacts", WorkerPod)


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a worker's container or pod ended."""

    #: OOMKilled, Evicted, NodeLost, Deleted, Completed, Error, or the cluster's own word.
    reason: str
    message: str
    exit_code: int | None = None
    #: Ends of one pod are told apart by this: a container may end and be restarted.
    key: str = ""
    #: When it ended, if the cluster says so.
    time: float | None = None


@dataclass(frozen=True, slots=True)
class PodFacts:
    """A pod of a pool as far as the operator looks at it."""

    worker: WorkerPod
    role: str
    phase: str
    #: The pod will never run again, and nobody has deleted it yet.
    finished: bool
    ending: Ending | None
    #: The cluster calls it ready, or did so when its end was asked for.
    ready: bool = False
    #: Since when it could get ready: its scheduling, or the end of its process before.
    waiting_since: float = 0.0
    #: What it has of `names.MARKS`; None: its template decides.
    marks: Mapping[str, str] | None = None

    def moved(self, seconds: float) -> "PodFacts":
        """Return the same with all times as by a clock that is ahead by this.

        The time of an ending stays the cluster's: it goes into records.
        """
        return replace(_move(self, seconds), worker=_move(self.worker, seconds))

    def worker_at(self, now: float, node_wait_seconds: float) -> WorkerPod:
        """Return what can be expected of the worker now: one that is late is not coming.

        Without a node it is late after `node_wait_seconds`; how long it takes to start counts from
        its scheduling, so neither a slow pull nor a slow node is charged to the other.
        """
        worker = self.worker
        if worker.state is WorkerState.WAITING_FOR_NODE:
            late = now - worker.created >= node_wait_seconds
            return replace(worker, state=WorkerState.NOT_COMING) if late else worker
        if worker.state is not WorkerState.STARTING or now - self.waiting_since < LATE_SECONDS:
            return worker
        message = f"it is {self.phase} and not ready after {LATE_SECONDS:.0f} s"
        return replace(worker, state=WorkerState.NOT_COMING, reason="NotReady", message=message)


def parse_pod(body: Mapping[str, Any]) -> PodFacts:
    """Read a Pod object."""
    metadata, spec = body["metadata"], body.get("spec", {})
    status = body.get("status", {})
    labels = metadata.get("labels", {})
    state, reason, message = _state(metadata, status)
    ready, scheduled = _condition(status, "Ready"), _scheduled_since(status)
    worker = WorkerPod(
        name=metadata["name"],
        uid=metadata["uid"],
        resource_version=metadata["resourceVersion"],
        created=_time(metadata["creationTimestamp"]),
        state=state,
        template=labels.get(names.TEMPLATE_LABEL, ""),
        scheduled_since=scheduled,
        ready_since=_transition_time(ready) if state is WorkerState.READY else None,
        node=spec.get("nodeName"),
        reason=reason,
        message=message,
    )
    phase = status.get("phase", "Pending")
    finished = phase in FINISHED_PHASES and not metadata.get("deletionTimestamp")
    return PodFacts(
        worker=worker,
        role=labels.get(names.ROLE_LABEL, ""),
        phase=phase,
        finished=finished,
        ending=_ending(body),
        ready=_was_ready(metadata, ready),
        waiting_since=max(worker.created, scheduled or 0.0, _transition_time(ready) or 0.0),
        marks=_marks(metadata.get("annotations") or {}),
    )


def _marks(annotations: Mapping[str, str]) -> Mapping[str, str] | None:
    if names.MARKED_BY in annotations:
        return None
    return {name: annotations[name] for name in names.MARKS if name in annotations}


def parse_departed(body: Mapping[str, Any]) -> PodFacts:
    """Read a Pod object that is gone. A forced deletion leaves no trace in it."""
    metadata = {"deletionTimestamp": body["metadata"]["creationTimestamp"], **body["metadata"]}
    return parse_pod({**body, "metadata": metadata})


def _state(metadata: Mapping[str, Any], status: Mapping[str, Any]) -> tuple[WorkerState, str, str]:
    if metadata.get("deletionTimestamp") or status.get("phase") in FINISHED_PHASES:
        completed = status.get("phase") == "Succeeded"
        return WorkerState.ENDING, "Completed" if completed else "", ""
    ready = _condition(status, "Ready")
    if ready and ready.get("status") == "True":
        return WorkerState.READY, "", ""
    if _has_been_ready(status, ready):
        return WorkerState.RETIRING, "", ""
    for container in _containers(status):
        waiting = container.get("state", {}).get("waiting") or {}
        if waiting.get("reason") in STUCK_REASONS:
            last = container.get("lastState", {}).get("terminated") or {}
            message = waiting.get("message") or last.get("message") or ""
            return WorkerState.NOT_COMING, waiting["reason"], message
    scheduled = _condition(status, "PodScheduled")
    if scheduled and scheduled.get("status") == "False":
        reason = scheduled.get("reason") or "Unschedulable"
        waits = reason in NODE_REASONS
        state = WorkerState.WAITING_FOR_NODE if waits else WorkerState.NOT_COMING
        return state, reason, scheduled.get("message", "")
    return WorkerState.STARTING, "", ""


def _ending(body: Mapping[str, Any]) -> Ending | None:
    """Return the last end of the worker's container, or the coming end of the pod."""
    uid, status = body["metadata"]["uid"], body.get("status", {})
    ended = _terminated(status)
    time = _time(ended["finishedAt"]) if ended.get("finishedAt") else None
    code = ended.get("exitCode")
    if (doom := _doom(body["metadata"], status)) is not None:
        reason, message = doom
        # Told when it becomes known, and again when the process is known to be gone.
        return Ending(reason, message, code, f"{uid}/{reason}/{time}", time)
    if ended:
        message = ended.get("message") or f"exit code {code}"
        return Ending(ended.get("reason", "Error"), message, code, f"{uid}/{time}", time)
    return None


def _terminated(status: Mapping[str, Any]) -> Mapping[str, Any]:
    for container in _containers(status):
        if container.get("name") == names.WORKER_CONTAINER:
            for place in ("state", "lastState"):
                if ended := (container.get(place) or {}).get("terminated"):
                    found: Mapping[str, Any] = ended
                    return found
    return {}


def _doom(metadata: Mapping[str, Any], status: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return why the pod as a whole is ended from outside."""
    disruption = _condition(status, "DisruptionTarget")
    if disruption and disruption.get("status") == "True":
        message = disruption.get("message") or status.get("message", "")
        return disruption.get("reason", "Disrupted"), message
    if status.get("reason"):
        return status["reason"], status.get("message", "")
    if metadata.get("deletionTimestamp"):
        return "Deleted", "the pod was deleted"
    return None


def _containers(status: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [*status.get("initContainerStatuses", ()), *status.get("containerStatuses", ())]


def _condition(status: Mapping[str, Any], kind: str) -> Mapping[str, Any] | None:
    for condition in status.get("conditions") or ():
        if condition.get("type") == kind:
            found: Mapping[str, Any] = condition
            return found
    return None


def _has_been_ready(status: Mapping[str, Any], ready: Mapping[str, Any] | None) -> bool:
    """Whether the worker's process that runs now was ready before: it became unready later than
    it was started. It drains, or its probe fails, or its node is silent; it may run a job."""
    since = _transition_time(ready)
    for container in status.get("containerStatuses") or ():
        running = (container.get("state") or {}).get("running") or {}
        if container.get("name") == names.WORKER_CONTAINER and running.get("startedAt"):
            return since is not None and since > _time(running["startedAt"])
    return False


def _was_ready(metadata: Mapping[str, Any], ready: Mapping[str, Any] | None) -> bool:
    if ready is None or ready.get("status") != "True":
        return False
    if not (deletion := metadata.get("deletionTimestamp")):
        return True
    # The timestamp is when its grace is over. A probe may find it ready after it was told to end,
    # and of one that became ready just before the cluster did not know it then.
    asked = _time(deletion) - metadata.get("deletionGracePeriodSeconds", 0)
    since = _transition_time(ready)
    return since is not None and since < asked - TOLD_LATE_SECONDS


def _scheduled_since(status: Mapping[str, Any]) -> float | None:
    scheduled = _condition(status, "PodScheduled")
    bound = scheduled is not None and scheduled.get("status") == "True"
    return _transition_time(scheduled) if bound else None


def _transition_time(condition: Mapping[str, Any] | None) -> float | None:
    text = (condition or {}).get("lastTransitionTime")
    return _time(text) if text else None


def _move(item: Moved, seconds: float) -> Moved:
    """Add seconds to every float: all of them are times."""
    times: dict[str, Any] = {}
    for field in fields(item):
        if isinstance(value := getattr(item, field.name), float):
            times[field.name] = value + seconds
    return replace(item, **times)


def _time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()
