"""What of a printed line is kept: the end of what overwrites itself, and no more than is shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerog.lines import PrintedLines


def read(data: bytes, size: int) -> list[str]:
    lines = PrintedLines(100)
    chunks = [data[at : at + size] for at in range(0, len(data), size)]
    return [line for chunk in chunks for line in lines.feed(chunk)] + lines.rest()


@pytest.mark.parametrize("size", [1, 2, 3, 100])
@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"a\r\nb\r\n", ["a", "b"]),
        (b"\r1%\r2%\r3%\nnext\n", ["3%", "next"]),
        (b"10%\r20%\r", ["20%"]),
        (b"10%\r\r\n", ["10%"]),
        (b"\r\r\n\n", ["", ""]),
        (b"x" * 300 + b"\rshort", ["short"]),
    ],
)
def test_the_last_state_of_a_line_is_kept(data: bytes, lines: list[str], size: int) -> None:
    assert read(data, size) == lines


@given(st.lists(st.sampled_from([b"a", b"\r", b"\n", b"b" * 60]), max_size=30))
def test_how_it_arrives_makes_no_difference(parts: list[bytes]) -> None:
    data = b"".join(parts)

    assert len({tuple(read(data, size)) for size in (1, 2, 7, 1000)}) == 1
