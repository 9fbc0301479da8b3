"""What a class finds wrong with parameters: where it is in the JSON, and the author's words.

pydantic says where by a list that also names branches of unions, functions and keys. Only the steps
that lead somewhere in the parameters make the path: it is for a caller who has never seen the
class. Everything is bounded, because an author's message or a caller's key may be megabytes long.
"""

from typing import Annotated, Any

from msgspec import Meta, Struct
from pydantic import ValidationError

from zerog.model import jsontext
from zerog.sdk.text import clean, cut

#: Faults that are named. A caller mends these first.
MAX_FAULTS = 20
MAX_MESSAGE_CHARS = 500
MAX_STEP_CHARS, MAX_PATH_CHARS = 100, 300
#: A cut text also says how long it was.
_NOTE_CHARS = 50
#: What pydantic puts before the words of an author's `ValueError` or `assert`.
_PREFIXES = ("Value error, ", "Assertion failed, ")


class Fault(Struct, frozen=True):
    """One thing that is wrong with parameters."""

    #: As `.items[2].name`; empty for the parameters as a whole.
    path: Annotated[str, Meta(max_length=MAX_PATH_CHARS + _NOTE_CHARS)]
    message: Annotated[str, Meta(max_length=MAX_MESSAGE_CHARS + _NOTE_CHARS)]


def find_faults(error: ValidationError, parameters: bytes) -> list[Fault]:
    """Return the first faults of an error. `parameters` is the JSON that was refused."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    value = jsontext.loads(parameters)
    return [
        Fault(_path(fault["loc"], fault["type"], value), _message(fault["msg"]))
        for fault in found[:MAX_FAULTS]
    ]


def in_one_line(faults: list[Fault], count: int) -> str:
    """Return faults in one line, for a job's message. `count` is how many there are in all."""
    told = [
        f"{fault.path.removeprefix('.')}: {fault.message}" if fault.path else fault.message
        for fault in faults
    ]
    if count > len(faults):
        told.append(f"and {count - len(faults)} more")
    return "; ".join(told)


def _message(text: str) -> str:
    for prefix in _PREFIXES:
        text = text.removeprefix(prefix)
    return cut(clean(text.strip()), MAX_MESSAGE_CHARS) or "does not fit"


def _path(steps: tuple[int | str, ...], kind: str, value: Any) -> str:
    path = ""
    for number, step in enumerate(steps, 1):
        if isinstance(value, list) and isinstance(step, int) and step < len(value):
            path += f"[{step}]"
            value = value[step]
        elif isinstance(value, dict) and isinstance(step, str) and step in value:
            path += f".{cut(clean(step), MAX_STEP_CHARS)}"
            value = value[step]
        elif kind.startswith("missing") and number == len(steps) and isinstance(step, str):
            path += f".{step}"
    return cut(path, MAX_PATH_CHARS)
