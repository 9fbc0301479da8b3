"""Turn a job's values into JSON text, or say which one has no JSON form, by its path.

Iterators are refused: they can be read only once, so what was stored would depend on who looked
first. The text is written once, by pydantic, and travels unchanged (`msgspec.Raw`).
"""

import dataclasses
import inspect
import re
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Set
from typing import Any

import msgspec
from pydantic import BaseModel

from zerog.model import jsontext

#: Deeper values are refused by `jsontext.dumps_embeddable`.
_MAX_DEPTH = 200
#: A path is for people, and the reason follows it.
_MAX_KEY_CHARS, _MAX_PATH_CHARS = 60, 200
_SCALARS = frozenset({str, int, float, bool, type(None)})
_SEQUENCES = (list, tuple, Set, deque)
#: Only a number like this can be too large to be read again.
_MANY_DIGITS = re.compile(rb"\d{1000}")


def json_text(value: Any, name: str) -> bytes:
    """Return a value's JSON text. `name` is what the error calls the value, e.g. `ctx.state`.

    Raises:
        ValueError: It has no JSON form. The message says where: `ctx.state['rows'][3]`.
    """
    try:
        _refuse_iterators(value, name, 0)
        text = jsontext.dumps_embeddable(value)
        if _MANY_DIGITS.search(text):
            msgspec.json.decode(text)
        return text
    except NoJsonFormError:
        raise
    except Exception as error:  # a value may raise anything when it is looked at
        raise NoJsonFormError(_find(value, name, error)) from None


class NoJsonFormError(ValueError):
    """A value of a job has no JSON form that can be kept."""


def _refuse_iterators(value: Any, path: str, depth: int) -> None:
    """Look through all containers; at the speed of `set(map(type, …))` for plain values."""
    if type(value) in _SCALARS:
        return
    if isinstance(value, Iterator):
        raise NoJsonFormError(
            f"{path} is a {type(value).__name__}, which can be read only once: "
            "make a list of it, list(...)"
        )
    if depth > _MAX_DEPTH:
        raise NoJsonFormError(f"{_shown(path)} nests more than {_MAX_DEPTH} levels deep")
    children = _children(value)
    if children is None or _SCALARS.issuperset(map(type, children[1])):
        return
    for key, child in zip(*children, strict=False):
        if type(child) not in _SCALARS:
            _refuse_iterators(child, path + _step(key), depth + 1)


def _children(value: Any) -> tuple[Iterable[Any], Iterable[Any]] | None:
    """Return the keys and the values in a container, None if it is not one."""
    if isinstance(value, Mapping):
        return value.keys(), value.values()
    if isinstance(value, _SEQUENCES):
        return range(len(value)), value
    if isinstance(value, BaseModel):
        return vars(value).keys(), vars(value).values()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        names = [item.name for item in dataclasses.fields(value)]
        return names, [getattr(value, name, None) for name in names]
    return None


def _step(key: object) -> str:
    text = repr(key) if isinstance(key, str | int) else type(key).__name__
    return f"[{text[:_MAX_KEY_CHARS]}]"


def _shown(path: str) -> str:
    return path if len(path) <= _MAX_PATH_CHARS else f"{path[:_MAX_PATH_CHARS]}…"


def _find(value: Any, path: str, error: Exception, depth: int = 0) -> str:
    """Return the path of the innermost value that fails, and why it does."""
    try:
        children = _children(value) if depth <= _MAX_DEPTH else None
        for key, child in zip(*children, strict=False) if children else ():
            failure = _failure(child)
            if failure is not None:
                return _find(child, path + _step(key), failure, depth + 1)
    except Exception as failure:
        error = failure
    return f"{_shown(path)} has no JSON form: {_why(value, error)}"


def _failure(value: Any) -> Exception | None:
    try:
        text = jsontext.dumps(value)
        if _MANY_DIGITS.search(text):
            msgspec.json.decode(text)
    except Exception as error:
        return error
    return None


def _why(value: Any, error: Exception) -> str:
    if isinstance(value, str):
        return "a text with a lone surrogate"
    if isinstance(value, float):
        name = "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"
        return f"{name} is not a JSON number: use None or a text"
    if isinstance(value, int):
        return "an integer with too many digits"
    if isinstance(value, bytes | bytearray | memoryview):
        return f"{type(value).__name__} that is not UTF-8 text"
    reason = str(error).rpartition("representable as JSON: ")[2]
    if reason.startswith("Unable to serialize unknown type"):
        reason = _instead(value)
    return f"{type(value).__name__} ({reason[:200]})"


def _instead(value: Any) -> str:
    if inspect.isawaitable(value):
        return "await it"
    if hasattr(type(value), "tolist"):
        return "make a list of it, .tolist()"
    return "make texts, numbers, lists and dicts of it, or a dataclass or pydantic model"
