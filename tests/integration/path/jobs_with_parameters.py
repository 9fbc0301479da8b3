"""Job types with parameters that JSON has no type for."""

import enum
import ipaddress
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Annotated, Any, Literal
from uuid import UUID

from pydantic import (
    AliasChoices,
    AliasPath,
    Base64Bytes,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    Json,
    SecretBytes,
    SecretStr,
    StringConstraints,
    computed_field,
)

import zerog


class Color(enum.Enum):
    RED = "red"


class Rights(enum.IntFlag):
    READ = 4
    WRITE = 2


class Size(enum.IntEnum):
    ONE = 1


class Shows(zerog.Job):
    """Say what `value` has become."""

    __abstract__ = True

    class Options:
        max_errors = 1

    def run(self, ctx: zerog.Context) -> str:
        return repr(self.__dict__["value"])


STRICT = Field(strict=True)
#: Types of `value`, by the names of job types.
KINDS: dict[str, Any] = {
    "StrictDatetime": Annotated[datetime, STRICT],
    "StrictDate": Annotated[date, STRICT],
    "StrictTime": Annotated[time, STRICT],
    "StrictDuration": Annotated[timedelta, STRICT],
    "StrictUuid": Annotated[UUID, STRICT],
    "StrictEnum": Annotated[Color, STRICT],
    "StrictTuple": Annotated[tuple[int, date], STRICT],
    "StrictSet": Annotated[set[int], STRICT],
    "Datetime": datetime,
    "Date": date,
    "Time": time,
    "Duration": timedelta,
    "Uuid": UUID,
    "Flags": Rights,
    "Number": Size,
    "DatetimeOrText": datetime | str,
    "UuidOrText": UUID | str,
    "Pairs": dict[tuple[int, int], int],
    "Days": dict[date, list[time]],
    "Digits": Annotated[str, Field(pattern=r"^\d+$")],
    "Word": Annotated[str, Field(pattern=r"^\w+$")],
    "NoSpace": Annotated[
        str, StringConstraints(pattern=r"^\S+$", strip_whitespace=True, max_length=2)
    ],
    "Posix": Annotated[str, Field(pattern=r"^[[:alpha:]]+$")],
    "Hex": Annotated[int, BeforeValidator(lambda value: int(value, 16))],
    "Address": ipaddress.IPv6Address,
    "Money": Annotated[Decimal, Field(gt=0, max_digits=5)],
    "Yes": bool,
    "Count": int,
}
for name, kind in KINDS.items():
    body = {"__module__": __name__, "__annotations__": {"value": kind}, "__doc__": name}
    globals()[name] = type(name, (Shows,), body)


class Account(BaseModel):
    """Everything that pydantic's own dump loses, one level down."""

    password: SecretStr
    hidden: int = Field(1, exclude=True)
    sizes: Json[list[int]] = Field([], alias="theSizes")


class Shapes(zerog.Job):
    """Return what arrived."""

    model_config = ConfigDict(ser_json_inf_nan="strings")

    secret: SecretStr = SecretStr("default")
    secret_bytes: SecretBytes = SecretBytes(b"default")
    hidden: int = Field(1, exclude=True)
    aliased: int = Field(1, alias="theAlias")
    read_at: int = Field(1, validation_alias="toRead", serialization_alias="toWrite")
    chosen: int = Field(1, validation_alias=AliasChoices("first", "second"))
    inside: int = Field(1, validation_alias=AliasPath("some", "where", 1))
    listed: Json[list[int]] = [0]
    raw: bytes = b""
    coded: Base64Bytes = b""
    endless: float = Field(0.0, allow_inf_nan=True)
    kind: Literal["a", "b"] = "a"
    account: Account = Field(default_factory=lambda: Account(password=SecretStr("")))

    @computed_field  # type: ignore[prop-decorator]
    @property
    def doubled(self) -> int:
        return 2 * self.hidden

    def run(self, ctx: zerog.Context) -> dict[str, Any]:
        return seen(self)


def seen(shapes: Shapes) -> dict[str, Any]:
    """Return all values, also those that are not shown."""
    return {
        "secret": shapes.secret.get_secret_value(),
        "secret_bytes": shapes.secret_bytes.get_secret_value().decode(),
        "hidden": [shapes.hidden, shapes.doubled, shapes.account.hidden],
        "aliases": [shapes.aliased, shapes.read_at, shapes.chosen, shapes.inside],
        "listed": [shapes.listed, shapes.account.sizes],
        "bytes": [shapes.raw.decode(), shapes.coded.hex()],
        "rest": [repr(shapes.endless), shapes.kind],
        "password": shapes.account.password.get_secret_value(),
    }


class Blob(zerog.Job):
    """Has no JSON form for some values."""

    raw: bytes
    endless: float = Field(0.0, allow_inf_nan=True)

    def run(self, ctx: zerog.Context) -> int:
        return len(self.raw)
