"""What happens to a job, and what is then to be done with its queue entry.

There is one vocabulary from the job's process to its record. What `run` did travels as a
`Returned`, `Continued`, `Raised`, `Invalid` or `Stopped` in the child's last frame
(`zerog.child.protocol`), the worker's verdict turns it into the event that counts
(`zerog.worker.verdict`), and `zerog.model.life.step` makes the next record from it.

Every event of an attempt carries the attempt's number, by which an old one is told from the current
one. `state` is what `run` keeps between attempts (`ctx.state`), as JSON text; None leaves it as it
was.
"""

from datetime import datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from zerog.model.limits import MAX_CODE, MAX_MESSAGE_CHARS, MIN_CODE
from zerog.model.record import (
    Cause,
    Cost,
    Count,
    EntryId,
    JobState,
    QueueName,
    Seconds,
    WorkerIdentity,
)

OK = 200

Code = Annotated[int, Meta(ge=MIN_CODE, le=MAX_CODE)]
Message = Annotated[str, Meta(max_length=MAX_MESSAGE_CHARS)]


class _Event(
    Struct, frozen=True, rename="camel", tag_field="event", omit_defaults=True, kw_only=True
):
    """What all events share: a tag, by which a frame is read."""

    #: Of an attempt's end: what the attempt took. The worker says it, not the job's process.
    cost: Cost | None = None


# How a run ended, as the job's process reports it.


class Returned(_Event, frozen=True, tag="returned"):
    """`run` ended the job: it returned, or it raised `Finish`."""

    attempt: Count
    code: Code = OK
    data: Any = None
    message: Message | None = None
    state: JobState | None = None


class Continued(_Event, frozen=True, tag="continued"):
    """`run` wants to run again after `delay_seconds`."""

    attempt: Count
    delay_seconds: Seconds = 0.0
    state: JobState | None = None


class Raised(_Event, frozen=True, tag="raised"):
    """`run` raised an exception, or asked for a retry after `retry_seconds`."""

    attempt: Count
    message: Message
    #: None: the type's back-off.
    retry_seconds: Seconds | None = None
    state: JobState | None = None


class Invalid(_Event, frozen=True, tag="invalid"):
    """The job cannot run as it is, e.g. its parameters do not fit: no retry can help."""

    attempt: Count
    message: Message


class Stopped(_Event, frozen=True, tag="stopped"):
    """`run` let itself be ended. Why, the worker knows: it asked for it."""

    attempt: Count
    state: JobState | None = None


RunEnd = Returned | Continued | Raised | Invalid | Stopped


# What the worker adds.


class Claimed(_Event, frozen=True):
    """A worker holds the job's queue entry and wants to run it."""

    worker: WorkerIdentity
    entry_id: EntryId
    #: The queue that the job had when it was read: it may move meanwhile. None: any.
    queue: QueueName | None = None


class Reported(_Event, frozen=True):
    """The attempt saved its state on the way."""

    attempt: Count
    state: JobState


class AttemptTimedOut(_Event, frozen=True):
    """The attempt ran longer than the job may."""

    attempt: Count
    state: JobState | None = None


class Crashed(_Event, frozen=True):
    """The child or the whole worker died under the job."""

    attempt: Count
    message: str
    out_of_memory: bool = False
    #: Where there is more memory; None: nowhere.
    larger_queue: QueueName | None = None
    #: Who says so, if it is not the attempt's worker.
    by: str | None = None


class Interrupted(_Event, frozen=True):
    """The worker had to stop: the attempt costs the job nothing."""

    attempt: Count
    message: str
    state: JobState | None = None
    #: As in `Crashed`.
    by: str | None = None


class AttemptCancelled(_Event, frozen=True):
    """The running attempt was ended because a cancel was requested."""

    attempt: Count


AttemptEvent = (
    Reported
    | Returned
    | Continued
    | Raised
    | Invalid
    | AttemptTimedOut
    | Crashed
    | Interrupted
    | AttemptCancelled
)


# What others do.


class CancelRequested(_Event, frozen=True):
    """Somebody wants the job to end."""


class Overdue(_Event, frozen=True):
    """The time by which the job has to start may be over."""


class Replayed(_Event, frozen=True):
    """Somebody wants a finished job to run again, with fresh budgets."""


class Queued(_Event, frozen=True):
    """An entry that stands for the job was put on its tube."""

    entry_id: EntryId
    #: The noted entry in whose place it was put, because that one is lost.
    instead_of: EntryId | None = None


class PutAside(_Event, frozen=True):
    """A worker cannot run the job, and says why. Another may."""

    message: str


class WorkerDied(_Event, frozen=True):
    """A worker died, and the cluster says why.

    The worker that takes a job over from a silent one can only say that it died, which is a crash.
    The operator learns more, sooner or later: an eviction or a lost node is an interruption.
    """

    worker: str
    #: Attempts that began later are of a worker of the same name that came after it.
    time: datetime
    #: CRASH, OUT_OF_MEMORY or INTERRUPTED.
    cause: Cause
    message: str
    #: The process is known to be gone. Otherwise only an attempt that was taken over is explained.
    certain: bool
    #: As in `Crashed`.
    larger_queue: QueueName | None = None


Event = (
    AttemptEvent | Claimed | CancelRequested | Overdue | Replayed | Queued | PutAside | WorkerDied
)


# What is then to be done with the queue entry.


class NoAction(Struct, frozen=True):
    """Leave the queue as it is."""


class Keep(Struct, frozen=True):
    """Keep the reservation and run the job."""


class Delete(Struct, frozen=True):
    """Delete the entry."""


class Release(Struct, frozen=True):
    """Give the entry back, with the job's priority."""

    delay_seconds: int
    priority: int


class Put(Struct, frozen=True):
    """Put a new entry."""

    delay_seconds: int
    priority: int


Action = NoAction | Keep | Delete | Release | Put
