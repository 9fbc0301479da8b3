"""The verdict on an attempt: from what its process reported, or from its death, to the event that
counts. Pure.

A worker ends a running job for a reason (`Stop`). What the process then reports or how it dies is
judged by that reason; but a result that came first stands, because the work is done.
"""

import signal
from enum import StrEnum
from typing import assert_never

from zerog.child.handle import ChildDeath
from zerog.model import events
from zerog.model.record import JobState


class Stop(StrEnum):
    """Why a worker ends a running job. The values are what the child learns."""

    CANCEL = "cancel"
    TIMEOUT = "timeout"
    INTERRUPT = "interrupt"
    #: Another worker has the job: whatever this attempt does is not written.
    FENCED = "fenced"


def verdict(
    end: events.RunEnd | ChildDeath,
    attempt: int,
    stop: Stop | None,
    *,
    larger_queue: str | None = None,
) -> events.AttemptEvent:
    """Return what the end of an attempt's run means for its job.

    `larger_queue` is where a job goes that needs more memory than there is here.
    """
    match end:
        case events.Returned() | events.Continued() | events.Invalid():
            return end
        case events.Raised():
            # An exception on the way out of a stopped run is the stop's doing, not the job's.
            return end if stop is None else _stopped(attempt, stop, end.state)
        case events.Stopped():
            if stop is None:
                message = "raised Cancelled although nobody asked for it"
                return events.Raised(attempt, message, state=end.state)
            return _stopped(attempt, stop, end.state)
        case ChildDeath():
            if stop is not None:
                return _stopped(attempt, stop, None)
            return events.Crashed(attempt, describe_death(end), bool(end.oom), larger_queue)
        case _:
            assert_never(end)


def describe_death(death: ChildDeath) -> str:
    """Say in words how a job's process ended."""
    if death.reason is not None:
        return death.reason
    if death.oom:
        return "the job's process was killed: out of memory"
    where = f", at {death.place}" if death.place else ""
    return f"the job's process died: {describe_exit(death.exitcode)}{where}"


def describe_exit(exitcode: int) -> str:
    """Say in words how a process ended; negative codes are signals, as in `subprocess`."""
    if exitcode >= 0:
        return f"exit code {exitcode}"
    try:
        return f"signal {-exitcode} ({signal.Signals(-exitcode).name})"
    except ValueError:
        return f"signal {-exitcode}"


def _stopped(attempt: int, stop: Stop, state: JobState | None) -> events.AttemptEvent:
    match stop:
        case Stop.CANCEL:
            return events.AttemptCancelled(attempt)
        case Stop.TIMEOUT:
            return events.AttemptTimedOut(attempt, state)
        case Stop.INTERRUPT | Stop.FENCED:
            return events.Interrupted(attempt, "its worker had to stop", state)
        case _:
            assert_never(stop)
