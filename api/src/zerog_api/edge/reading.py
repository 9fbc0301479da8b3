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

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from zerog_api.core.errors import Fault
from zerog_api.core.intake import Asked
from zerog_api.models import MAX_DELAY_SECONDS, MAX_VALUES, Batch, Request, RunOptions
from zerog_api.problems import unprocessable

MAX_FAULTS, MAX_FAULTS_OF_ONE = 1000, 50
#: Fields of a query string that are looked at.
MAX_QUERY_FIELDS = 1000
#: How much of a name that a client made up is repeated to it.
MAX_NAME_CHARS = 50

R = TypeVar("R", bound=Request)
Place = tuple[int | str, ...]


def asked_of(options: RunOptions, now: datetime, root: str = "?") -> Asked:
    """Turn options into what the job is made with. A `Problem` if it would start too late."""
    if fault := _too_late(options, now, root):
        raise unprocessable([fault], options.refusal)
    start = options.start_at
    if options.delay:
        start = now + timedelta(seconds=options.delay)
    return Asked(options.priority, options.timeout, start)


def asked_of_batch(batch: Batch, now: datetime) -> list[Asked]:
    """Turn the options of a batch's jobs into what they are made with."""
    found = (_too_late(job, now, f"$.jobs[{n}]") for n, job in enumerate(batch.jobs))
    if faults := [fault for fault in found if fault]:
        raise unprocessable(faults, batch.refusal)
    return [asked_of(job, now) for job in batch.jobs]


def _too_late(options: RunOptions, now: datetime, root: str) -> Fault | None:
    if options.start_at is None:
        return None
    if options.start_at <= now + timedelta(seconds=MAX_DELAY_SECONDS):
        return None
    return Fault(_path(root, ("startAt",)), "is more than a year ahead")


def read_model(model: type[R], value: object, root: str = "$") -> R:
    """Read a JSON value. A `Problem` lists everything that does not fit."""
    try:
        return model.model_validate(value, by_name=False)
    except ValidationError as error:
        faults = list(islice(_faults(error, model, value, root), MAX_FAULTS))
        raise unprocessable(faults, model.refusal) from None


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
    error: ValidationError, model: type[Request], value: object, root: str
) -> Iterator[Fault]:
    of_one: Counter[Place] = Counter()
    for details in error.errors(include_url=False, include_input=False):
        place = details["loc"]
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
                kinds = (field.annotation, *get_args(field.annotation))
                inner = (k for k in kinds if isinstance(k, type) and issubclass(k, Request))
                model = next(inner, model)
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
    names = sorted(field.alias or name for name, field in model.model_fields.items())
    return f"no such {what}; there are: {', '.join(names) or 'none'}"


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
