"""A job type's options: read from its inner class `Options`, checked when the module is
imported."""

import re
from dataclasses import dataclass, fields
from types import NoneType
from typing import Any

from zerog.model.errors import InvalidTubeNameError
from zerog.model.names import check_queue_name

#: What a type may be called: it is a part of URLs.
TYPE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,99}")
DAY_SECONDS = 86400.0


@dataclass(frozen=True, slots=True)
class Options:
    """How a type's jobs are queued, retried and kept."""

    #: The type's name in the API; the class's name by default.
    name: str
    #: Its queue; a pool of workers serves one queue.
    queue: str = "default"
    #: 0 first … 9 last.
    priority: int = 5
    #: A job fails for good with its so-manieth error; 1 means no retry.
    max_errors: int = 3
    #: The same for crashes: the process of the job died.
    max_crashes: int = 3
    #: Delay before the first retry; it doubles with each.
    backoff_seconds: float = 5.0
    backoff_max_seconds: float = 600.0
    #: Seconds that one attempt may run; None: no limit.
    timeout: float | None = None
    #: How long a finished job is kept.
    retain_ok_seconds: float = 7 * DAY_SECONDS
    retain_failed_seconds: float = 30 * DAY_SECONDS


_KINDS: dict[str, tuple[type, ...]] = {
    "name": (str,),
    "queue": (str,),
    "priority": (int,),
    "max_errors": (int,),
    "max_crashes": (int,),
    "timeout": (int, float, NoneType),
}
_NUMBER = (int, float)


def read_options(class_name: str, declared: type | None) -> Options:
    """Read an `Options` class. `ValueError` lists everything that is wrong with it."""
    given: dict[str, Any] = {}
    if declared is not None:
        given = {name: value for name, value in vars(declared).items() if name[:2] != "__"}
    known = [item.name for item in fields(Options)]
    problems = [
        f"there is no option {name!r}; options are {', '.join(known)}"
        for name in given
        if name not in known
    ]
    for name in known:
        if name in given and (problem := _problem(name, given[name])):
            problems.append(f"option {name}: {problem}")
    if problems:
        raise ValueError("; ".join(problems))
    options = Options(**{"name": class_name, **given})
    if not TYPE_NAME.fullmatch(options.name):
        raise ValueError(
            f"{options.name!r} cannot be a type's name: use letters, digits, '_', '.', '-'"
        )
    return options


def _problem(name: str, value: Any) -> str | None:
    kinds: tuple[type, ...] = _KINDS.get(name, _NUMBER)
    fits = isinstance(value, kinds) and not isinstance(value, bool)
    if not fits:
        return f"{value!r} is no {' or '.join(kind.__name__ for kind in kinds)}"
    if name == "queue":
        try:
            check_queue_name(value)
        except InvalidTubeNameError as error:
            return str(error)
    if name == "priority" and not 0 <= value <= 9:
        return f"{value} is not one of 0 (first) to 9 (last)"
    if name in ("max_errors", "max_crashes") and value < 1:
        return f"{value} is not at least 1 (1 means: no second try)"
    if name == "timeout" and value is not None and not 0 < value < float("inf"):
        return f"{value} is not a number of seconds above 0"
    if name.endswith("_seconds") and not 0 <= value < float("inf"):
        return f"{value} is not a number of seconds from 0"
    return None
