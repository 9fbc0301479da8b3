"""What the command says: every fault is told with its cause and what to do next."""

import json
from pathlib import Path
from typing import Any

import pytest

from zerog.cli import codes
from zerog.cli.arguments import STATES
from zerog.cli.jobs import read_parameters
from zerog.cli.main import COMMANDS, _read, build_parser, main
from zerog.cli.words import short_time
from zerog.client import ApiError
from zerog.model.errors import ConfigError
from zerog.model.record import State


def said(arguments: list[str], capsys: pytest.CaptureFixture[str], code: int = codes.USAGE) -> str:
    """Call the command and return what it printed as an error."""
    try:
        result: Any = main(arguments)
    except SystemExit as end:
        result = end.code
    assert result == code
    return capsys.readouterr().err


def test_without_a_command_it_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    assert "zerog dev examples/jobs/text.py" in said([], capsys)


def test_a_misspelt_command_is_offered_the_near_one(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(["wokers"], capsys)

    assert "did you mean `zerog workers`?" in text
    assert "zerog --help" in text


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["run"], "the following arguments are required: TYPE\n"),
        (["run", "T", "--delay", "-1"], "-1 is not a number of at least 0"),
        (["run", "T", "a=1", "--no-such"], "unrecognized arguments: --no-such"),
        (
            ["info", "nonsense"],
            "'nonsense' is not a job's UUID, nor its first 8 or more digits",
        ),
        (["list", "-n", "-3"], "-3 is less than 1"),
        (["list", "-n", "few"], "'few' is not a whole number"),
        (["retry", "--state", "nope"], "invalid choice: 'nope' (choose from 'queued', 'running'"),
    ],
)
def test_wrong_usage_is_told_in_two_lines(
    arguments: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    text = said(arguments, capsys)

    assert told in text
    assert f"`zerog {arguments[0]} --help` explains it" in text
    assert text.count("\n") == 2


def test_a_change_of_no_job_in_particular_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert "which jobs to cancel? Name them by UUID" in said(["cancel"], capsys)


def test_the_states_of_the_command_are_those_of_jobs() -> None:
    assert tuple(map(str, State)) == STATES


def test_an_error_of_the_api_is_followed_by_what_to_do() -> None:
    error = ApiError(404, {"code": "unknown-job", "detail": "there is no job 'x'"})

    assert "zerog list" in str(codes.hint_of(error))
    assert codes.hint_of(ConfigError("says it itself")) is None


def test_files_that_cannot_be_read_are_named(tmp_path: Path) -> None:
    (tmp_path / "picture").write_bytes(b"\xff\xfe\xff")
    (tmp_path / "list.json").write_text("[1]")
    (tmp_path / "broken.json").write_text("{")

    for pairs, path, told in (
        (["a=@none.txt"], None, "the file 'none.txt' cannot be read: No such file"),
        ([f"a=@{tmp_path}/picture"], None, "is not text: write key=@base64:"),
        (["name"], None, "'name' is not a parameter: write key=value, e.g. name=Ada"),
        ([], f"{tmp_path}/list.json", "list.json is not a JSON object"),
        ([], f"{tmp_path}/broken.json", "broken.json is not JSON"),
    ):
        with pytest.raises(ConfigError) as caught:
            read_parameters(pairs, path)
        assert told in str(caught.value)


def test_parameters_are_json_text_or_files(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text(json.dumps({"a": 1, "b": 2}))
    (tmp_path / "text").write_text("hello")

    read = read_parameters(["b=[3]", "c=word", f"d=@{tmp_path}/text"], f"{tmp_path}/p.json")

    assert read == {"a": 1, "b": [3], "c": "word", "d": "hello"}


def test_parameters_may_stand_behind_options() -> None:
    options = _read(build_parser(), ["run", "T", "a=1", "--priority", "3", "b=2"])

    assert (options.parameters, options.priority) == (["a=1", "b=2"], 3)


def test_every_command_is_in_the_overview() -> None:
    overview = build_parser().format_help()

    for name in (*COMMANDS, "simulate"):
        assert f"\n  {name} " in overview
    assert max(map(len, overview.splitlines())) < 80


@pytest.mark.parametrize(
    ("seconds", "text"), [(-1, "0 s"), (59, "59 s"), (61, "1 min"), (7300, "2 h"), (200000, "2 d")]
)
def test_a_span_of_time_has_one_unit(seconds: float, text: str) -> None:
    assert short_time(seconds) == text
