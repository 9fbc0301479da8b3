"""Blocks of pages that are made."""

import pytest

from zerog_tools.blocks import alone, block, filled

PAGE = """\
By hand, <!-- begin: figure -->12 jobs<!-- end: figure --> a second.

<!-- begin: table -->
old
<!-- end: table -->

By hand.
"""


def test_a_block_is_replaced_and_nothing_else() -> None:
    page = filled(PAGE, {"figure": "99 jobs", "table": alone("| new |\n")})

    assert page == PAGE.replace("12 jobs", "99 jobs").replace("\nold\n", "\n\n| new |\n\n")
    assert block(page, "figure") == "99 jobs"


def test_making_a_page_twice_changes_nothing() -> None:
    made = {"figure": "99 jobs", "table": alone("| new |")}

    assert filled(filled(PAGE, made), made) == filled(PAGE, made)


@pytest.mark.parametrize(
    "page",
    [
        PAGE.replace("begin: figure", "begin: other"),
        PAGE.replace("end: figure", "end: other"),
        PAGE + PAGE,
        "<!-- end: figure --> <!-- begin: figure -->",
    ],
    ids=["no begin", "no end", "twice", "the wrong way round"],
)
def test_a_page_without_a_block_is_refused(page: str) -> None:
    with pytest.raises(ValueError, match="figure"):
        filled(page, {"figure": "99 jobs"})
