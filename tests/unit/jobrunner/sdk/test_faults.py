"""What a caller is told about parameters that a class refuses: a path in the JSON, and words."""

import json
from typing import Annotated, Any, Literal, Self

import pytest
from pydantic import (
    AliasPath,
    BaseModel,
    ConfigDict,
    Field,
    Json,
    ValidationError,
    field_validator,
    model_validator,
)

from zerog.sdk.faults import (
    MAX_FAULTS,
    MAX_MESSAGE_CHARS,
    MAX_PATH_CHARS,
    Fault,
    find_faults,
    in_one_line,
)


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]
    tricks: list[str]


class Several(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: str
    size: int | list[int] = 1
    by_number: dict[int, int] = {}
    pet: Annotated[Cat | Dog, Field(discriminator="kind")] | None = None
    inside: Json[list[int]] | None = None
    aliased: int = Field(1, alias="theAlias")
    deep: int = Field(1, validation_alias=AliasPath("some", "where", 1))
    start: int = 0
    end: int = 9

    @field_validator("name")
    @classmethod
    def check_name(cls, name: str) -> str:
        if name == "assert":
            raise AssertionError("is taken")
        if name == "raise":
            raise ValueError("is\ntaken")
        if name == "silent":
            raise ValueError
        return name

    @model_validator(mode="after")
    def check_order(self) -> Self:
        if self.end < self.start:
            raise ValueError("end is before start")
        return self


def faults_of(parameters: dict[str, Any]) -> list[Fault]:
    text = json.dumps(parameters).encode()
    with pytest.raises(ValidationError) as refused:
        Several.model_validate_json(text)
    return find_faults(refused.value, text)


@pytest.mark.parametrize(
    ("parameters", "paths"),
    [
        ({}, [".name"]),
        ({"name": "x", "start": 9, "end": 1}, [""]),
        ({"name": "x", "unknown": 1}, [".unknown"]),
        ({"name": "x", "size": [1, "y"]}, [".size", ".size[1]"]),
        ({"name": "x", "by_number": {"a": 1, "2": "y"}}, [".by_number.a", ".by_number.2"]),
        ({"name": "x", "pet": {"kind": "cat"}}, [".pet.lives"]),
        ({"name": "x", "pet": {"kind": "dog", "tricks": [1]}}, [".pet.tricks[0]"]),
        ({"name": "x", "pet": {"kind": "cow"}}, [".pet"]),
        ({"name": "x", "inside": '[1, "y"]'}, [".inside"]),
        ({"name": "x", "theAlias": "y"}, [".theAlias"]),
        ({"name": "x", "some": {"where": [0, "y"]}}, [".some.where[1]"]),
    ],
)
def test_a_path_leads_to_the_place_in_the_json(
    parameters: dict[str, Any], paths: list[str]
) -> None:
    assert [fault.path for fault in faults_of(parameters)] == paths


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("assert", "is taken"),
        ("raise", "is\ntaken"),
        ("silent", "does not fit"),
    ],
)
def test_an_author_s_words_are_told_alone(name: str, message: str) -> None:
    assert faults_of({"name": name}) == [Fault(".name", message)]


def test_everything_is_bounded() -> None:
    keys = {"x" * 1_000_000: 1, **{f"k{n}": 1 for n in range(100)}}

    found = faults_of({"name": "x", **keys})

    assert len(found) == MAX_FAULTS
    assert max(len(fault.path) for fault in found) < MAX_PATH_CHARS + 50
    assert max(len(fault.message) for fault in found) < MAX_MESSAGE_CHARS + 50


def test_a_job_s_message_has_all_faults_in_one_line() -> None:
    faults = [Fault(".a[1]", "is odd"), Fault("", "does not fit")]

    assert in_one_line(faults, 5) == "a[1]: is odd; does not fit; and 3 more"
