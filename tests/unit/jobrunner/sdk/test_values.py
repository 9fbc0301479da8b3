"""What has a JSON form, and what is said of a value that has none."""

import collections
import dataclasses
import itertools
import math
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from zerog.sdk.values import NoJsonFormError, json_text


class Model(BaseModel):
    rows: Any = None


@dataclasses.dataclass
class Row:
    cells: Any


class Evil:
    def __str__(self) -> str:
        raise RuntimeError("evil")

    __repr__ = __str__


class EvilMapping(dict[str, int]):
    def values(self) -> Any:
        raise RuntimeError("evil")


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)  # fmt: skip
def test_json_values_come_back_as_they_were(value: Any) -> None:
    assert msgspec.json.decode(json_text(value, "it")) == value


def test_other_values_have_the_form_that_pydantic_gives_them() -> None:
    value = {
        1: (1, 2), "model": Model(rows=[Row(cells=1)]), "time": datetime(2026, 1, 1, tzinfo=UTC),
        "decimal": Decimal("1.5"), "deque": collections.deque([1]), "bytes": b"abc",
    }  # fmt: skip

    assert msgspec.json.decode(json_text(value, "it")) == {
        "1": [1, 2], "model": {"rows": [{"cells": 1}]}, "time": "2026-01-01T00:00:00Z",
        "decimal": "1.5", "deque": [1], "bytes": "abc",
    }  # fmt: skip


ITERATORS: dict[str, Callable[[], Any]] = {
    "generator": lambda: (n for n in [1]),
    "map": lambda: map(str, [1]),
    "filter": lambda: filter(None, [1]),
    "list_reverseiterator": lambda: reversed([1]),
    "zip": lambda: zip([1], [2], strict=True),
    "enumerate": lambda: enumerate([1]),
    "list_iterator": lambda: iter([1]),
    "count": itertools.count,
}


@pytest.mark.parametrize("kind", ITERATORS)
@pytest.mark.parametrize(
    ("wrap", "path"),
    [
        (lambda it: it, "it"),
        (lambda it: [1, it], r"it\[1\]"),
        (lambda it: {"rows": {"a": (it,)}}, r"it\['rows'\]\['a'\]\[0\]"),
        (lambda it: Model(rows=[it]), r"it\['rows'\]\[0\]"),
        (lambda it: [Row(cells=it)], r"it\[0\]\['cells'\]"),
        (lambda it: collections.deque([it]), r"it\[0\]"),
    ],
)
def test_an_iterator_is_refused_by_its_path(
    kind: str, wrap: Callable[[Any], Any], path: str
) -> None:
    with pytest.raises(NoJsonFormError, match=rf"^{path} is a {kind}, .* make a list"):
        json_text(wrap(ITERATORS[kind]()), "it")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (object(), "it has no JSON form: object"),
        ({"a": [0, object()]}, "it['a'][1] has no JSON form: object"),
        ({"a": {}.keys()}, "it['a'] has no JSON form: dict_keys"),
        ([1.0, math.nan], "it[1] has no JSON form: NaN is not a JSON number: use None or a text"),
        ({"a": -math.inf}, "it['a'] has no JSON form: -Infinity is not"),
        ([["\udcff"]], "it[0][0] has no JSON form: a text with a lone surrogate"),
        ({"\udcff": 1}, "it has no JSON form"),
        ([b"\xff"], "it[0] has no JSON form: bytes that is not UTF-8"),
        (10**5000, "it has no JSON form: an integer with too many digits"),
        ([{"n": -(10**5000)}], "it[0]['n'] has no JSON form: an integer with too many"),
        (ValueError("x"), "it has no JSON form: ValueError"),
        ({"a": numpy.zeros(2)}, "it['a'] has no JSON form: ndarray (make a list of it, .tolist())"),
        ([float("inf")], "it[0] has no JSON form: Infinity is not"),
        ([Evil()], "it[0] has no JSON form: Evil"),
        ([EvilMapping()], "it has no JSON form: list (evil)"),
        (range(3), "it has no JSON form: range"),
    ],
    ids=lambda value: None if isinstance(value, str) else type(value).__name__,
)
def test_what_has_no_json_form_is_named_by_its_path(value: Any, said: str) -> None:
    with pytest.raises(NoJsonFormError) as refused:
        json_text(value, "it")
    assert str(refused.value).startswith(said)


def test_a_value_that_nests_too_deeply_is_refused() -> None:
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    ring: list[Any] = []
    ring.append(ring)

    for value in (deep, ring):
        with pytest.raises(NoJsonFormError) as refused:
            json_text(value, "it")
        assert len(str(refused.value)) < 1000


def test_large_integers_keep_every_digit() -> None:
    assert msgspec.json.decode(json_text([10**300 + 7], "it")) == [10**300 + 7]
    assert msgspec.json.decode(json_text("9" * 5000, "it")) == "9" * 5000
