"""What a request says of itself is read strictly, and dropped if it does not fit."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerog.model.origin import (
    MAX_REQUEST_ID_CHARS,
    TRACE_PARENT_CHARS,
    read_request_id,
    read_trace_parent,
    trace_id_of,
)

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-01"


@pytest.mark.parametrize("text", ["a", "Root=1-67891233-abcdef012345678912345678", "x" * 100])
def test_an_id_is_taken_as_it_is(text: str) -> None:
    assert read_request_id(text) == text


@pytest.mark.parametrize(
    "text", [None, "", "a b", "a\n", "a\r\nSet-Cookie: x", "ä", "{}", "x" * 101]
)
def test_what_is_not_an_id_is_dropped(text: str | None) -> None:
    assert read_request_id(text) is None


def test_a_trace_parent_is_taken_as_it_is() -> None:
    assert read_trace_parent(PARENT) == PARENT
    assert trace_id_of(PARENT) == TRACE
    assert trace_id_of(None) is None


def test_a_later_version_is_read_as_the_first_one() -> None:
    assert read_trace_parent(f"cc-{TRACE}-{SPAN}-01-more") == PARENT


@pytest.mark.parametrize(
    "text",
    [
        None, "", PARENT.upper(), PARENT[:-1], f"{PARENT}-more", f"ff{PARENT[2:]}",
        f"00-{'0' * 32}-{SPAN}-01", f"00-{TRACE}-{'0' * 16}-01", f"{PARENT},{PARENT}",
    ],
)  # fmt: skip
def test_what_is_no_trace_parent_is_dropped(text: str | None) -> None:
    assert read_trace_parent(text) is None


@given(st.text())
def test_whatever_comes_is_short_and_printable_or_dropped(text: str) -> None:
    request, parent = read_request_id(text), read_trace_parent(text)

    assert request is None or (len(request) <= MAX_REQUEST_ID_CHARS and request.isprintable())
    assert parent is None or len(parent) == TRACE_PARENT_CHARS
