"""A change by filter says how many jobs it meets, and of which API, before it changes any."""

import io
import json
import sys
from typing import Any

import pytest
from tests.scripted_api import Answer, FakeApi

from zerog.cli import codes
from zerog.cli.main import main

CHANGE = ["cancel", "--state", "queued", "--queue", "mail"]


@pytest.fixture
def jobs(api: FakeApi) -> FakeApi:
    """An API with three jobs, on two pages."""
    api.route(
        "/v1/jobs",
        Answer(body={"jobs": [{}, {}], "next": "more"}),
        Answer(body={"jobs": [{}], "next": None}),
    )
    api.script(Answer(body={"changed": 3, "more": False}))
    return api


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Let somebody at a terminal answer."""

    def answer(text: str) -> None:
        typed = io.StringIO(text)
        typed.isatty = lambda: True  # type: ignore[method-assign]
        monkeypatch.setattr(sys, "stdin", typed)
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True)

    return answer


def changes(api: FakeApi) -> list[str]:
    return [seen.path for seen in api.seen if seen.method == "POST"]


@pytest.mark.parametrize("answer", ["y\n", "YES\n"])
def test_somebody_who_says_yes_has_seen_count_filter_and_address(
    jobs: FakeApi, terminal: Any, capsys: pytest.CaptureFixture[str], answer: str
) -> None:
    terminal(answer)

    assert main([*CHANGE, "--url", jobs.url]) == codes.OK

    printed = capsys.readouterr()
    asked = " ".join(printed.err.split())
    assert f"cancel 3 jobs (state queued, queue mail) at {jobs.url}? [y/N]" in asked
    assert printed.out == "3 jobs cancelled, or asked to stop\n"
    assert changes(jobs) == ["/v1/jobs:cancel"]


@pytest.mark.parametrize("answer", ["\n", "n\n", "", "yess\n", "no\n"])
def test_whatever_is_not_yes_changes_nothing(
    jobs: FakeApi, terminal: Any, capsys: pytest.CaptureFixture[str], answer: str
) -> None:
    terminal(answer)

    assert main([*CHANGE, "--url", jobs.url]) == codes.FAILED

    assert "nothing was changed" in capsys.readouterr().err
    assert changes(jobs) == []


@pytest.mark.parametrize(("what", "state"), [("cancel", "queued"), ("retry", "failed")])
@pytest.mark.parametrize("as_json", [[], ["--json"]], ids=["people", "json"])
def test_where_nobody_can_be_asked_yes_has_to_be_given(
    jobs: FakeApi, capsys: pytest.CaptureFixture[str], what: str, state: str, as_json: list[str]
) -> None:
    command = [what, "--state", state, *as_json, "--url", jobs.url]

    assert main(command) == codes.USAGE
    assert "--yes" in capsys.readouterr().err
    assert jobs.seen == []

    assert main([*command, "--yes"]) == codes.OK
    assert changes(jobs) == [f"/v1/jobs:{what}"]
    if as_json:
        assert json.loads(capsys.readouterr().out) == {"changed": 3, "more": False}


def test_jobs_that_are_named_are_not_asked_about(api: FakeApi) -> None:
    uuid = "019ab0c4-5e5a-7e5c-8a3c-0d7a6a3f1b2c"
    api.script(Answer(202, {"uuid": uuid, "state": "cancelled"}))

    assert main(["cancel", uuid, "--url", api.url]) == codes.OK


def test_only_jobs_that_would_change_are_counted(jobs: FakeApi, terminal: Any) -> None:
    for what, states in (("cancel", ["queued", "running", "waiting"]), ("retry", ["failed"])):
        terminal("n\n")
        jobs.seen.clear()
        main([what, "--queue", "mail", "--url", jobs.url])

        assert jobs.seen[0].query["state"] == states


def test_states_that_cannot_change_are_neither_counted_nor_named(
    jobs: FakeApi, terminal: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal("y\n")
    command = ["cancel", "--state", "failed", "--state", "running", "--url", jobs.url]

    assert main(command) == codes.OK

    assert jobs.seen[0].query["state"] == ["running"]
    assert "cancel 3 jobs (state running)" in " ".join(capsys.readouterr().err.split())
    assert jobs.seen[-1].body["filter"]["state"] == ["running"]


@pytest.mark.parametrize(
    ("what", "state", "why"),
    [("cancel", "failed", "queued, running or waiting"), ("retry", "running", "only finished")],
)
@pytest.mark.parametrize("yes", [[], ["--yes"]])
def test_a_filter_that_no_change_applies_to_is_refused_without_a_question(
    jobs: FakeApi,
    terminal: Any,
    capsys: pytest.CaptureFixture[str],
    what: str,
    state: str,
    why: str,
    yes: list[str],
) -> None:
    terminal("y\n")

    assert main([what, "--state", state, *yes, "--url", jobs.url]) == codes.OK

    printed = capsys.readouterr()
    assert why in printed.out
    assert "[y/N]" not in printed.err
    assert jobs.seen == []


def test_no_job_is_no_question(
    api: FakeApi, terminal: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal("")
    api.route("/v1/jobs", Answer(body={"jobs": [], "next": None}))
    api.script(Answer(body={"changed": 0, "more": False}))

    assert main([*CHANGE, "--url", api.url]) == codes.OK

    assert "no matching job to cancel" in capsys.readouterr().out


def test_more_than_one_call_changes_is_said(api: FakeApi, terminal: Any) -> None:
    terminal("n\n")
    api.route("/v1/jobs", Answer(body={"jobs": [{}] * 100, "next": "more"}))

    main([*CHANGE, "--url", api.url])

    assert len(api.seen) == 11  # it does not count on for ever
