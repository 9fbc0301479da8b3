"""What a job says to steer its life: raised or returned from `run`."""

from dataclasses import dataclass
from typing import Any


class JobSignal(Exception):
    """Raised by a job on purpose. Not a failure of ZeroG, and mostly not of the job."""


class Retry(JobSignal):
    """Give up this attempt and try again. Counts as an error against `max_errors`."""

    def __init__(self, delay_seconds: float | None = None, message: str = "") -> None:
        """`delay_seconds` None: the type's back-off."""
        super().__init__(message)
        self.delay_seconds = delay_seconds
        self.message = message


class Finish(JobSignal):
    """End the job now with a result code. 200 to 399 is success, all else failure; no retry."""

    def __init__(self, code: int, message: str = "", data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = data


@dataclass(frozen=True, slots=True)
class Continue:
    """Returned to run again, with the same `ctx.state`. Costs no budget."""

    delay_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Result:
    """Returned to give output data a result code of one's own."""

    data: Any = None
    code: int = 200


class Stopped(BaseException):
    """Raised inside `run` when the job is told to end.

    It derives from `BaseException`, so that `except Exception` does not swallow it. Clean up in
    `finally`, and let it pass.
    """


class Cancelled(Stopped):
    """Somebody cancelled the job, or the worker has to stop."""


class TimedOut(Stopped):
    """The job ran longer than its timeout."""
