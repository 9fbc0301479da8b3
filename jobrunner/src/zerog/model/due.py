"""When a job is due, how long it waits and how long it is kept. Pure."""

import math
from datetime import datetime

from zerog.model.backoff import Backoff
from zerog.model.limits import MAX_SECONDS, bounded
from zerog.model.record import JobRecord, Limits, State

#: Each back-off is spread by this share to both sides, so that retries do not arrive in step.
JITTER = 0.25
#: The pause after a crash: long enough that a job that always kills its process does not use up its
#: budget at once, short enough that a dead worker's job runs again within seconds.
CRASH_BACKOFF = Backoff(1.0, 600.0, spread=JITTER, above=JITTER)


def delay_until(not_before_time: datetime | None, now: datetime) -> int:
    """Whole seconds, rounded up, until a job may start: what a queue entry is delayed by.

    At most `MAX_SECONDS`: a claim that comes before the time delays the entry again.
    """
    if not_before_time is None or not_before_time <= now:
        return 0
    return math.ceil(min((not_before_time - now).total_seconds(), MAX_SECONDS))


def waited_seconds(record: JobRecord, now: datetime) -> float:
    """Return how long a job that is queued or waits has been due."""
    due = max(record.changed_time, record.not_before_time or record.changed_time)
    return bounded((now - due).total_seconds())


def is_overdue(record: JobRecord, now: datetime) -> bool:
    """Whether a job has not started in time."""
    return not record.is_finished and record.expires_time is not None and record.expires_time <= now


def retention_seconds(record: JobRecord) -> float:
    """How long a finished job is kept."""
    limits = record.limits
    ok = record.state is State.SUCCEEDED
    return limits.retain_ok_seconds if ok else limits.retain_failed_seconds


def error_pause(limits: Limits, errors: int, jitter: float) -> float:
    """Delay before the retry that follows the given number of errors; `jitter` is in 0..1."""
    backoff = Backoff(limits.backoff_seconds, limits.backoff_max_seconds, JITTER, JITTER)
    return backoff.pause(errors, jitter)
