"""A job that did not succeed is told as such, in words and by the exit code."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.scripted_api import Answer, FakeApi

from zerog.cli import codes
from zerog.cli.codes import OUTCOMES, ScriptOutcome
from zerog.cli.main import main

UUID = "019ab0c4-5e5a-7e5c-8a3c-0d7a6a3f1b2c"
OTHER = "019ab0c4-5e5a-7e5c-8a3c-0d7a6a3f1b2d"
JOB = f"/v1/jobs/{UUID}"
WHY = {"failed": "ValueError: no disk", "cancelled": "cancelled", "expired": "nobody started it"}
RESULT_CODES = {"succeeded": 200, "failed": 500, "cancelled": 410, "expired": 504}


def progress(state: str, uuid: str = UUID) -> dict[str, Any]:
    found = {"uuid": uuid, "state": state, "completeness": 0.5, "attempt": 1,
             "resultCode": RESULT_CODES.get(state, -1)}  # fmt: skip
    return {**found, "message": WHY[state]} if state in WHY else found


def stand(api: FakeApi, state: str, data: Any = None) -> None:
    """Let the API have a job that stands so."""
    now = progress(state)
    end = f"event: end\nid: 1-0\ndata: {json.dumps(now)}\n\n".encode()
    api.route("/v1/jobs/Hello", Answer(201, {"uuid": UUID}))
    api.route(f"{JOB}/progress", Answer(body=now))
    begun = f"event: progress\nid: 1-0\ndata: {json.dumps(now)}\n\n".encode()
    finished = state in RESULT_CODES
    api.route(f"{JOB}/stream", Answer(chunks=[end] if finished else [begun, 3600.0]))
    info = {**now, "type": "Hello", "queue": "q", "events": [], "warnings": [], "errors": []}
    api.route(f"{JOB}/info", Answer(body={**info, "attempts": []}))
    refused = Answer(409, {"status": 409, "code": "job-state", "detail": "not there yet"})
    answer = Answer(body={"uuid": UUID, "resultCode": now["resultCode"], "data": data})
    api.route(f"{JOB}/data", answer if finished else refused)


def called(command: str) -> list[str]:
    """Return the arguments of a command of the table."""
    words = command.split()[1:]
    limit = ["--for", "0.3"] if "--for" in words else []
    return [words[0], "Hello" if words[0] == "run" else UUID, *limit]


@pytest.mark.parametrize("as_json", [False, True], ids=["people", "json"])
@pytest.mark.parametrize("row", OUTCOMES, ids=lambda row: f"{row.command} {row.job}")
def test_commands_keep_to_the_table_of_outcomes(
    api: FakeApi, capsys: pytest.CaptureFixture[str], row: ScriptOutcome, as_json: bool
) -> None:
    stand(api, row.job if row.job in RESULT_CODES else "running")
    arguments = called(row.command) + (["--json"] if as_json else [])

    assert main([*arguments, "--url", api.url]) == row.code

    printed = capsys.readouterr()
    if as_json:
        assert bool(printed.out) == bool(row.prints_json)
        json.loads(printed.out or "null")
    elif not row.prints or row.prints.endswith("if it has any"):
        assert printed.out == ""
    else:
        assert printed.out


def test_the_data_of_a_failed_job_is_how_it_failed(
    api: FakeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    stand(api, "failed")

    assert main(["data", UUID, "--url", api.url]) == codes.FAILED

    printed = capsys.readouterr()
    assert printed.out == ""
    assert f"job {UUID} failed with result code 500: ValueError: no disk\n" in printed.err
    assert f"  zerog info {UUID} " in printed.err


@pytest.mark.parametrize("as_json", [[], ["--json"]], ids=["people", "json"])
@pytest.mark.parametrize("command", [["data", UUID], ["run", "Hello"]])
def test_a_failed_job_that_has_data_prints_it_and_fails_all_the_same(
    api: FakeApi, capsys: pytest.CaptureFixture[str], command: list[str], as_json: list[str]
) -> None:
    stand(api, "failed", {"rows": 7})

    assert main([*command, *as_json, "--url", api.url]) == codes.FAILED

    found = json.loads(capsys.readouterr().out)
    wrapped = command[0] == "run" and as_json
    assert (found["data"] if wrapped else found) == {"rows": 7}


def test_a_failed_job_without_data_writes_no_file(api: FakeApi, tmp_path: Path) -> None:
    stand(api, "failed")
    file = tmp_path / "data.json"

    assert main(["data", UUID, "-o", str(file), "--url", api.url]) == codes.FAILED
    assert main(["run", "Hello", "-o", str(file), "--url", api.url]) == codes.FAILED

    assert not file.exists()


def test_a_job_that_returned_nothing_has_data_of_its_own(
    api: FakeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    stand(api, "succeeded")

    assert main(["data", UUID, "--url", api.url]) == codes.OK

    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("null\n", "")


def test_the_data_of_a_cancelled_job_says_so_once(
    api: FakeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    stand(api, "cancelled")

    assert main(["data", UUID, "--url", api.url]) == codes.CANCELLED

    assert f"job {UUID} cancelled with result code 410\n" in capsys.readouterr().err


def test_the_data_of_an_unfinished_job_says_how_to_wait_for_it(
    api: FakeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    stand(api, "running")

    assert main(["data", UUID, "--url", api.url]) == codes.NOT_FINISHED

    said = capsys.readouterr().err
    assert f"job {UUID} is running" in said
    assert f"  zerog watch {UUID} " in said


@pytest.mark.parametrize("what", ["cancel", "retry"])
def test_a_job_that_refuses_a_change_does_not_keep_the_others_from_it(
    api: FakeApi, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    refused = {"status": 409, "code": "job-state", "detail": "it has succeeded already"}
    api.route(f"{JOB}/{what}", Answer(409, refused))
    api.route(f"/v1/jobs/{OTHER}/{what}", Answer(202, progress("queued", OTHER)))

    assert main([what, UUID, OTHER, "--url", api.url]) == codes.FAILED

    printed = capsys.readouterr()
    assert printed.out.startswith(f"{OTHER} queued")
    assert "zerog: error: it has succeeded already" in printed.err


def test_json_of_some_changes_has_those_that_were_made(
    api: FakeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    api.route(f"{JOB}/cancel", Answer(404, {"status": 404, "code": "unknown-job", "detail": "?"}))
    api.route(f"/v1/jobs/{OTHER}/cancel", Answer(202, progress("cancelled", OTHER)))

    assert main(["cancel", UUID, OTHER, "--json", "--url", api.url]) == codes.FAILED

    assert [item["uuid"] for item in json.loads(capsys.readouterr().out)] == [OTHER]


def test_what_concerns_all_jobs_ends_a_change(api: FakeApi) -> None:
    api.route(f"{JOB}/cancel", Answer(401, {"status": 401, "code": "unauthorized", "detail": "?"}))

    assert main(["cancel", UUID, OTHER, "--url", api.url]) == codes.FAILED

    assert len(api.seen) == 1


def test_an_answer_of_something_else_is_told(
    api: FakeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    api.script(Answer(body={"data": 1}))

    assert main(["data", UUID, "--url", api.url]) == codes.FAILED

    assert "is this the address of a ZeroG API?" in capsys.readouterr().err
