"""Judge how an attempt ended: from what the child said, or from its death, to an event of life.

Pure. A child is ended by its worker for a reason (`Stop`); what it then says or how it
dies is judged by that reason, but a result that came first stands: the work is done.
"""

import signal
from enum import StrEnum
from typing import Any

from zerog.model import life
from zerog.sdk.outcome import Outcome


class Stop(StrEnum):
    """Why a worker ends a running job. The values are what the child is told."""

    CANCEL = "cancel"
    TIMEOUT = "timeout"
    INTERRUPT = "interrupt"
    #: Another worker has the job: whatever this attempt does is not written.
    FENCED = "fenced"


def judge_outcome(
    outcome: Outcome, attempt: int, stop: Stop | None, *, in_blob: bool = False
) -> life.Event:
    """Return what the outcome that a child reported means for its job."""
    state = outcome.state
    if outcome.kind in ("cancelled", "timedout"):
        return _judge_stopped(attempt, stop, state)
    # An exception on the way out of a stopped run is the stop's doing, not the job's.
    if outcome.kind == "raised" and stop is not None:
        return _judge_stopped(attempt, stop, state)
    message = outcome.message or None
    match outcome.kind:
        case "returned" | "finish":
            data: Any = None if in_blob else outcome.data
            return life.Returned(attempt, outcome.code, data, in_blob, message, job_state=state)
        case "continue":
            return life.Returned(
                attempt,
                message=message,
                continue_seconds=outcome.delay_seconds or 0.0,
                job_state=state,
            )
        case "retry":
            return life.Raised(
                attempt, message or "asked for a retry", outcome.delay_seconds, job_state=state
            )
        case "invalid":
            return life.Raised(attempt, message or "invalid parameters", None, state, invalid=True)
        case _:
            return life.Raised(attempt, message or "raised an exception", job_state=state)


def judge_death(exitcode: int, oom: bool | None, attempt: int, stop: Stop | None) -> life.Event:
    """Return what a child's death in the middle of a job means for the job."""
    if stop is not None:
        return _judge_stopped(attempt, stop, None)
    if oom:
        return life.Crashed(attempt, "the job's process was killed: out of memory", True)
    return life.Crashed(attempt, f"the job's process died: {describe_exit(exitcode)}")


def describe_exit(exitcode: int) -> str:
    """Say in words how a process ended; negative codes are signals, as in `subprocess`."""
    if exitcode >= 0:
        return f"exit code {exitcode}"
    try:
        return f"signal {-exitcode} ({signal.Signals(-exitcode).name})"
    except ValueError:
        return f"signal {-exitcode}"


def _judge_stopped(attempt: int, stop: Stop | None, state: dict[str, Any] | None) -> life.Event:
    match stop:
        case Stop.CANCEL:
            return life.Cancelled(attempt)
        case Stop.TIMEOUT:
            return life.TimedOut(attempt, state)
        case Stop.INTERRUPT | Stop.FENCED:
            return life.Interrupted(attempt, "its worker had to stop", state)
        case None:
            return life.Raised(
                attempt, "raised Cancelled although nobody asked for it", job_state=state
            )
