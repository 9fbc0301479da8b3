"""Query parameters and headers: declared once, for validation and for the specification. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from urllib.parse import parse_qsl

from zerog.model.record import parse_time
from zerog_api.problems import Fault, unprocessable

MAX_VALUES = 100
MAX_QUERY_FIELDS = 1000


@dataclass(frozen=True, slots=True)
class Parameter:
    """A query parameter."""

    name: str
    kind: Literal["integer", "number", "time", "string"]
    description: str
    minimum: float | None = None
    maximum: float | None = None
    choices: Sequence[str] = ()
    #: May be given several times.
    repeated: bool = False

    def to_openapi(self) -> dict[str, Any]:
        """Return the parameter as OpenAPI has it."""
        schema: dict[str, Any] = {"type": "string" if self.kind == "time" else self.kind}
        if self.kind == "time":
            schema["format"] = "date-time"
        if self.minimum is not None:
            schema["minimum"] = self.minimum
        if self.maximum is not None:
            schema["maximum"] = self.maximum
        if self.choices:
            schema["enum"] = list(self.choices)
        if self.repeated:
            schema = {"type": "array", "items": schema, "maxItems": MAX_VALUES}
        return {
            "name": self.name,
            "in": "query",
            "description": self.description,
            "required": False,
            "schema": schema,
        }

    def parse(self, text: str) -> int | float | str | datetime:
        """Read a value. `ValueError` says what is wrong with it."""
        match self.kind:
            case "time":
                return parse_time(text)
            case "string":
                if self.choices and text not in self.choices:
                    raise ValueError(f"{text!r} is not one of {', '.join(self.choices)}")
                return text
            case _:
                return self._number(text)

    def _number(self, text: str) -> int | float:
        try:
            number = int(text) if self.kind == "integer" else float(text)
        except ValueError:
            raise ValueError(f"{text[:50]!r} is no {self.kind}") from None
        low, high = self.minimum, self.maximum
        # Written so that NaN is outside.
        inside = (low is None or number >= low) and (high is None or number <= high)
        if not inside:
            raise ValueError(f"{text[:50]} is not between {low:g} and {high:g}")
        return number


def parse_query(query: str, parameters: Sequence[Parameter]) -> dict[str, Any]:
    """Read a query string. A `Problem` lists every parameter that is unknown or does not fit."""
    if not query:
        return {}
    known = {parameter.name: parameter for parameter in parameters}
    values: dict[str, Any] = {}
    faults = []
    try:
        pairs = parse_qsl(
            query, keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS, errors="replace"
        )
    except ValueError:
        raise unprocessable([Fault("?", "too many parameters")], "too many parameters") from None
    for name, text in pairs:
        parameter = known.get(name)
        if parameter is None:
            there = ", ".join(sorted(known)) or "none"
            faults.append(Fault(f"?{name[:50]}", f"no such parameter; there are: {there}"))
            continue
        try:
            value = parameter.parse(text)
        except (ValueError, OverflowError) as error:
            faults.append(Fault(f"?{name}", str(error)))
            continue
        if parameter.repeated:
            values.setdefault(name, []).append(value)
        elif name in values:
            faults.append(Fault(f"?{name}", "given twice"))
        else:
            values[name] = value
        if parameter.repeated and len(values[name]) > MAX_VALUES:
            faults.append(Fault(f"?{name}", f"given more than {MAX_VALUES} times"))
            break
    if faults:
        raise unprocessable(faults, "the query parameters do not fit")
    return values
