"""The check at POST: it never refuses what the class accepts, and finds plain mistakes."""

import json
import re
import socket
from base64 import b64encode
from collections import Counter, OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum, Flag, IntEnum, IntFlag
from ipaddress import IPv4Address, IPv4Network, IPv6Address
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import (
    AliasChoices,
    AnyUrl,
    Base64Bytes,
    Base64UrlStr,
    BaseModel,
    BeforeValidator,
    ByteSize,
    ConfigDict,
    Field,
    Json,
    NaiveDatetime,
    StringConstraints,
    ValidationError,
    create_model,
    model_validator,
)
from typing_extensions import TypedDict

from zerog.sdk.parameters import ParametersSchema
from zerog_api.core.checks import ParameterCheck


class Rights(IntFlag):
    READ = 1
    WRITE = 2


class Days(Flag):
    MONDAY = 1
    TUESDAY = 2


class Level(IntEnum):
    LOW = 1
    HIGH = 2


class Color(Enum):
    RED = "red"
    BLUE = "blue"

    @classmethod
    def _missing_(cls, value: object) -> Any:
        return cls.__members__.get(str(value).upper())


class Point(NamedTuple):
    x: int
    y: int = 0


@dataclass
class Size:
    width: int
    height: float = 1.0


class Named(TypedDict, total=False):
    name: str


class Tree(BaseModel):
    value: int
    left: "Tree | None" = None
    right: "Tree | None" = None


class Cat(BaseModel):
    kind: Literal["cat"] = "cat"
    since: date | time | timedelta = date(2020, 1, 1)


class Dog(BaseModel):
    kind: Literal["dog"] = "dog"
    weight: Annotated[float, Field(gt=0)] = 1.0


class Aliased(BaseModel):
    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, extra="forbid")
    size: int = Field(alias="Size")
    other: int = Field(0, validation_alias=AliasChoices("a", "b"))


class Free(BaseModel):
    n: int

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: Any) -> Any:
        return {"n": int(value)} if isinstance(value, str) else value


def _split(value: Any) -> Any:
    return value.split(",") if isinstance(value, str) else value


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
INTS = st.integers(-(10**30), 10**30)
TREES = st.recursive(
    st.builds(Tree, value=INTS),
    lambda inner: st.builds(Tree, value=INTS, left=inner, right=st.none() | inner),
    max_leaves=5,
)
#: Types of fields, and what their values are drawn from.
ZOO: dict[str, tuple[Any, st.SearchStrategy[Any]]] = {
    "int": (int, INTS),
    "bounded": (Annotated[int, Field(ge=0, lt=2**70, multiple_of=7)], st.just(7 * 10**18)),
    "float": (float, st.floats(allow_nan=False, allow_infinity=False)),
    "multiple": (Annotated[float, Field(multiple_of=0.1)], st.sampled_from([0.3, 0.7, 1e6])),
    "bool": (bool, st.booleans()),
    "decimal": (Decimal, st.decimals(allow_nan=False, allow_infinity=False)),
    "digits": (Annotated[Decimal, Field(max_digits=4, decimal_places=2)], st.just(Decimal("1.5"))),
    "text": (Annotated[str, Field(min_length=1, max_length=8)], TEXT.filter(bool)),
    "pattern": (Annotated[str, Field(pattern=r"^\d+\w\s?\b$")], st.sampled_from(["٣ä", "1a"])),
    "plain": (Annotated[str, Field(pattern="^[a-z-]{1,9}$")], st.sampled_from(["a-b", "z"])),
    "flags": (Annotated[str, Field(pattern="(?i)^ab?$")], st.sampled_from(["A", "aB"])),
    "stripped": (
        Annotated[str, StringConstraints(strip_whitespace=True, max_length=3)], st.just("abc"),
    ),
    "bytes": (Annotated[bytes, Field(min_length=2)], TEXT.map(lambda text: b"ab" + text.encode())),
    "base64": (Base64Bytes, st.binary(max_size=9).map(b64encode)),
    "base64url": (Base64UrlStr, st.sampled_from(["YT9-", "YQ=="])),
    "date": (date, st.dates()),
    "time": (time, st.times()),
    "datetime": (datetime, st.datetimes()),
    "naive": (NaiveDatetime, st.datetimes()),
    "duration": (timedelta, st.timedeltas(timedelta(-999_999), timedelta(999_999))),
    "uuid": (UUID, st.uuids()),
    "ipv4": (IPv4Address, st.ip_addresses(v=4)),
    "ipv6": (IPv6Address, st.ip_addresses(v=6)),
    "network": (IPv4Network, st.just(IPv4Network("10.0.0.0/8"))),
    "url": (AnyUrl, st.sampled_from([AnyUrl("http://a.example/ä?x=1"), AnyUrl("urn:x:y")])),
    "path": (Path, st.just(Path("a/b"))),
    "regex": (re.Pattern[str], st.just(re.compile("(?<=a)b"))),
    "bytesize": (ByteSize, st.integers(0, 10**12)),
    "json": (Json[list[int]], st.lists(INTS).map(json.dumps)),
    "rights": (Rights, st.sampled_from([Rights(0), Rights(1), Rights(3)])),
    "days": (Days, st.sampled_from([Days.MONDAY, Days.MONDAY | Days.TUESDAY])),
    "level": (Level, st.sampled_from(Level)),
    "color": (Color, st.sampled_from(Color)),
    "literal": (Literal["a", 1, True, None], st.sampled_from(["a", 1, True, None])),
    "set": (Annotated[set[int], Field(max_length=3)], st.sets(INTS, max_size=3)),
    "frozenset": (frozenset[str], st.frozensets(TEXT)),
    "tuple": (tuple[int, str], st.tuples(INTS, TEXT)),
    "tuples": (tuple[date, ...], st.lists(st.dates()).map(tuple)),
    "sequence": (Sequence[timedelta], st.lists(st.timedeltas(timedelta(-99), timedelta(99)))),
    "by number": (dict[int, str], st.dictionaries(INTS, TEXT)),
    "by level": (dict[Level, int], st.dictionaries(st.sampled_from(Level), INTS)),
    "by date": (Mapping[date, Any], st.dictionaries(st.dates(), INTS)),
    "by pattern": (
        dict[Annotated[str, StringConstraints(pattern="^a")], int], st.just({"a": 1}),
    ),
    "counter": (Counter[str], st.dictionaries(TEXT, st.integers(0, 9)).map(Counter)),
    "ordered": (OrderedDict[str, int], st.dictionaries(TEXT, INTS).map(OrderedDict)),
    "point": (Point, st.builds(Point, INTS, INTS)),
    "size": (Size, st.builds(Size, INTS, st.just(2.0))),
    "typed": (Named, st.just({"name": "x"})),
    "tree": (Tree, TREES),
    "pet": (
        Annotated[Cat | Dog, Field(discriminator="kind")],
        st.builds(Cat, since=st.dates() | st.times()) | st.builds(Dog),
    ),
    "union": (date | time | int | None, st.dates() | st.times() | INTS | st.none()),
    "before": (Annotated[list[str], BeforeValidator(_split)], st.lists(TEXT)),
}  # fmt: skip


def _class_with(kind: Any) -> type[BaseModel]:
    config = ConfigDict(extra="forbid", allow_inf_nan=False, arbitrary_types_allowed=True)
    return create_model("Made", __config__=config, value=(kind, ...))


def _faults(cls: type[BaseModel], text: str | bytes) -> list[str]:
    schema = json.loads(json.dumps(cls.model_json_schema(schema_generator=ParametersSchema)))
    return [str(error) for error in ParameterCheck(schema).errors(json.loads(text))]


@pytest.mark.parametrize("name", ZOO)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_what_the_class_writes_and_reads_is_accepted(name: str, data: st.DataObject) -> None:
    kind, values = ZOO[name]
    cls = _class_with(kind)
    text = cls(value=data.draw(values)).model_dump_json(round_trip=True)

    try:
        cls.model_validate_json(text)
    except ValidationError:
        return

    assert _faults(cls, text) == []


@pytest.mark.parametrize(
    ("kind", "forms"),
    [
        (int, ["1.0", '"5"', "1e3", "-0", "true", str(10**40)]),
        (float, ["-0.0", '"1.5"', "7"]),
        (bool, ['"yes"', "1", '"off"']),
        (Level, ["2", "2.0", '"1"']),
        (Rights, ["0", "3"]),
        (Color, ['"red"', '"Red"']),
        (datetime, ['"2024-01-01 10:00"', '"2024-01-01T10:00:00"', "1700000000", '"1700000000"',
                    '"2024-01-01t10:00:00z"', '"2024-01-01"']),
        (date, ['"2024-01-01T00:00:00"', "1704067200"]),
        (time, ['"07:30:00"', '"07:30"', '"07:30:00.5Z"', "3600"]),
        (timedelta, ['"PT0.5S"', '"-PT1H"', '"1 day, 00:00:30"', "30", "0.5",
                     '"00:30:00"', '"P3W"']),
        (UUID, [f'"{form}"' for form in ("a6d3d9b67a3f4d8c9d4b2b1f7c5e8a90",
                "{a6d3d9b6-7a3f-4d8c-9d4b-2b1f7c5e8a90}",
                "urn:uuid:a6d3d9b6-7a3f-4d8c-9d4b-2b1f7c5e8a90")]),
        (IPv4Address, ['"1.2.3.4"', "16909060"]),
        (IPv6Address, ['"::1"', '"::ffff:1.2.3.4"']),
        (AnyUrl, ['"http://ä.example"', '"http://x/{y}"', '"http:x"']),
        (Point, ["[1]", '{"x": 1}']),
        (Aliased, ['{"size": 1}', '{"Size": 1, "b": 2}', '{"Size": 1, "a": 2}']),
        (Free, ['"5"', '{"n": 5}']),
        (Annotated[list[str], BeforeValidator(_split)], ['"a,b"']),
        (Annotated[set[int], Field(max_length=2)], ["[1, 1, 1]"]),
        (Annotated[str, StringConstraints(strip_whitespace=True, max_length=3)], ['"  abc  "']),
        (Annotated[str, StringConstraints(to_upper=True, pattern="^[A-Z]+$")], ['"abc"']),
        (Annotated[str, Field(pattern=re.compile("^[a-z]+$"))], [r'"abc\n"']),
        (Annotated[bytes, Field(min_length=2)], ['"ä"']),
        (dict[Level, int], ['{"1": 2}']),
        (Annotated[float, Field(multiple_of=0.01)], ["0.07", "1.13"]),
    ],
)  # fmt: skip
def test_other_forms_that_the_class_reads_are_accepted(kind: Any, forms: list[str]) -> None:
    cls = _class_with(kind)

    for form in forms:
        text = f'{{"value": {form}}}'
        try:
            cls.model_validate_json(text)
        except ValidationError:
            continue
        assert _faults(cls, text) == []


class Order(BaseModel):
    model_config = ConfigDict(extra="forbid")
    count: Annotated[int, Field(ge=1, le=9)]
    start: datetime
    ids: list[UUID]
    name: Annotated[str, Field(max_length=3, pattern="^[a-z]+$")] = "a"
    trees: dict[str, Tree] = {}
    pause: timedelta | None = None
    is_new: bool = False


GOOD = {"count": 1, "start": "2024-01-01T00:00:00Z", "ids": []}


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"count": "many"}, ["count"]),
        ({"count": 1.5}, ["count"]),
        ({"count": 0}, ["count"]),
        ({"count": None}, ["count"]),
        ({"start": "tomorrow"}, ["start"]),
        ({"start": []}, ["start"]),
        ({"ids": ["x"]}, ["ids", 0]),
        ({"ids": "x"}, ["ids"]),
        ({"name": "abcd"}, ["name"]),
        ({"name": "A"}, ["name"]),
        ({"name": 5}, ["name"]),
        ({"trees": {"a": {"value": 1, "left": {"value": "x"}}}}, ["trees", "a", "left"]),
        ({"trees": {"a": {}}}, ["trees", "a"]),
        ({"pause": "soon"}, ["pause"]),
        ({"is_new": "maybe"}, ["is_new"]),
        ({"unknown": 1}, []),
    ],
)
def test_plain_mistakes_are_found_with_their_path(change: dict[str, Any], path: list[Any]) -> None:
    check = ParameterCheck(Order.model_json_schema(schema_generator=ParametersSchema))

    assert list(check.errors(GOOD)) == []
    assert check.first_error(GOOD) is None
    assert [list(error.instance_path) for error in check.errors({**GOOD, **change})] == [path]
    first = check.first_error({**GOOD, **change})
    assert first is not None
    assert list(first.instance_path) == path


def test_a_missing_field_is_found() -> None:
    check = ParameterCheck(Order.model_json_schema(schema_generator=ParametersSchema))

    (error,) = check.errors({"count": 1, "ids": []})

    assert '"start" is a required property' in str(error.message)


def test_the_first_fault_is_one_that_the_class_finds() -> None:
    check = ParameterCheck({"properties": {"n": {"type": "array", "items": {"type": "integer"}}}})

    assert check.first_error({"n": ["1"]}) is None
    first = check.first_error({"n": ["1", "x"]})

    assert first is not None
    assert list(first.instance_path) == ["n", 1]


def test_of_two_fields_only_the_one_that_the_class_refuses_is_named() -> None:
    check = ParameterCheck(Order.model_json_schema(schema_generator=ParametersSchema))

    (error,) = check.errors({**GOOD, "count": "5", "ids": [5]})

    assert list(error.instance_path) == ["ids", 0]


@pytest.mark.parametrize(
    "reference",
    ["http://127.0.0.1:9/x", "file:///etc/hostname", "other.json", "#/$defs/none", "#here", 5, ""],
)
def test_a_reference_to_elsewhere_is_left_to_the_class(reference: Any) -> None:
    schema = {"$id": "http://127.0.0.1:9/", "properties": {"n": {"$ref": reference}}}

    assert list(ParameterCheck({**schema, "required": ["n"]}).errors({"n": 1})) == []
    assert len(list(ParameterCheck({**schema, "required": ["n"]}).errors({}))) == 1


def test_references_to_elsewhere_are_never_fetched(tmp_path: Path) -> None:
    other = tmp_path / "schema.json"
    other.write_text('{"type": "string"}')
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/schema.json"
        for place in (address, other.as_uri()):
            for key in ("$ref", "$dynamicRef", "$recursiveRef", "$schema", "$id"):
                inner = {
                    key: place,
                    "properties": {"n": {key: place}},
                    "$defs": {"d": {key: place}},
                }
                check = ParameterCheck({**inner, "items": {"$ref": "#/$defs/d"}})

                assert list(check.errors({"n": 5})) == []

        with pytest.raises(BlockingIOError):
            server.accept()


def _doubling(count: int) -> dict[str, Any]:
    halves = {f"d{n}": {"anyOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(count)}
    return {"$ref": "#/$defs/d0", "$defs": {**halves, f"d{count}": {"type": "integer"}}}


def _nested(count: int) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for _ in range(count):
        made = {"items": made}
    return made


@pytest.mark.parametrize(
    "schema",
    [
        pytest.param(_doubling(60), id="each part twice"),
        pytest.param({"$ref": "#"}, id="itself"),
        pytest.param({"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}]}}},
                     id="round"),
        pytest.param({"anyOf": [{"items": {"$ref": "#"}}, {"items": {"$ref": "#"}, "minItems": 9}]},
                     id="each level twice"),
        pytest.param({"pattern": "((a{999}){999}){999}"}, id="a large pattern"),
        pytest.param({"pattern": "^(a+)+$", "type": "array"}, id="a slow pattern"),
        pytest.param(_nested(900), id="deep"),
    ],
)  # fmt: skip
def test_what_would_take_too_long_is_not_checked_or_quick(schema: dict[str, Any]) -> None:
    value: Any = "a" * 100_000 + "b"
    for _ in range(200):
        value = [value]

    try:
        check = ParameterCheck(schema)
    except (ValueError, RecursionError):
        return

    assert list(check.errors(value)) == []


def test_a_schema_that_is_too_large_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 5000 parts"):
        ParameterCheck({"properties": {str(n): {} for n in range(6000)}})
