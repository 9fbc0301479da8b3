"""A job type's options: the inner class `Options`, checked by pydantic when the module is imported.

An option is taken from the nearest class that sets it, abstract bases included. A name is not
inherited: it stands for one class.
"""

import re
from collections.abc import Callable
from dataclasses import field
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.dataclasses import dataclass

from zerog.model.labels import check_labels
from zerog.model.limits import DAY_SECONDS, MAX_RETENTION_SECONDS, MAX_TRIES, read_seconds
from zerog.model.names import check_queue_name

#: What a type may be called: it is a part of URLs.
TYPE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,99}")


def _check_name(name: str) -> str:
    if not TYPE_NAME.fullmatch(name):
        raise ValueError(
            f"{name!r} cannot be a type's name: use letters, digits, '_', '.', '-', "
            "and at most 100 of them"
        )
    return name


def _reader(most: float | None = None) -> Callable[[object], float]:
    def read(value: object) -> float:
        try:
            return read_seconds(value) if most is None else read_seconds(value, most)
        except TypeError as error:  # pydantic collects only value errors
            raise ValueError(str(error)) from None

    return read


def _check_timeout(seconds: float) -> float:
    if seconds <= 0:
        raise ValueError("a timeout is more than 0 seconds; None means no limit")
    return seconds


Duration = Annotated[float, BeforeValidator(_reader())]
Retention = Annotated[float, BeforeValidator(_reader(MAX_RETENTION_SECONDS))]
Timeout = Annotated[float, AfterValidator(_check_timeout), BeforeValidator(_reader())]
Tries = Annotated[int, Field(strict=True, ge=1, le=MAX_TRIES)]


@dataclass(frozen=True, slots=True, config=ConfigDict(extra="forbid", validate_default=True))
class Options:
    """How a type's jobs are queued, retried and kept. Durations are seconds or a `timedelta`."""

    #: The type's name in the API; the class's name by default.
    name: Annotated[str, Field(strict=True), AfterValidator(_check_name)]
    #: Its queue; a pool of workers serves one queue.
    queue: Annotated[str, Field(strict=True), AfterValidator(check_queue_name)] = "default"
    #: 0 first … 9 last.
    priority: Annotated[int, Field(strict=True, ge=0, le=9)] = 5
    #: A job fails for good with its error of this number; 1 means no retry.
    max_errors: Tries = 3
    #: The same for crashes: the process of the job died.
    max_crashes: Tries = 3
    #: Delay before the first retry; it doubles with each.
    backoff_seconds: Duration = 5.0
    #: It does not grow beyond this.
    backoff_max_seconds: Duration = 600.0
    #: Seconds that one attempt may run; None: no limit.
    timeout: Timeout | None = None
    #: How long a job that succeeded is kept.
    retain_ok_seconds: Retention = 7 * DAY_SECONDS
    #: How long a job that ended in another way is kept.
    retain_failed_seconds: Retention = 30 * DAY_SECONDS
    #: Whether what its jobs print, log and warn of goes into their logs; the worker's log has it.
    log_output: Annotated[bool, Field(strict=True)] = True
    #: What its jobs are labelled with; a job may bring its own labels.
    labels: Annotated[dict[str, str], AfterValidator(check_labels)] = field(default_factory=dict)


_KNOWN = tuple(Options.__dataclass_fields__)


def read_options(default_name: str, classes: list[type]) -> Options:
    """Read a class's options, its bases' first. `ValueError` lists everything that is wrong."""
    given: dict[str, Any] = {}
    for owner in classes:
        declared = vars(owner).get("Options")
        if declared is None:
            continue
        if not isinstance(declared, type):
            raise ValueError("Options is not a class: write `class Options:` in the job class")
        given.pop("name", None)
        for part in reversed(declared.__mro__[:-1]):
            given |= {name: value for name, value in vars(part).items() if name[:2] != "__"}
        if owner is not classes[-1]:
            given.pop("name", None)
    unknown = [
        f"no option {name!r}; options are {', '.join(_KNOWN)}"
        for name in given
        if name not in _KNOWN
    ]
    known = {name: value for name, value in given.items() if name in _KNOWN}
    try:
        options = Options(**{"name": default_name, **known})
    except ValidationError as error:
        raise ValueError("; ".join([*unknown, *map(_describe, error.errors())])) from None
    if unknown:
        raise ValueError("; ".join(unknown))
    return options


def _describe(fault: Any) -> str:
    message = fault["msg"].removeprefix("Value error, ")
    return f"option {fault['loc'][0]}: {message} (it is {fault['input']!r})"
