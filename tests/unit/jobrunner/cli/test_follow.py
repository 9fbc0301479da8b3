"""`zerog run` and `zerog watch`: they end with the job, or when the time is over."""

import json
from typing import Any

import pytest
from tests.scripted_api import Answer, FakeApi

from zerog.cli import codes
from zerog.cli.main import main

UUID = "019ab0c4-5e5a-7e5c-8a3c-0d7a6a3f1b2c"
SILENCE = 3600.0
RUNNING = {"uuid": UUID, "state": "running", "completeness": 0.5, "resultCode": -1, "attempt": 1}
DONE = {**RUNNING, "state": "succeeded", "completeness": 1.0, "resultCode": 200}


def sent(kind: str, data: dict[str, Any]) -> bytes:
    text = json.dumps(data, ensure_ascii=False)
    return f"event: {kind}\nid: 1-0\ndata: {text}\n\n".encode()


@pytest.fixture(params=["plain", "live"])
def look(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let the command think that it writes to a terminal, or to a pipe."""
    if request.param == "live":
        monkeypatch.setenv("FORCE_COLOR", "1")
    return str(request.param)


@pytest.mark.parametrize("command", [["watch", UUID], ["run", "Hello"]])
@pytest.mark.parametrize("begins", [[], [sent("progress", RUNNING)]], ids=["mute", "begun"])
def test_the_limit_holds_while_nothing_is_said(
    api: FakeApi, look: str, command: list[str], begins: list[bytes],
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    submitted = [Answer(201, {"uuid": UUID})] if command[0] == "run" else []
    api.script(*submitted, Answer(chunks=[*begins, SILENCE]))

    code = main([*command, "--for", "0.3", "--url", api.url])

    assert code == codes.NOT_FINISHED
    said = capsys.readouterr().err
    assert (
        "is still running after 0.3 s" if begins else "not known to have ended after 0.3 s"
    ) in said
    assert f"  zerog watch {UUID}\n" in said


def test_a_job_that_has_ended_is_not_said_to_go_on(api: FakeApi, look: str) -> None:
    api.script(Answer(chunks=[sent("progress", DONE), SILENCE]))

    assert main(["watch", UUID, "--for", "0.3", "--url", api.url]) == codes.OK


@pytest.mark.parametrize("command", [["watch", UUID], ["run", "Hello"]])
def test_the_limit_holds_with_json_too(
    api: FakeApi, command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    submitted = [Answer(201, {"uuid": UUID})] if command[0] == "run" else []
    api.script(*submitted, Answer(body=RUNNING), Answer(chunks=[SILENCE]))

    code = main([*command, "--json", "--for", "0.3", "--url", api.url])

    assert code == codes.NOT_FINISHED
    assert capsys.readouterr().out == ""


def test_a_log_line_with_any_letters_is_shown(
    api: FakeApi, look: str, capsys: pytest.CaptureFixture[str]
) -> None:
    message = "a\u2028b\u2029c\x85d :100: [bold]e[/x] \u20ac\xa0\u3000"
    line = {"level": "warning", "message": message, "attempt": 1, "seq": 0}
    api.script(Answer(chunks=[sent("log", line), sent("progress", DONE), sent("end", DONE)]))

    assert main(["watch", UUID, "--for", "60", "--url", api.url]) == codes.OK

    shown = r"a\u2028b\u2029c\x85d :100: [bold]e[/x] " + "\u20ac\xa0\u3000"
    assert f"warning: {shown}" in capsys.readouterr().err


def test_a_page_in_place_of_the_api_is_told(
    api: FakeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    api.script(Answer(raw=b"<html>", headers={"Content-Type": "text/html"}))

    assert main(["watch", UUID, "--url", api.url]) == codes.FAILED

    assert "not an event stream but text/html was sent" in capsys.readouterr().err
