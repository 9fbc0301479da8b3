"""Sentences that repeat figures are made of those that were measured."""

import pytest
from hack import figures

from zerog_tools.blocks import block


def test_a_page_has_the_sentences_that_are_made_of_the_figures() -> None:
    for page, made in figures.sentences().items():
        for name, text in made.items():
            assert block(page.read_text(), name) == text, "run make reference"


def test_a_conclusion_that_the_figures_do_not_support_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(figures.Measured, "fastest_peer", lambda _: "taskiq")

    with pytest.raises(ValueError, match="do not support 'huey is the fastest peer'"):
        figures.sentences()


def test_what_the_benchmark_measured_is_what_its_table_says() -> None:
    measured = figures.Measured()
    table = block(figures.PERFORMANCE.read_text(), "measured")

    for name, label in (("zerog", "**ZeroG**"), ("huey", "FastAPI + huey")):
        (row,) = [line for line in table.splitlines() if line.startswith(f"| {label} |")]
        assert measured.stored(name).replace(",", "") in [cell.strip() for cell in row.split("|")]
