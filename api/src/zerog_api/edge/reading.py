"""Requests read by their models, and what is wrong with them as one problem. Pure.

A model's errors become faults with the path to each: `$.jobs[3].priority` in a body, `?delay` in a
query. There may be very many of them, since clients may send anything: at most `MAX_FAULTS` are
reported, and of one job at most `MAX_FAULTS_OF_ONE`.
"""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import Any, TypeVar, cast, get_args, get_origin
from urllib.parse import parse_qsl

from annotated_types import MaxLen
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from zerog_api.core.errors import Fault
from zerog_api.core.intake import Asked
from zerog_api.models import (
    MAX_DELAY_SECONDS,
    MAX_VALUES,
    Batch,
    BatchItem,
    Request,
    RunOptions,
    RunQuery,
)
from zerog_api.problems import unprocessable

MAX_FAULTS, MAX_FAULTS_OF_ONE = 1000, 50
#: Fields of a query string that are looked at.
MAX_QUERY_FIELDS = 1000
#: How much of a name that a client made up is repeated to it.
MAX_NAME_CHARS = 50

R = TypeVar("R", bound=Request)
Place = tuple[int | str, ...]
#: A part of a request: its model, its place, and its value.
Part = tuple[type[Request], Place, object]


def asked_of(options: RunQuery | BatchItem, now: datetime, root: str = "?") -> Asked:
    """Turn options into what the job is made with. A `Problem` if it would start too late."""
    if fault := _too_late(options, now, root):
        raise unprocessable([fault], options.refusal)
    start = options.start_at
    if options.delay:
        start = now + timedelta(seconds=options.delay)
    return Asked(options.priority, options.timeout, start, options.expires_at, options.given_labels)


def asked_of_batch(batch: Batch, now: datetime) -> list[Asked]:
    """Turn the options of a batch's jobs into what they are made with."""
    found = (_too_late(job, now, f"$.jobs[{n}]") for n, job in enumerate(batch.jobs))
    if faults := [fault for fault in found if fault]:
        raise unprocessable(faults, batch.refusal)
    return [asked_of(job, now) for job in batch.jobs]


def _too_late(options: RunOptions, now: datetime, root: str) -> Fault | None:
    latest = now + timedelta(seconds=MAX_DELAY_SECONDS)
    for name, time in (("startAt", options.start_at), ("expiresAt", options.expires_at)):
        if time is not None and time > latest:
            return Fault(_path(root, (name,)), "is more than a year ahead")
    return None


def read_model(model: type[R], value: object, *, only_first: bool = False) -> R:
    """Read a JSON value. A `Problem` lists everything that does not fit, or the first of it.

    The validator makes all faults before the first can be read. So it never gets an object or a
    list that is longer than the model allows and, with `only_first`, one part at a time.
    """
    if fault := _too_long(model, value, ()):
        raise unprocessable([fault], model.refusal)
    parts: list[Part] = [(model, (), value)]
    if only_first:
        parts = [*_parts(model, value), *parts]
    for part_model, place, part in parts:
        try:
            read = part_model.model_validate(part, by_name=False)
        except ValidationError as error:
            limit = 1 if only_first else MAX_FAULTS
            faults = list(islice(_faults(error, model, value, "$", place), limit))
            raise unprocessable(faults, model.refusal) from None
    return cast(R, read)


def _too_long(model: type[Request], value: object, place: Place) -> Fault | None:
    """Return what is the matter with the first object or list that has more in it than the model
    allows; None if there is none. At most as much is looked at as the model allows."""
    if not isinstance(value, dict):
        return None
    if len(value) > len(model.model_fields):
        unknown = next(name for name in value if name not in _names(model))
        return Fault(_path("$", (*place, unknown)), _unknown("field", model))
    for name, field in model.model_fields.items():
        inner = value.get(field.alias or name)
        most = next((m.max_length for m in field.metadata if isinstance(m, MaxLen)), None)
        if isinstance(inner, list) and most is not None and len(inner) > most:
            there = (*place, field.alias or name)
            return Fault(_path("$", there), f"must have at most {most} items")
    parts = _parts(model, value)
    return next(filter(None, (_too_long(m, part, (*place, *at)) for m, at, part in parts)), None)


def _parts(model: type[Request], value: object) -> Iterator[Part]:
    """Give what has a model of its own in a model's value: objects, and items of lists."""
    if not isinstance(value, dict):
        return
    for name, field in model.model_fields.items():
        part_model, part = _inner(field.annotation), value.get(field.alias or name)
        if part_model is None:
            continue
        if isinstance(part, dict):
            yield part_model, (field.alias or name,), part
        elif isinstance(part, list):
            for number, item in enumerate(part):
                yield part_model, (field.alias or name, number), item


def _inner(annotation: object) -> type[Request] | None:
    """Return the model that a field has, or the items of its list."""
    kinds = (annotation, *get_args(annotation))
    return next((k for k in kinds if isinstance(k, type) and issubclass(k, Request)), None)


def read_query(model: type[R], text: str) -> R:
    """Read a query string; its texts are read as numbers where the model has numbers.

    A `Problem` lists every parameter that is unknown or does not fit.
    """
    if not text:
        return cast(R, _empty(model))
    values, faults = _parse_query(model, text)
    if not faults:
        try:
            return model.model_validate(values, strict=False, by_name=False)
        except ValidationError as error:
            faults = list(_faults(error, model, values, "?"))
    raise unprocessable(faults, model.refusal)


@lru_cache(maxsize=100)
def _empty(model: type[Request]) -> Request:
    """Return what an empty query means, made once: models are frozen."""
    return model.model_validate({})


def _parse_query(model: type[Request], text: str) -> tuple[dict[str, Any], list[Fault]]:
    """Return the values by name, and what is wrong with the names."""
    try:
        pairs = parse_qsl(
            text, keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS, errors="replace"
        )
    except ValueError:
        return {}, [Fault("?", f"has more than {MAX_QUERY_FIELDS} parameters")]
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    values: dict[str, Any] = {}
    for name, value in pairs:
        values.setdefault(name, []).append(value)
    faults = []
    for name, given in values.items():
        if name not in fields:
            message = _unknown("parameter", model)
            faults.append(Fault(_path("?", (name,)), message))
        elif get_origin(fields[name].annotation) is not tuple:
            values[name] = given[0]
            if len(given) > 1:
                faults.append(Fault(f"?{name}", "is given more than once"))
        elif len(given) > MAX_VALUES:
            faults.append(Fault(f"?{name}", f"is given more than {MAX_VALUES} times"))
    return values, faults


def _faults(
    error: ValidationError, model: type[Request], value: object, root: str, at: Place = ()
) -> Iterator[Fault]:
    of_one: Counter[Place] = Counter()
    for details in error.errors(include_url=False, include_input=False):
        place = (*at, *details["loc"])
        one = place[: _first_index(place) + 1]
        of_one[one] += 1
        if of_one[one] <= MAX_FAULTS_OF_ONE:
            message = _message(details, _owner(model, place))
            yield Fault(_path(root, _sent(place, value)), message)


def _first_index(place: Place) -> int:
    """Return where the place's first number is, which tells one item of a list from others."""
    return next((n for n, part in enumerate(place) if isinstance(part, int)), -1)


def _sent(place: Place, value: Any) -> Place:
    """Return the part of a place that the client knows: one text may stand for a list of one."""
    for depth, part in enumerate(place):
        if isinstance(part, int) and not isinstance(value, list):
            return place[:depth]
        try:
            value = value[part]
        except (KeyError, IndexError):  # it is missing
            break
    return place


def _path(root: str, place: Place) -> str:
    if root == "?":
        return f"?{place[0]}"[: MAX_NAME_CHARS + 1] if place else "?"
    parts = (f"[{p}]" if isinstance(p, int) else f".{p[:MAX_NAME_CHARS]}" for p in place)
    return root + "".join(parts)


def _owner(model: type[Request], place: Place) -> type[Request]:
    """Return the model that the last part of a place is a field of."""
    for part in place[:-1]:
        for name, field in model.model_fields.items():
            if part == (field.alias or name):
                model = _inner(field.annotation) or model
    return model


def _message(details: ErrorDetails, model: type[Request]) -> str:
    context = details.get("ctx", {})
    match details["type"]:
        case "missing":
            return "is required"
        case "extra_forbidden":
            return _unknown("field", model)
        case "value_error":
            return str(context["error"])
        case "enum":
            return f"must be one of {context['expected']}"
        case "too_short":
            return "must have at least 1 item"
        case "too_long":
            return f"must have at most {context['max_length']} items"
        case "string_type":
            return "must be a string"
        case "list_type":
            return "must be a list"
        case "dict_type" | "model_type":
            return "must be an object"
    number = _numbers(model).get(str(details["loc"][-1])) if details["loc"] else None
    return number or details["msg"].replace("Input should", "must")


def _unknown(what: str, model: type[Request]) -> str:
    return f"no such {what}; there are: {', '.join(_names(model)) or 'none'}"


def _names(model: type[Request]) -> list[str]:
    return sorted(field.alias or name for name, field in model.model_fields.items())


@lru_cache(maxsize=100)
def _numbers(model: type[Request]) -> dict[str, str]:
    """Return, for a model's fields that are numbers, what they must be."""
    properties = model.model_json_schema().get("properties", {})
    kinds = {name: each.get("anyOf", [each])[0] for name, each in properties.items()}
    return {
        name: f"must be {_NUMBERS[kind['type']]} from {kind['minimum']:.10g} "
        f"to {kind['maximum']:.10g}"
        for name, kind in kinds.items()
        if kind.get("type") in _NUMBERS
    }


_NUMBERS = {"integer": "an integer", "number": "a number"}
