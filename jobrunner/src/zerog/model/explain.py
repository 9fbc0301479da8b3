"""Why a worker died, told afterwards by somebody who knows. Pure.

Whoever takes a job over from a worker that is gone can only say that it died, and that is a crash.
The operator learns more from the cluster, sooner or later: an eviction, a lost node or a deletion
is an interruption and costs the job nothing, an out-of-memory kill is told apart from other
crashes. What is finished stays finished.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from zerog.model import life
from zerog.model.record import Attempt, Cause, JobRecord, State, revised


@dataclass(frozen=True, slots=True)
class Death:
    """What is known of a worker's end."""

    #: Attempts that began later are of a worker of the same name that came after it.
    time: datetime
    #: CRASH, OUT_OF_MEMORY or INTERRUPTED.
    cause: Cause
    message: str
    #: The process is known to be gone. Otherwise only what somebody took over is explained: an
    #: attempt that still runs is left alone.
    certain: bool


def explain(record: JobRecord, worker: str, death: Death, now: datetime) -> JobRecord | None:
    """Return the record with the cause of the worker's death, None if it has nothing to do with
    it or says so already."""
    if record.is_finished:
        return None
    for index, attempt in enumerate(record.attempts):
        if attempt.worker.name != worker or attempt.started_time > death.time:
            continue
        if attempt.cause is None and attempt is record.current_attempt and death.certain:
            return _end(record, death.cause, death.message, now)
        if attempt.cause is Cause.CRASH and attempt.cause is not death.cause:
            return _correct(record, index, attempt, death.cause, death.message, now)
    return None


def _end(record: JobRecord, cause: Cause, message: str, now: datetime) -> JobRecord:
    """Nobody has taken it over yet. Its queue entry is free since the worker's connection ended."""
    event: life.Event = (
        life.Interrupted(record.attempt, message)
        if cause is Cause.INTERRUPTED
        else life.Crashed(record.attempt, message, out_of_memory=cause is Cause.OUT_OF_MEMORY)
    )
    return life.step(record, event, now).record


def _correct(
    record: JobRecord, index: int, attempt: Attempt, cause: Cause, message: str, now: datetime
) -> JobRecord:
    corrected = replace(attempt, cause=cause, message=message)
    attempts = (*record.attempts[:index], corrected, *record.attempts[index + 1 :])
    free = 1 if cause is Cause.INTERRUPTED else 0
    told = message if record.state is State.QUEUED else record.message
    return revised(
        record, now, attempts=attempts, crashes=max(0, record.crashes - free), message=told
    )
