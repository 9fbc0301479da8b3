"""What can be wrong with a call, in terms of jobs. `zerog_api.problems` turns it into answers."""

from collections.abc import Sequence
from dataclasses import dataclass

from zerog.model.errors import ZeroGError


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with a request, and where: a JSON path, or a parameter's name."""

    path: str
    message: str


class InvalidCallError(ZeroGError):
    """The call is understood, but invalid."""

    def __init__(self, faults: Sequence[Fault], message: str) -> None:
        super().__init__(message)
        self.faults = tuple(faults)


class UnknownTypeError(ZeroGError):
    """No worker has registered the job type."""

    def __init__(self, name: str, near: Sequence[str] = ()) -> None:
        hint = f"; did you mean {' or '.join(near)}?" if near else ""
        super().__init__(
            f"no worker has registered the job type {name[:100]!r}{hint} (GET /v1/types lists them)"
        )


class UnknownQueueError(ZeroGError):
    """There is no such queue."""

    def __init__(self, name: str) -> None:
        super().__init__(f"there is no queue {name[:100]!r} (GET /v1/queues lists them)")


class UnknownWorkerError(ZeroGError):
    """No such worker is alive."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no worker {name[:100]!r} is alive (GET /v1/workers lists them)")


class KeyReusedError(ZeroGError):
    """An Idempotency-Key was used for another call."""


class TakenBackError(ZeroGError):
    """Another request with the same Idempotency-Key has just taken its job back."""

    transient = True
