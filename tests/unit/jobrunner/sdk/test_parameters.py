"""An instance is submitted as the JSON that its class loads as the same instance."""

import functools
import json
from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Any, Literal
from uuid import UUID

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import (
    AliasChoices,
    AliasPath,
    Base64Bytes,
    BaseModel,
    ConfigDict,
    Field,
    Json,
    PrivateAttr,
    RootModel,
    Secret,
    SecretBytes,
    SecretStr,
    computed_field,
    field_serializer,
    field_validator,
)
from typing_extensions import TypedDict

import zerog
from zerog.model.errors import InvalidParametersError
from zerog.sdk.parameters import dump_parameters
from zerog.sdk.registry import REGISTRY, JobType


class Base(zerog.Job):
    """What the jobs of this module have in common."""

    __abstract__ = True

    def run(self, ctx: zerog.Context) -> None: ...


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Account(BaseModel):
    """Everything that pydantic's own dump loses, one level down."""

    name: str = Field(alias="userName")
    password: SecretStr
    hidden: int = Field(1, exclude=True)
    sizes: Json[list[int]] = Field([], alias="json")

    @computed_field  # type: ignore[prop-decorator]
    @property
    def shown(self) -> str:
        return self.name.upper()


class Card(BaseModel):
    kind: Literal["card"] = "card"
    number: SecretStr = Field(alias="no")


class Cash(BaseModel):
    kind: Literal["cash"] = "cash"
    amount: Decimal


class Tree(BaseModel):
    secret: SecretStr
    children: list["Tree"] = []


class Secrets(RootModel[list[SecretStr]]):
    pass


@dataclass
class Point:
    x: SecretStr
    y: int = 3


class Row(TypedDict):
    key: Annotated[SecretStr, Field(alias="theKey")]


ACCOUNTS = st.builds(
    lambda name, password, hidden, sizes: Account(
        userName=name, password=password, hidden=hidden, json=json.dumps(sizes)
    ),
    st.text(),
    st.text(),
    st.integers(),
    st.lists(st.integers()),
)
TREES = st.recursive(
    st.builds(Tree, secret=st.text()),
    lambda inner: st.builds(Tree, secret=st.text(), children=st.lists(inner, max_size=2)),
    max_leaves=4,
)
ALIASES: dict[str, Any] = {
    "none": {},
    "alias": {"alias": "theField"},
    "one way": {"validation_alias": "theField", "serialization_alias": "shown"},
    "choices": {"validation_alias": AliasChoices(AliasPath("at", 0), "theField", "other")},
    "path": {"validation_alias": AliasPath("some", "where", 1)},
    "excluded": {"exclude": True},
    "excluded alias": {"alias": "theField", "exclude": True},
}
#: type of a field: values of it
KINDS: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "str": (str, st.text()),
    "int": (int, st.integers(-(10**30), 10**30)),
    "float": (float, st.floats(allow_nan=False, allow_infinity=False)),
    "bool or none": (bool | None, st.none() | st.booleans()),
    "bytes": (bytes, st.text().map(str.encode)),
    "base64": (Base64Bytes, st.binary().map(b64encode)),
    "secret": (SecretStr, st.text().map(SecretStr)),
    "optional secret": (SecretStr | None, st.none() | st.text().map(SecretStr)),
    "secret bytes": (SecretBytes, st.text().map(lambda text: SecretBytes(text.encode()))),
    "secret date": (Secret[date], st.dates()),
    "secrets": (dict[Color, list[SecretStr]],
                st.dictionaries(st.sampled_from(Color), st.lists(st.text().map(SecretStr)))),
    "json": (Json[dict[str, list[int]]],
             st.dictionaries(st.text(), st.lists(st.integers())).map(json.dumps)),
    "any json": (Json, st.sampled_from(["1", "null", '"x"', '{"a": [true]}'])),
    "jsons": (list[Json[int]], st.lists(st.integers().map(json.dumps))),
    "datetime": (datetime, st.datetimes() | st.datetimes(timezones=st.just(UTC))),
    "time": (time, st.times()),
    "timedelta": (timedelta, st.timedeltas(timedelta(days=-9), timedelta(days=9))),
    "uuid": (UUID, st.uuids()),
    "enum": (Color, st.sampled_from(Color)),
    "decimal": (Decimal, st.decimals(allow_nan=False, allow_infinity=False)),
    "set": (set[int], st.sets(st.integers())),
    "tuple": (tuple[int, str, date], st.tuples(st.integers(), st.text(), st.dates())),
    "path": (Path, st.sampled_from([Path("/a/b"), Path("c")])),
    "address": (IPv4Address, st.ip_addresses(v=4)),
    "model": (Account, ACCOUNTS),
    "models": (dict[str, list[Account]], st.dictionaries(st.text(), st.lists(ACCOUNTS))),
    "tagged": (Annotated[Card | Cash, Field(discriminator="kind")],
               st.builds(Card, no=st.text()) | st.builds(Cash, amount=st.integers())),
    "union": (Card | Account | int, st.builds(Card, no=st.text()) | ACCOUNTS | st.integers()),
    "recursive": (Tree, TREES),
    "root model": (Secrets, st.lists(st.text()).map(Secrets)),
    "dataclass": (Point, st.builds(Point, st.text().map(SecretStr), st.integers())),
    "typed dict": (Row, st.fixed_dictionaries({"theKey": st.text()})),
}  # fmt: skip


def job_with(kind: Any, options: dict[str, Any]) -> Any:
    """Return a job class with one field of this kind, and one beside it."""
    REGISTRY.types.clear()
    names = {"__annotations__": {"field": kind, "beside": int}, "__module__": __name__}
    return type("Probe", (Base,), {**names, "field": Field(**options), "beside": 2})


CLASSES = {(kind, alias): job_with(KINDS[kind][0], options)
           for kind in KINDS for alias, options in ALIASES.items()}  # fmt: skip
REGISTRY.types.clear()


def place(value: Any, options: dict[str, Any]) -> dict[str, Any]:
    """Return the parameters that give the field this value."""
    alias = options.get("alias") or options.get("validation_alias") or "field"
    if isinstance(alias, AliasPath):
        return {"some": {"where": [None, value]}}
    return {alias if isinstance(alias, str) else "theField": value}


@pytest.mark.parametrize("kind", KINDS)
@given(data=st.data())
def test_the_class_loads_the_same_instance(kind: str, data: st.DataObject) -> None:
    alias = data.draw(st.sampled_from(list(ALIASES)))
    cls = CLASSES[kind, alias]
    value = data.draw(KINDS[kind][1])
    job = cls.model_validate(place(value, ALIASES[alias]) | {"beside": 7})

    assert cls.model_validate_json(json.dumps(dump_parameters(job))) == job


@functools.cache
def schema_of(cls: Any) -> Any:
    return JobType(cls.__name__, cls, cls.zerog_options).document.schema


@pytest.mark.parametrize("alias", ALIASES)
@pytest.mark.parametrize("kind", ["str", "secret", "json", "model", "secret bytes"])
@given(data=st.data())
def test_the_schema_of_the_type_accepts_the_body(
    kind: str, alias: str, data: st.DataObject
) -> None:
    cls = CLASSES[kind, alias]
    job = cls.model_validate(place(data.draw(KINDS[kind][1]), ALIASES[alias]))

    jsonschema_rs.validate(schema_of(cls), dump_parameters(job))


def test_a_field_at_a_path_in_a_model_is_in_the_schema_where_the_class_reads_it() -> None:
    class Inner(BaseModel):
        model_config = ConfigDict(extra="forbid")
        size: int = Field(validation_alias=AliasPath("box", "size"))

    class Deep(Base):
        inner: Inner
        box: int

    parameters = {"inner": {"box": {"size": 3}}, "box": 1}
    job = Deep.model_validate(parameters)
    schema = schema_of(Deep)

    assert dump_parameters(job) == parameters
    jsonschema_rs.validate(schema, parameters)
    with pytest.raises(jsonschema_rs.ValidationError):
        jsonschema_rs.validate(schema, {"inner": {"size": 3}, "box": 1})


def test_the_body_has_the_places_that_the_class_reads() -> None:
    class Whole(Base):
        account: Account
        first: int = Field(validation_alias=AliasPath("pair", 0))
        second: int = Field(validation_alias=AliasPath("pair", 1))
        choice: str = Field(validation_alias=AliasChoices(AliasPath("deep", "er"), "flat"))

        @computed_field  # type: ignore[prop-decorator]
        @property
        def total(self) -> int:
            return self.first + self.second

    parameters = {
        "account": {"userName": "ada", "password": "geheim", "hidden": 9, "json": "[1,2]"},
        "pair": [3, 4],
        "flat": "x",
    }

    assert dump_parameters(Whole.model_validate(parameters)) == parameters


def test_a_class_may_read_its_fields_by_name() -> None:
    class Named(Base):
        model_config = ConfigDict(validate_by_alias=False, validate_by_name=True)
        size: int = Field(alias="theSize")

    assert dump_parameters(Named.model_validate({"size": 3})) == {"size": 3}


def test_fields_may_have_the_names_of_schemas_keys() -> None:
    fields = ("type", "fields", "serialization", "default", "ref", "cls", "config", "choices")
    names = {"__annotations__": dict.fromkeys(fields, SecretStr), "__module__": __name__}
    cls: Any = type("Keys", (Base,), names)
    parameters = {name: f"secret {name}" for name in fields}

    assert dump_parameters(cls.model_validate(parameters)) == parameters


def test_private_attributes_are_nobodys_parameters() -> None:
    class Locked(BaseModel):
        size: int
        _lock: object = PrivateAttr(default_factory=object)

    class Job(Base):
        parts: list[Locked]
        _lock: object = PrivateAttr(default_factory=object)

    job = Job(parts=[Locked(size=1)])

    assert dump_parameters(job) == {"parts": [{"size": 1}]}


def test_a_class_s_own_forms_of_values_are_kept() -> None:
    class Endless(Base):
        model_config = ConfigDict(
            allow_inf_nan=True,
            ser_json_inf_nan="strings",
            ser_json_bytes="base64",
            val_json_bytes="base64",
            ser_json_timedelta="float",
        )
        sizes: list[float]
        data: bytes
        took: timedelta

    job = Endless(sizes=[float("inf"), float("nan")], data=b"\xff", took=timedelta(seconds=1.5))

    assert dump_parameters(job) == {"sizes": ["Infinity", "NaN"], "data": "_w==", "took": 1.5}


class Euro(BaseModel):
    amount: int


class Dollar(BaseModel):
    amount: int


class Inexact(Base):
    model_config = ConfigDict(allow_inf_nan=True)
    size: float | None = None
    data: bytes = b""
    text: str = ""
    seen: Any = None
    password: str = "<>"
    when: datetime | None = None
    price: Euro | Dollar | None = None

    @field_validator("password")
    @classmethod
    def hash(cls, value: str) -> str:
        return f"<{value.strip('<>')}>"

    @field_serializer("when")
    def day(self, when: datetime | None) -> str | None:
        return when.strftime("%d.%m.%Y") if when else None


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"size": float("inf")}, "size"),
        ({"data": b"\xff"}, "data"),
        ({"text": "\udce9"}, "text"),
        ({"seen": date(2030, 1, 1)}, "seen"),
        ({"seen": object()}, "seen"),
        ({"seen": 10**5000}, "seen"),
        ({"password": "x"}, "password"),
        ({"when": datetime(2030, 1, 1, tzinfo=UTC)}, "when"),
        ({"price": Dollar(amount=1)}, "price"),
    ],
)
def test_a_value_that_does_not_survive_is_refused_and_its_field_named(
    values: dict[str, Any], field: str
) -> None:
    job = Inexact.model_construct(**values)

    with pytest.raises(InvalidParametersError, match=rf"its field '{field}' "):
        dump_parameters(job)


def test_what_is_refused_is_not_in_the_message() -> None:
    class Login(Base):
        password: SecretStr

        @field_validator("password")
        @classmethod
        def short(cls, value: SecretStr) -> SecretStr:
            if len(value.get_secret_value()) > 3:
                raise ValueError("too long")
            return value

    with pytest.raises(InvalidParametersError, match="too long") as caught:
        dump_parameters(Login.model_construct(password=SecretStr("geheim")))

    assert "geheim" not in str(caught.value)
