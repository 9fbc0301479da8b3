"""Whether a pool's image may be used: what the one-shot `zerog describe` pod has said.

The pod is the memory: it stays while its template is the pool's. A worker of the template that
is ready says as much, so a pod that somebody deleted costs nothing. But the pod also introduces
the template's job types (`zerog.ledger.types`), so one runs after a roll-back, too, when workers of
the template are still ready. Pure but for the types.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from zerog_operator import names
from zerog_operator.model import Refusal, WorkerState
from zerog_operator.pods import PodFacts

#: A check that failed is repeated: the registry or the datastore may have been away.
RETRY_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Check:
    """Where the check of an image stands."""

    #: None: the image may be used.
    refusal: Refusal | None
    #: A describe pod is to be created.
    start: bool = False
    #: Describe pods that are of no use any more.
    remove: tuple[PodFacts, ...] = ()


def check_image(pods: Sequence[PodFacts], template: str, now: float) -> Check:
    """Return where the check of the template's image stands."""
    describers = [item for item in pods if item.role == names.ROLE_DESCRIBE]
    old = tuple(item for item in describers if item.worker.template != template)
    ours = [item for item in describers if item.worker.template == template]
    if any(
        item.role == names.ROLE_WORKER
        and item.worker.template == template
        and item.worker.state is WorkerState.READY
        for item in pods
    ):
        # Another template's pod is the sign of a roll-back, so it stays until ours has begun.
        return Check(None, start=bool(old) and not ours, remove=old if ours else ())
    if not ours:
        waiting = Refusal("ImageNotChecked", "the image's job types are being read", final=True)
        return Check(waiting, start=True, remove=old)
    pod = ours[0]
    if pod.phase == "Succeeded":
        return Check(None, remove=old)
    if pod.phase == "Failed":
        message = pod.ending.message if pod.ending else "it gave no reason"
        failed = Refusal("DescribeFailed", f"zerog describe failed: {message}", final=True)
        again = now - pod.worker.created > RETRY_SECONDS
        return Check(failed, remove=(*old, pod) if again else old)
    if pod.worker.state is WorkerState.NOT_COMING:
        return Check(Refusal(pod.worker.reason, pod.worker.message, final=True), remove=old)
    message = "the image's job types are being read"
    if pod.worker.state is WorkerState.WAITING_FOR_NODE:
        message = f"{pod.worker.name}, which reads the image's job types, waits for a node: "
        message += pod.worker.message
    return Check(Refusal("ImageNotChecked", message, final=True), remove=old)
