"""The jobs, tested without a running system."""

from acme_media.jobs import RenderPage

import zerog.testing


def test_a_page_is_rendered() -> None:
    run = zerog.testing.run(RenderPage(text="# Cats\n\nThey *sleep*."))

    assert run.data["title"] == "Cats"
    assert "<em>sleep</em>" in run.data["html"]


def test_a_page_without_a_heading_fails_for_good() -> None:
    run = zerog.testing.run(RenderPage(text="They sleep."))

    assert (run.kind, run.code) == ("finish", 422)
