"""What the models of requests and answers are made of.

Both kinds are frozen, so that a model made once can be handed to every call. Values have the
types that JSON has: a time in an answer is a text, as it stands in the stored document.
"""

from datetime import datetime
from typing import Annotated, Any, ClassVar, TypeVar

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    GetCoreSchemaHandler,
    GetJsonSchemaHandler,
    WithJsonSchema,
)
from pydantic.alias_generators import to_camel
from pydantic_core import CoreSchema

from zerog.model.labels import check_label
from zerog.model.limits import MAX_CODE
from zerog.model.record import UNFINISHED, Cause, State, is_job_id, parse_time

#: Jobs in a batch, and jobs that one change by filter may be for.
MAX_BATCH = 1000
#: How often a query parameter may be repeated.
MAX_VALUES = 100

T = TypeVar("T")


class Request(BaseModel):
    """What all requests share."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        allow_inf_nan=False,
    )
    #: What the client is told first when the request does not fit.
    refusal: ClassVar[str] = "the request body is invalid"


def _open(schema: dict[str, Any]) -> None:
    """Let the schema allow fields that it does not name."""
    schema.pop("additionalProperties", None)


class Answer(BaseModel):
    """What all answers share."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        frozen=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
        json_schema_extra=_open,
    )


class _LeftOut:
    """Marks a field that is left out, never null."""

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        schema = handler(source)
        return schema["schema"] if schema["type"] == "nullable" else schema


class _OneOrMany:
    """Describes a list that may be given as its only item."""

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        items = handler(schema)
        return {"anyOf": [items["items"], items]}


def _read_time(value: object) -> datetime:
    if isinstance(value, datetime):
        return value
    try:
        if isinstance(value, str):
            return parse_time(value)
    except ValueError:
        pass
    raise ValueError("must be a time with a time zone, e.g. 2026-01-31T12:00:00Z")


def _check_time(text: str) -> str:
    parse_time(text)
    return text


def _check_uuid(text: str) -> str:
    if not is_job_id(text):
        raise ValueError("is not a job's UUID")
    return text


def _as_list(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _without_repeats(items: list[T]) -> list[T]:
    return list(dict.fromkeys(items))


#: An answer's field that is left out when there is nothing to say.
Absent = Annotated[T | None, _LeftOut()]
#: JSON knows no enumerations: a state comes as its text.
StateName = Annotated[State, Field(strict=False)]
CauseName = Annotated[Cause, Field(strict=False)]
Time = Annotated[
    str, AfterValidator(_check_time), WithJsonSchema({"type": "string", "format": "date-time"})
]
Uuid = Annotated[str, WithJsonSchema({"type": "string", "format": "uuid"})]
JobUuid = Annotated[Uuid, AfterValidator(_check_uuid)]
AskedTime = Annotated[
    datetime,
    BeforeValidator(_read_time),
    WithJsonSchema({"type": "string", "format": "date-time"}),
]
LabelText = Annotated[str, AfterValidator(check_label)]
UuidPrefix = Annotated[str, Field(pattern=r"^[0-9a-f-]{1,36}$")]
OneOrMany = Annotated[
    list[T],
    # The validator stops at the first item that is wrong: each costs it time.
    Field(min_length=1, max_length=MAX_BATCH, fail_fast=True),
    BeforeValidator(_as_list),
    AfterValidator(_without_repeats),
    _OneOrMany(),
]
Repeated = Annotated[tuple[T, ...], Field(strict=False, max_length=MAX_VALUES)]
Count = Annotated[int, Field(ge=0)]
Seconds = Annotated[float, Field(ge=0)]
Rate = Annotated[float, Field(ge=0)]
Priority = Annotated[int, Field(ge=0, le=9)]
ResultCode = Annotated[int, Field(ge=UNFINISHED, le=MAX_CODE)]


class Held(Answer):
    """Who has paused a queue, or let a worker drain, when and why."""

    since: Time | None = Field(description="Since when. null: that cannot be read.")
    by: str | None = Field(description="Who asked for it. null: callers are not known here.")
    reason: str | None = Field(description="Why. null: no reason was given.")
