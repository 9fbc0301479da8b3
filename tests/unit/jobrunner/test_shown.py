"""Foreign text is shown so that it does nothing to a terminal, and passes for nothing of ours."""

import io
import json
import logging
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text
from tests.hostile_text import EVERYTHING, FORGED, UNSEEN, harm_of

from zerog.console import ShownConsole
from zerog.logs import LineFormatter
from zerog.shown import MAX_MARKS, shown, shown_block, shown_json, shown_name

ANY = st.text(st.characters()) | st.text(
    st.sampled_from("a\n\r\t\x1b\x9b\u202e\u200b \xa0\\\ud800\u3164\u2800\ufe0f\u0301")
)


@given(ANY)
def test_a_line_holds_only_what_is_seen(text: str) -> None:
    assert not UNSEEN.search(shown(text))
    assert "\n" not in shown(text)
    assert "\t" not in shown(text)


@given(ANY)
def test_showing_twice_changes_nothing(text: str) -> None:
    for show in (shown, shown_block, shown_json):
        assert show(show(text)) == show(text)


@given(ANY)
def test_only_the_first_line_of_a_text_begins_at_the_margin(text: str) -> None:
    _, *others = shown_block(text).split("\n")

    assert all(line.startswith("  ") or not line for line in others)


@given(
    st.recursive(
        ANY | st.none() | st.integers(), lambda it: st.lists(it) | st.dictionaries(ANY, it)
    )
)
def test_json_keeps_its_meaning(value: object) -> None:
    text = shown_json(json.dumps(value, ensure_ascii=False, indent=2))

    assert json.loads(text) == value
    assert not UNSEEN.search(text)


def test_letters_of_any_language_are_left_alone() -> None:
    for text in ("Grüße", "日本語\u3000全角", "5\xa0€", "שלום", "emoji \U0001f600", "e\u0301"):
        assert shown(text) == text


@pytest.mark.parametrize("show", [shown, shown_json])
def test_marks_cannot_pile_up_on_a_letter(show: Callable[[str], str]) -> None:
    tower = "e" + "\u0301" * 1000

    assert show(tower) == "e" + "\u0301" * MAX_MARKS + r"\u0301" * (1000 - MAX_MARKS)
    assert show("שָּׁ e\u0323\u0302") == "שָּׁ e\u0323\u0302"


def test_a_name_that_looks_like_a_remark_is_quoted() -> None:
    assert shown_name("mail.urgent_1-2") == "mail.urgent_1-2"
    assert shown_name(FORGED) == f'"{FORGED}"'


def test_a_console_shows_what_it_is_given_and_obeys_only_rich() -> None:
    out = io.StringIO()
    console = ShownConsole(file=out, force_terminal=True, color_system="truecolor", width=2000)

    console.print(Text(EVERYTHING.replace("\n", " "), "red"))
    console.print("[link=http://127.0.0.1/]x[/link] :100:")

    assert harm_of(out.getvalue()) == []
    assert "\x1b[31m" in out.getvalue()
    assert "[link=http://127.0.0.1/]x[/link] :100:" in out.getvalue()


def test_a_record_of_the_log_is_a_line_and_indented_ones() -> None:
    out = io.StringIO()
    handler = logging.StreamHandler(out)
    handler.setFormatter(LineFormatter("%(levelname)s %(message)s"))
    log = logging.Logger("hostile")
    log.addHandler(handler)

    try:
        raise ValueError(EVERYTHING)
    except ValueError:
        log.exception("job %s failed", EVERYTHING)

    first, *others = out.getvalue().rstrip("\n").split("\n")
    assert first.startswith("ERROR job a")
    assert all(line.startswith("  ") or not line for line in others)
    assert harm_of(out.getvalue()) == []
