"""What a job may say, checked where it says it."""

import http
import math
from datetime import timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest

import zerog
from zerog.model.limits import MAX_MESSAGE_CHARS, MAX_SECONDS


class IndexOnly:
    """An integer as numpy has them: not an `int`, but usable as one."""

    def __index__(self) -> int:
        return 404


class Evil(Exception):
    def __str__(self) -> str:
        raise RuntimeError("evil")

    __repr__ = __str__


@pytest.mark.parametrize(
    ("delay", "seconds"),
    [
        (0, 0.0), (60, 60.0), (0.5, 0.5), (timedelta(minutes=5), 300.0), (Decimal(300), 300.0),
        (Fraction(1, 2), 0.5), (MAX_SECONDS, MAX_SECONDS),
    ],
)  # fmt: skip
def test_a_delay_is_a_number_of_seconds_or_a_timedelta(delay: Any, seconds: float) -> None:
    assert zerog.Continue(delay).delay_seconds == seconds
    assert zerog.Retry(delay).delay_seconds == seconds


@pytest.mark.parametrize(
    "delay",
    [
        True, "300", Decimal("NaN"), Decimal("sNaN"), Decimal("1e400"), 1j, math.nan, math.inf, -1,
        -0.001, timedelta(-1), 5e9, 10**5000,
        1e308, [60], b"60",
    ],
    ids=lambda delay: repr(delay)[:20] if not isinstance(delay, int) else str(delay.bit_length()),
)  # fmt: skip
def test_what_is_no_delay_is_refused(delay: Any) -> None:
    with pytest.raises((TypeError, ValueError)):
        zerog.Continue(delay)
    with pytest.raises((TypeError, ValueError)):
        zerog.Retry(delay)


def test_a_retry_without_a_delay_leaves_it_to_the_type() -> None:
    assert zerog.Retry().delay_seconds is None


def test_a_continuation_has_a_delay() -> None:
    with pytest.raises(TypeError):
        zerog.Continue(None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("code", "number"),
    [(0, 0), (404, 404), (9999, 9999), (http.HTTPStatus.NOT_FOUND, 404), (IndexOnly(), 404)],
    ids=["zero", "error", "largest", "enumeration", "index"],
)
def test_a_code_is_an_integer(code: Any, number: int) -> None:
    assert type(zerog.Finish(code).code) is int
    assert zerog.Finish(code).code == number
    assert zerog.Result(None, code).code == number


@pytest.mark.parametrize(
    "code", ["404", 404.0, None, True, -1, 10_000, 10**5000, object(), b"404", Evil()],
    ids=["text", "float", "none", "bool", "minus", "10000", "huge", "object", "bytes", "evil"],
)  # fmt: skip
def test_what_is_no_code_is_refused(code: Any) -> None:
    with pytest.raises((TypeError, ValueError), match="a result code is an int from 0 to 9999"):
        zerog.Finish(code)
    with pytest.raises((TypeError, ValueError), match="a result code is an int from 0 to 9999"):
        zerog.Result({}, code)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("why", "why"),
        ("", ""),
        (None, ""),
        (ValueError("why"), "ValueError: why"),
        (b"\xff", "b'\\xff'"),
        ("\udcff", "\\udcff"),
        (404, "404"),
        (Evil(), "Evil: <Evil without a text: its __str__ raised RuntimeError>"),
    ],
    ids=["text", "empty", "none", "error", "bytes", "surrogate", "int", "evil"],
)
def test_a_message_is_made_text(message: Any, text: str) -> None:
    assert zerog.Retry(1, message).message == text
    assert zerog.Finish(404, message).message == text


def test_a_message_of_40_mb_is_cut() -> None:
    assert len(zerog.Finish(404, "x" * 40_000_000).message) <= MAX_MESSAGE_CHARS
