"""What a job says to steer its life: raised or returned from `run`.

Arguments are checked here, where the job's author wrote them: a mistake is an ordinary error of the
job, with a traceback in its log.
"""

import operator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from zerog.model.limits import MAX_CODE, MIN_CODE, one_line, read_seconds
from zerog.sdk.text import to_text

OK = 200


def check_code(code: object) -> int:
    """Return a result code. `TypeError` if it is not an integer, `ValueError` if out of bounds."""
    try:
        if isinstance(code, bool):
            raise TypeError
        number = operator.index(code)  # type: ignore[arg-type]  # also an IntEnum or numpy's
    except TypeError:
        raise TypeError(
            f"a result code is an int from {MIN_CODE} to {MAX_CODE}, "
            f"not {type(code).__name__} {to_text(code)[:100]!r}"
        ) from None
    if not MIN_CODE <= number <= MAX_CODE:
        raise ValueError(f"a result code is an int from {MIN_CODE} to {MAX_CODE}")
    return number


class JobSignal(Exception):
    """Raised by a job on purpose. Not a failure of ZeroG, and mostly not of the job."""


class Retry(JobSignal):
    """Give up this attempt and try again. Counts as an error against `max_errors`."""

    def __init__(
        self, delay_seconds: float | timedelta | None = None, message: object = ""
    ) -> None:
        """`delay_seconds` None: the type's back-off."""
        self.delay_seconds = None if delay_seconds is None else read_seconds(delay_seconds)
        self.message = one_line(to_text(message)) or ""
        super().__init__(self.message)


class Finish(JobSignal):
    """End the job now with a result code. 200 to 399 is success, else failure; no retry."""

    def __init__(self, code: int, message: object = "", data: Any = None) -> None:
        self.code = check_code(code)
        self.message = one_line(to_text(message)) or ""
        self.data = data
        super().__init__(self.message)


@dataclass(frozen=True, slots=True)
class Continue:
    """Returned to run again, with the same `ctx.state`. Costs no budget."""

    delay_seconds: float | timedelta = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "delay_seconds", read_seconds(self.delay_seconds))


@dataclass(frozen=True, slots=True)
class Result:
    """Returned to give output data a custom result code."""

    data: Any = None
    code: int = OK

    def __post_init__(self) -> None:
        object.__setattr__(self, "code", check_code(self.code))


class Stopped(BaseException):
    """Raised inside `run` when the job must end.

    It derives from `BaseException`, so that `except Exception` does not swallow it. Clean up in
    `finally`, and let it pass.
    """


class Cancelled(Stopped):
    """Somebody cancelled the job, or the worker has to stop."""


class TimedOut(Stopped):
    """The job ran longer than its timeout."""
