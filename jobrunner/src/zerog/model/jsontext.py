"""JSON text, read and written strictly, the one way all of ZeroG does it.

Strict means: UTF-8 only, no NaN or Infinity, no lone surrogates, integers of any size
kept exactly, and nesting bounded (the reader refuses what is deeper than some 200
levels instead of recursing). It is pydantic's own parser and writer, so that parameters
have one meaning from POST to `run`.
"""

import re
from typing import Any

from pydantic_core import PydanticSerializationError, from_json, to_json


def loads(text: bytes | str) -> Any:
    """Parse a JSON text. `ValueError` says where and why it is not one."""
    return from_json(text, allow_inf_nan=False, cache_strings="keys")


def dumps(value: Any) -> bytes:
    """Write a value as compact JSON. `ValueError` if it has no JSON form (also NaN, Infinity)."""
    try:
        text = to_json(value, inf_nan_mode="constants")
    except (PydanticSerializationError, UnicodeEncodeError) as error:
        raise ValueError(f"not representable as JSON: {error}") from error
    # The two words are rare in real text, so that the second reading is, too.
    if b"NaN" in text or b"Infinity" in text:
        loads(text)
    return text


#: Levels of nesting that documents and frames put around a value of a job.
_LEVELS_AROUND = 8
#: A number that may be infinite, as 1e999 is, or a text that looks like one.
_HUGE = re.compile(rb"\d[eE]|\d{300}")
#: Fewer brackets than this cannot nest too deeply.
_FEW_BRACKETS = 100


def dumps_embeddable(value: Any) -> bytes:
    """Write a value that will stand inside other documents. `ValueError` if it nests too deeply."""
    text = dumps(value)
    if text.count(b"[") + text.count(b"{") > _FEW_BRACKETS:
        loads(b"[" * _LEVELS_AROUND + text + b"]" * _LEVELS_AROUND)
    return text


def loads_embeddable(text: bytes) -> Any:
    """Parse a text that will stand inside other documents. `ValueError` if it is not JSON, nests
    too deeply, or has a number that is infinite, as 1e999 is."""
    value = loads(text)
    if _HUGE.search(text) or text.count(b"[") + text.count(b"{") > _FEW_BRACKETS:
        dumps_embeddable(value)
    return value


def check_object(text: str) -> None:
    """Check that a text is a JSON object that can stand inside other documents. `ValueError`."""
    if not isinstance(loads_embeddable(text.encode()), dict):
        raise ValueError("JSON that is not an object")
