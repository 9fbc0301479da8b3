"""Figures that prose repeats are those that were measured."""

from pathlib import Path

import pytest
from hack import figures

README = "README.md"


def page() -> str:
    return (figures.ROOT / README).read_text()


def test_a_figure_that_was_measured_anew_replaces_the_old_one() -> None:
    known = figures.figures()["zerog stored"]
    stale = page().replace(f"{known} jobs a second", "1 jobs a second")
    assert stale != page()

    assert figures.with_figures(README, stale) == page()


def test_a_sentence_that_is_gone_is_told() -> None:
    with pytest.raises(ValueError, match=r"README.md lacks the sentence '\{\} jobs"):
        figures.with_figures(README, page().replace("jobs a second", "jobs a minute"))


def test_a_conclusion_that_the_figures_do_not_bear_out_is_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    page, sentence, holds = figures.CLAIMS[0]
    assert holds()
    monkeypatch.setattr(figures, "CLAIMS", [(page, sentence, lambda: False)])

    (told,) = figures.untrue()

    assert sentence in told
    assert "does not bear that out" in told


def test_what_the_benchmark_measured_is_what_its_table_says() -> None:
    text = Path(figures.ROOT / figures.PERFORMANCE).read_text()

    for name, values in figures.measured().items():
        label = "**ZeroG**" if name == "zerog" else f"FastAPI + {name}"
        (row,) = [line for line in text.splitlines() if line.startswith(f"| {label} |")]
        assert row.split("|")[4].strip() == f"{values['stored_per_second']:.0f}"
