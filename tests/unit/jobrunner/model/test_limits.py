"""Whatever comes from outside is bounded where it enters."""

import math
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerog.model.backoff import Backoff
from zerog.model.limits import (
    MAX_MESSAGE_CHARS,
    MAX_SECONDS,
    bounded,
    one_line,
    read_seconds,
)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(5, 5.0), (0.5, 0.5), (timedelta(minutes=5), 300.0), (MAX_SECONDS, MAX_SECONDS)],
)
def test_a_duration_is_a_number_of_seconds_or_a_timedelta(value: Any, seconds: float) -> None:
    assert read_seconds(value) == seconds


@pytest.mark.parametrize("value", ["300", None, True, b"1", [1], object()])
def test_what_is_no_duration_is_refused_by_its_type(value: object) -> None:
    with pytest.raises(TypeError, match="is not a duration"):
        read_seconds(value)


@pytest.mark.parametrize(
    "value", [-1, 5e9, math.inf, -math.inf, math.nan, 10**400, timedelta(days=-1)]
)
def test_a_duration_out_of_bounds_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="from 0 to 31622400 seconds"):
        read_seconds(value)


@given(st.floats())
def test_a_computed_duration_is_cut_to_its_bounds(seconds: float) -> None:
    assert 0 <= bounded(seconds) <= MAX_SECONDS


@given(st.text(st.characters(), max_size=3 * MAX_MESSAGE_CHARS))
def test_any_message_can_be_stored(text: str) -> None:
    message = one_line(text)

    if not text:
        assert message is None
    else:
        assert message
        message.encode()


def test_a_long_message_says_how_long_it_was() -> None:
    message = one_line("x" * 40_000_000)

    assert message is not None
    assert len(message) <= MAX_MESSAGE_CHARS
    assert message.endswith("(40,000,000 characters)")


@given(
    st.floats(0, MAX_SECONDS), st.floats(0, MAX_SECONDS), st.integers(), st.none() | st.floats(0, 1)
)
def test_any_number_of_failures_has_a_pause(
    first: float, most: float, failures: int, chance: float | None
) -> None:
    backoff = Backoff(first, most, spread=0.25, above=0.25)

    assert 0 <= backoff.pause(failures, chance) <= 1.25 * most


def test_pauses_double_up_to_the_maximum() -> None:
    backoff = Backoff(1.0, 5.0, spread=0.0)

    assert [backoff.pause(failures) for failures in (0, 1, 2, 3, 4)] == [1, 1, 2, 4, 5]
