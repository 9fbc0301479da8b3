"""Tables fit the terminal: names are cut and columns are left out, but no UUID is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerog.cli.output import GAP, Column, fitting

JOBS = (
    Column("JOB"), Column("TYPE", least=12), Column("STATE"),
    Column("MESSAGE", least=12, optional=True),
)  # fmt: skip


@pytest.mark.parametrize(
    ("room", "has_message"), [(200, True), (120, True), (80, True), (70, False), (65, False)]
)
def test_names_give_way_and_then_what_is_optional_is_left_out(room: int, has_message: bool) -> None:
    uuid, kind, state, message = fitting(JOBS, [36, 60, 9, 50], room)

    assert (uuid, state, message > 0) == (36, 9, has_message)
    shown = [width for width in (uuid, kind, state, message) if width]
    assert sum(shown) + GAP * (len(shown) - 1) <= room


def test_what_must_not_be_cut_is_not_cut_on_the_narrowest_terminal() -> None:
    assert fitting(JOBS, [36, 60, 9, 50], 20) == [36, 12, 9, 0]


COLUMNS = st.builds(
    Column, st.text("ABC", min_size=1, max_size=9), st.none() | st.integers(1, 20), st.booleans()
)


@given(
    st.lists(st.tuples(COLUMNS, st.integers(0, 90)), min_size=1, max_size=8), st.integers(1, 200)
)
def test_columns_are_never_wider_than_wanted_and_only_optional_ones_are_left_out(
    given_columns: list[tuple[Column, int]], room: int
) -> None:
    columns = [column for column, _ in given_columns]
    wanted = [max(width, len(column.name)) for column, width in given_columns]

    widths = fitting(columns, wanted, room)

    for column, want, width in zip(columns, wanted, widths, strict=True):
        assert width <= want
        assert width > 0 or column.optional
        if column.least is None and width:
            assert width == want
        if column.least is not None and width:
            assert width >= min(want, column.least)
