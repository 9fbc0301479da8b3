"""What a terminal gets to see: all of what is short, the beginning of what is long."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.hostile_text import EVERYTHING, harm_of

from zerog.cli.changes import _became, _told
from zerog.cli.follow import _where
from zerog.cli.info import facts, story
from zerog.cli.output import SHOWN_LINES, print_data, print_table, shortened, write_data
from zerog.cli.words import counted, folded

UUID = "019ab0c4-5e5a-7e5c-8a3c-0d7a6a3f1b2c"


def be_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Print to a terminal of 40 columns from now on."""
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)


@pytest.mark.parametrize("data", [None, "text", 1.5, [1, 2], {"a": {"b": [True]}}])
def test_data_that_fits_a_screen_is_shown_whole(data: Any) -> None:
    assert json.loads(shortened(data)) == data


@pytest.mark.parametrize(
    "data",
    ["x" * 100_000, ["x" * 100_000] * 50, list(range(100_000)), {str(n): n for n in range(9999)}],
)
def test_data_that_does_not_fit_is_cut(data: Any) -> None:
    lines = shortened(data).splitlines()

    assert len(lines) <= SHOWN_LINES
    assert max(map(len, lines)) < 300


def test_a_cut_text_says_how_long_it_is() -> None:
    assert shortened({"png": "x" * 4_000}).endswith('… (4,000 characters)"\n}')


def test_cut_data_is_followed_by_how_to_have_all(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    be_a_terminal(monkeypatch)
    print_data({"png": "x" * 4_000}, UUID)

    assert f"\n  zerog data {UUID} -o FILE\n" in capsys.readouterr().err


def test_a_file_of_data_holds_only_what_is_seen_and_means_the_same(tmp_path: Path) -> None:
    data = {EVERYTHING: ["\x9b2J", "\x9d0;x\x9c", "\x7f", "\u202e", "\u200b", "ü"]}

    write_data(str(tmp_path / "file"), data, UUID, quiet=True)

    text = (tmp_path / "file").read_text("utf-8")
    assert json.loads(text) == data
    assert harm_of(text) == []
    assert "ü" in text


def test_a_pipe_gets_all_data_and_no_remark(capsys: pytest.CaptureFixture[str]) -> None:
    data = {"png": "x" * 4_000}

    print_data(data, UUID)

    printed = capsys.readouterr()
    assert json.loads(printed.out) == data
    assert printed.err == ""


def test_a_table_never_cuts_a_uuid(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    be_a_terminal(monkeypatch)
    monkeypatch.setenv("TERM", "xterm")

    print_table(("JOB", "STATE", "MESSAGE"), [(UUID, "waiting", "a " * 99)], "")

    assert UUID in capsys.readouterr().out


def test_remarks_are_folded_between_words_and_what_is_to_be_copied_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    be_a_terminal(monkeypatch)

    text = folded(f"{'word ' * 20}\n  zerog data {UUID}")

    lines = text.splitlines()
    assert lines[-1] == f"  zerog data {UUID}"
    assert all(len(line) <= 40 for line in lines[:-1])


@pytest.mark.parametrize(
    ("number", "told"), [(0, "0 jobs"), (1, "1 job"), (2, "2 jobs"), (2000, "2,000 jobs")]
)
def test_what_is_counted_has_its_number(number: int, told: str) -> None:
    assert counted(number, "job") == told


def test_a_change_says_what_it_did() -> None:
    assert _became("cancel", "cancelled") == "cancelled"
    assert _became("cancel", "running") == "running: it was asked to stop"
    assert _became("retry", "queued") == "queued: it runs again"
    assert _told("cancel", 1, more=False) == "1 job cancelled, or asked to stop"
    assert "repeat the command" in _told("retry", 1000, more=True)


def test_a_first_attempt_is_not_worth_a_word() -> None:
    assert _where({"state": "running", "attempt": 1}) == "running"
    assert _where({"state": "running", "attempt": 3}) == "running, attempt 3"


def test_facts_are_for_people() -> None:
    info = {
        "uuid": UUID, "type": "T", "queue": "q", "state": "cancelled", "resultCode": -1,
        "message": "cancelled", "completeness": 0.30000000000000004,
        "createdTime": "2026-01-31T12:00:00.123456Z",
    }  # fmt: skip

    told = dict(facts(info))

    assert told["done"] == "30%"
    assert told["created"] == "2026-01-31 12:00:00 UTC"
    assert "message" not in told  # the state says it
    assert "result code" not in told  # there is none yet
    assert "moved from" not in told


def test_facts_tell_which_queue_a_job_has_left() -> None:
    info = {"uuid": UUID, "type": "T", "queue": "large", "movedFrom": "small", "state": "queued",
            "resultCode": -1, "completeness": 0.0}  # fmt: skip

    told = dict(facts(info))

    assert (told["queue"], told["moved from"]) == ("large", "small")


def test_a_story_has_each_attempt_s_lines_before_its_end() -> None:
    line = {"seq": 0, "time": "2026-01-31T12:00:01Z", "level": "info", "message": "begins"}
    end = {"endedTime": "2026-01-31T12:00:02Z"}
    error = {**line, "attempt": 3, "seq": 1, "level": "error", "message": "ValueError: no",
             "data": {"n": 1, "traceback": "Traceback …\n  File …\n"}}  # fmt: skip
    lines = [{**line, "attempt": 1}, {**line, "attempt": 2}, error]
    attempts = [
        {**end, "number": 1, "cause": "crash", "message": "died"},
        {**end, "number": 2, "cause": "succeeded"},
        {**end, "number": 3, "cause": "error", "message": "ValueError: no"},
        {**end, "number": 4, "cause": "crash", "message": "died, too"},
    ]

    assert [line.split() for line in story(attempts, lines)] == [
        ["12:00:01", "info", "begins"],
        ["12:00:02", "crash", "died"],
        ["12:00:01", "info", "begins"],
        ["12:00:01", "error", "ValueError:", "no", "n=1"],
        ["Traceback", "…"],
        ["File", "…"],
        ["12:00:02", "crash", "died,", "too"],
    ]
