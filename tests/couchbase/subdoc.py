"""Operations inside a JSON document by path, as Couchbase's sub-document commands define them.

`look` and `change` work on a parsed document; `change` alters it in place. Whoever calls
them keeps the old text, so that several changes are made all or none.
"""

import json
from collections.abc import Callable
from enum import IntEnum
from typing import cast

from tests.couchbase.engine import KvError
from tests.couchbase.protocol import Status

MAX_PATH_BYTES = 1024
MAX_DEPTH = 32
_INT64 = 1 << 63
_ENCODER = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)

Json = object
Step = str | int


class Op(IntEnum):
    """What is done at a path; the first three are for the document as a whole."""

    GET_DOC = 0x00
    SET_DOC = 0x01
    REMOVE_DOC = 0x04
    GET = 0xC5
    EXISTS = 0xC6
    DICT_ADD = 0xC7
    DICT_UPSERT = 0xC8
    REMOVE = 0xC9
    REPLACE = 0xCA
    ARRAY_PUSH_LAST = 0xCB
    ARRAY_PUSH_FIRST = 0xCC
    ARRAY_INSERT = 0xCD
    ARRAY_ADD_UNIQUE = 0xCE
    COUNTER = 0xCF
    GET_COUNT = 0xD2


def parse_path(path: bytes) -> list[Step]:
    """Return the steps of a path: names, in backticks where they hold a dot, and indexes.

    Raises:
        KvError: PATH_INVALID or PATH_TOO_BIG.
    """
    if len(path) > MAX_PATH_BYTES:
        raise KvError(Status.PATH_TOO_BIG)
    try:
        text = path.decode()
    except UnicodeDecodeError as error:
        raise KvError(Status.PATH_INVALID) from error
    steps: list[Step] = []
    at = 0
    while at < len(text):
        step, at = _parse_step(text, at)
        steps.append(step)
        if at < len(text) and text[at] == ".":
            at += 1
            if at == len(text):
                raise KvError(Status.PATH_INVALID)
        elif at < len(text) and text[at] != "[":
            raise KvError(Status.PATH_INVALID)
    if len(steps) > MAX_DEPTH:
        raise KvError(Status.PATH_TOO_BIG)
    return steps


def _parse_step(text: str, at: int) -> tuple[Step, int]:
    if text[at] == "[":
        end = text.find("]", at)
        digits = text[at + 1 : end] if end > 0 else ""
        if digits != "-1" and not (digits.isascii() and digits.isdigit()):
            raise KvError(Status.PATH_INVALID)
        return int(digits), end + 1
    if text[at] == "`":
        name, at = "", at + 1
        while at < len(text):
            if text[at] != "`":
                name, at = name + text[at], at + 1
            elif text[at : at + 2] == "``":
                name, at = name + "`", at + 2
            else:
                return name, at + 1
        raise KvError(Status.PATH_INVALID)
    end = at
    while end < len(text) and text[end] not in ".[":
        if text[end] in "]`":
            raise KvError(Status.PATH_INVALID)
        end += 1
    if end == at:
        raise KvError(Status.PATH_INVALID)
    return text[at:end], end


def encode(value: Json) -> bytes:
    """Return compact JSON."""
    return _ENCODER.encode(value).encode()


def is_too_deep(text: bytes, value: Json) -> bool:
    """Return whether a document, as text and parsed, has more than MAX_DEPTH levels."""
    # With few brackets it cannot be, and to count them is much cheaper than to go down.
    return text.count(b"{") + text.count(b"[") > MAX_DEPTH and depth(value) > MAX_DEPTH


def depth(value: Json) -> int:
    """Return how many containers lie within each other; 0 for a number or a text."""
    if isinstance(value, dict):
        return 1 + max(map(depth, value.values()), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)
    return 0


def look(root: Json, op: Op, path: bytes) -> bytes:
    """Return what a lookup finds, as JSON.

    Raises:
        KvError: Why it does not find it.
    """
    value = root
    for step in parse_path(path):
        value = _child(value, step)
    match op:
        case Op.GET:
            return encode(value)
        case Op.EXISTS:
            return b""
        case Op.GET_COUNT if isinstance(value, dict | list):
            return str(len(value)).encode()
        case Op.GET_COUNT:
            raise KvError(Status.PATH_MISMATCH)
        case _:
            raise KvError(Status.INVALID_COMBINATION)


def _child(value: Json, step: Step) -> Json:
    if isinstance(step, int):
        if not isinstance(value, list):
            raise KvError(Status.PATH_MISMATCH)
        if not value or step >= len(value):
            raise KvError(Status.PATH_NOT_FOUND)
        return value[step]
    if not isinstance(value, dict):
        raise KvError(Status.PATH_MISMATCH)
    if step not in value:
        raise KvError(Status.PATH_NOT_FOUND)
    return value[step]


def change(root: Json, op: Op, path: bytes, text: bytes, *, create_parents: bool) -> bytes | None:
    """Change the document in place; return the new number of a counter, else None.

    Raises:
        KvError: Why it cannot be done; the document may be changed in part then.
    """
    steps = parse_path(path)
    if op in _ARRAY_OPS:
        _change_array(root, op, steps, text, create_parents)
        return None
    if not steps:
        raise KvError(Status.PATH_INVALID)
    if op in (Op.REMOVE, Op.REPLACE):
        _replace(root, op, steps, text)
        return None
    if op not in (Op.DICT_ADD, Op.DICT_UPSERT, Op.COUNTER):
        raise KvError(Status.INVALID_COMBINATION)
    last = steps[-1]
    if op is Op.COUNTER and isinstance(last, int):
        return _count(_child(_walk(root, steps[:-1], None), last), text, _setter(root, steps))
    if isinstance(last, int):
        raise KvError(Status.PATH_INVALID)
    parent = _walk(root, steps[:-1], dict if create_parents else None)
    if not isinstance(parent, dict):
        raise KvError(Status.PATH_MISMATCH)
    if op is Op.COUNTER:
        return _count(parent.get(last, 0), text, lambda total: parent.update({last: total}))
    if op is Op.DICT_ADD and last in parent:
        raise KvError(Status.PATH_EXISTS)
    value = _parse_value(text)
    if len(steps) + depth(value) > MAX_DEPTH:
        raise KvError(Status.VALUE_TOO_DEEP)
    parent[last] = value
    return None


_ARRAY_OPS = (Op.ARRAY_PUSH_LAST, Op.ARRAY_PUSH_FIRST, Op.ARRAY_INSERT, Op.ARRAY_ADD_UNIQUE)


def _setter(root: Json, steps: list[Step]) -> Callable[[int], None]:
    def put(total: int) -> None:
        _replace(root, Op.REPLACE, steps, encode(total))

    return put


def _walk(root: Json, steps: list[Step], make: type[dict[str, Json]] | None) -> Json:
    """Go down the steps; what is missing is made where `make` is given."""
    value = root
    for step in steps:
        if make is not None and isinstance(value, dict) and isinstance(step, str):
            value = value.setdefault(step, make())
        else:
            value = _child(value, step)
    return value


def _replace(root: Json, op: Op, steps: list[Step], text: bytes) -> None:
    parent = _walk(root, steps[:-1], None)
    _child(parent, steps[-1])
    value = _parse_value(text) if op is Op.REPLACE else None
    step = steps[-1]
    # `_child` has found the step, so parent and step are of the same kind.
    assert isinstance(parent, dict | list)
    container = cast(dict[Step, Json], parent)
    if op is Op.REMOVE:
        del container[step]
    else:
        container[step] = value


def _count(old: Json, text: bytes, put: Callable[[int], None]) -> bytes:
    try:
        delta = int(text)
    except ValueError as error:
        raise KvError(Status.DELTA_INVALID) from error
    if delta == 0 or not -_INT64 <= delta < _INT64:
        raise KvError(Status.DELTA_INVALID)
    if not isinstance(old, int) or isinstance(old, bool):
        raise KvError(Status.PATH_MISMATCH)
    if not -_INT64 <= old < _INT64:
        raise KvError(Status.NUMBER_RANGE)
    total = old + delta
    if not -_INT64 <= total < _INT64:
        raise KvError(Status.VALUE_CANNOT_INSERT)
    put(total)
    return str(total).encode()


def _change_array(root: Json, op: Op, steps: list[Step], text: bytes, create_parents: bool) -> None:
    # Several values are sent as JSON with commas between them.
    values = _parse_value(b"[" + text + b"]")
    assert isinstance(values, list)
    if not values:
        raise KvError(Status.VALUE_CANNOT_INSERT)
    if op is Op.ARRAY_INSERT:
        _insert_at(root, steps, values)
        return
    array = _find_array(root, steps, create_parents)
    if op is Op.ARRAY_ADD_UNIQUE:
        if isinstance(values[0], dict | list):
            raise KvError(Status.VALUE_CANNOT_INSERT)
        if any(isinstance(item, dict | list) for item in array):
            raise KvError(Status.PATH_MISMATCH)
        if any(encode(item) == encode(values[0]) for item in array):
            raise KvError(Status.PATH_EXISTS)
    at = 0 if op is Op.ARRAY_PUSH_FIRST else len(array)
    array[at:at] = values


def _insert_at(root: Json, steps: list[Step], values: list[Json]) -> None:
    if not steps or not isinstance(steps[-1], int) or steps[-1] < 0:
        raise KvError(Status.PATH_INVALID)
    array = _walk(root, steps[:-1], None)
    if not isinstance(array, list):
        raise KvError(Status.PATH_MISMATCH)
    if steps[-1] > len(array):
        raise KvError(Status.PATH_NOT_FOUND)
    array[steps[-1] : steps[-1]] = values


def _find_array(root: Json, steps: list[Step], create: bool) -> list[Json]:
    if create and steps and isinstance(steps[-1], str):
        parent = _walk(root, steps[:-1], dict)
        found = parent.setdefault(steps[-1], []) if isinstance(parent, dict) else parent
    else:
        found = _walk(root, steps, None)
    if not isinstance(found, list):
        raise KvError(Status.PATH_MISMATCH)
    return found


def _parse_value(text: bytes) -> Json:
    try:
        return json.loads(text)
    except ValueError as error:
        raise KvError(Status.VALUE_CANNOT_INSERT) from error
