"""Which jobs a command is for: by how UUIDs begin, by filters, and as a rehearsal."""

import argparse
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.scripted_api import Answer, FakeApi

from zerog.cli import codes
from zerog.cli.main import main
from zerog.cli.parser import job_uuid, label, moment

UUID = "019ab0c4-5e5a-7e5c-8a3c-0d7a6a3f1b2c"
OTHER = "019ab0c4-5e5a-7e5c-8a3c-0d7a6a3f1b2d"
FILTERS = ["--label", "team=a", "--label", "run=7", "--cause", "timeout", "--ended-after",
           "2026-01-31T12:00:00Z"]  # fmt: skip
SENT = {"label": ["run=7", "team=a"], "cause": ["timeout"],
        "endedAfter": "2026-01-31T12:00:00.000000Z"}  # fmt: skip


def job(uuid: str, state: str = "failed") -> dict[str, Any]:
    return {"uuid": uuid, "type": "Mail", "state": state, "createdTime": "2026-01-31T12:00:00Z"}


def listed(*jobs: dict[str, Any]) -> Answer:
    return Answer(body={"jobs": list(jobs), "next": None})


def said(capsys: pytest.CaptureFixture[str]) -> str:
    return " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        (UUID, UUID),
        (UUID.upper(), UUID),
        (UUID.replace("-", ""), UUID),
        ("019ab0c4", "019ab0c4"),
        ("019AB0C45e5", "019ab0c4-5e5"),
        ("019ab0c4-5e5a-7", "019ab0c4-5e5a-7"),
        (UUID[:-1], UUID[:-1]),
    ],
)
def test_a_uuid_is_read_as_the_api_writes_it_or_how_it_begins(typed: str, read: str) -> None:
    assert job_uuid(typed) == read


@pytest.mark.parametrize("typed", ["019ab0c", "", "nonsense", "019ab0cg", UUID + "0", "--------"])
def test_what_no_uuid_begins_with_is_refused(typed: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError):
        job_uuid(typed)


def test_every_command_takes_how_a_uuid_begins(api: FakeApi) -> None:
    api.route("/v1/jobs", listed(job(UUID)))
    api.route(f"/v1/jobs/{UUID}/cancel", Answer(202, {"uuid": UUID, "state": "cancelled"}))

    assert main(["cancel", "019ab0c45e5a", "--url", api.url]) == codes.OK

    assert api.seen[0].query["uuidPrefix"] == ["019ab0c4-5e5a"]
    assert api.seen[1].path == f"/v1/jobs/{UUID}/cancel"


def test_jobs_whose_uuids_begin_alike_are_listed(
    api: FakeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    api.script(listed(job(UUID), job(OTHER)))

    assert main(["info", "019ab0c4", "--url", api.url]) == codes.USAGE

    told = said(capsys)
    assert UUID in told
    assert OTHER in told


def test_a_beginning_of_no_uuid_fails(api: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    api.script(listed())

    assert main(["data", "019ab0c4", "--url", api.url]) == codes.FAILED

    assert "no job's UUID begins with 019ab0c4" in said(capsys)


@pytest.mark.parametrize(("typed", "seconds"), [("90s", 90), ("15m", 900), ("6h", 21600)])
def test_a_time_may_be_how_long_ago_it_was(typed: str, seconds: int) -> None:
    assert abs(datetime.now(UTC) - timedelta(seconds=seconds) - moment(typed)) < timedelta(days=1)
    assert moment(typed) < datetime.now(UTC) - timedelta(seconds=seconds - 1)


@pytest.mark.parametrize("typed", ["", "h", "1y", "-1h", "9" * 11 + "d", "yesterday", "1.5h"])
def test_other_times_are_refused(typed: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is not a time"):
        moment(typed)


def test_a_time_has_a_zone() -> None:
    assert moment("2026-01-31T12:00:00Z") == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert moment("2026-01-31").tzinfo is not None


def test_a_label_is_read_as_key_and_value() -> None:
    assert label("team=a=b") == ("team", "a=b")
    with pytest.raises(argparse.ArgumentTypeError, match="key=value"):
        label("team")


def test_a_listing_sends_its_filters(api: FakeApi) -> None:
    api.script(listed())

    assert main(["list", *FILTERS, "--url", api.url]) == codes.OK

    query = {name: value for name, value in api.seen[0].query.items() if name != "limit"}
    assert query == {**SENT, "endedAfter": [SENT["endedAfter"]]}


@pytest.mark.parametrize("what", ["cancel", "retry", "delete"])
def test_a_change_by_filter_sends_the_same(api: FakeApi, what: str) -> None:
    api.script(Answer(body={"changed": 2, "more": False}))

    assert main([what, *FILTERS, "--yes", "--url", api.url]) == codes.OK

    assert api.seen[0].path == f"/v1/jobs:{what}"
    assert api.seen[0].body == {"filter": SENT}


def test_one_label_with_two_values_is_refused(
    api: FakeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["list", "--label", "team=a", "--label", "team=b", "--url", api.url]

    assert main(command) == codes.USAGE

    assert api.seen == []
    assert "two values" in said(capsys)


@pytest.mark.parametrize("what", ["cancel", "retry", "delete"])
def test_a_rehearsal_names_the_jobs_and_changes_none(
    api: FakeApi, capsys: pytest.CaptureFixture[str], what: str
) -> None:
    api.route("/v1/jobs", listed(job(UUID), job(OTHER)))

    assert main([what, "--type", "Mail", "--dry-run", "--url", api.url]) == codes.OK

    printed = capsys.readouterr()
    assert [line.split()[0] for line in printed.out.splitlines()] == [UUID, OTHER]
    assert f"2 jobs would be changed by {what}; nothing was changed" in printed.err
    assert {seen.method for seen in api.seen} == {"GET"}
    states = {"cancel": "queued", "retry": "failed", "delete": "expired"}
    assert states[what] in api.seen[0].query["state"]


def test_a_rehearsal_of_named_jobs_leaves_out_those_that_cannot_change(
    api: FakeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    api.route(f"/v1/jobs/{UUID}/info", Answer(body=job(UUID)))
    api.route(f"/v1/jobs/{OTHER}/info", Answer(body=job(OTHER, "running")))

    assert main(["delete", UUID, OTHER, "--dry-run", "--json", "--url", api.url]) == codes.OK

    assert json.loads(capsys.readouterr().out) == {"wouldChange": [UUID], "more": False}


def test_deleted_jobs_are_told_as_json(api: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    api.script(Answer(204))

    assert main(["delete", UUID, "--json", "--url", api.url]) == codes.OK

    assert json.loads(capsys.readouterr().out) == [{"uuid": UUID}]


def test_a_listing_is_shown_again_and_again_on_terminals_only(
    api: FakeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["list", "--watch", "--url", api.url]) == codes.USAGE

    assert "--watch needs a terminal" in said(capsys)


LINES = [
    {"attempt": 1, "seq": 0, "time": "2026-01-31T12:00:01Z", "level": "info", "message": "begins"},
    {"attempt": 1, "seq": 1, "time": "2026-01-31T12:00:02Z", "level": "error", "message": "breaks"},
    {"attempt": 2, "seq": 0, "time": "2026-01-31T12:00:03Z", "level": "warning", "message": "slow",
     "data": {"ms": 7}},
]  # fmt: skip


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], ["begins", "breaks", "slow ms=7"]),
        (["--attempt", "1"], ["begins", "breaks"]),
        (["--level", "warning"], ["breaks", "slow ms=7"]),
        (["--level", "error", "--attempt", "2"], []),
    ],
)
@pytest.mark.parametrize("follow", [[], ["-f"]], ids=["all", "follow"])
def test_a_log_is_printed_line_by_line(
    api: FakeApi,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    expected: list[str],
    follow: list[str],
) -> None:
    page = {name: [line for line in LINES if line["level"] == name[:-1]]
            for name in ("warnings", "errors")}  # fmt: skip
    api.route(f"/v1/jobs/{UUID}/info", Answer(body={**page, "events": LINES[:1], "next": None}))
    events = [f"event: log\nid: 1-0\ndata: {json.dumps(line)}\n\n".encode() for line in LINES]
    api.route(f"/v1/jobs/{UUID}/stream", Answer(chunks=[*events, b"event: end\ndata: {}\n\n"]))

    assert main(["logs", UUID, *options, *follow, "--url", api.url]) == codes.OK

    printed = capsys.readouterr().out.splitlines()
    assert [line.split(maxsplit=2)[2] for line in printed] == expected


def test_a_log_as_json_has_an_object_per_line(
    api: FakeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    page = {"events": LINES[:1], "warnings": [], "errors": LINES[1:2], "next": None}
    api.script(Answer(body=page))

    assert main(["logs", UUID, "--json", "--url", api.url]) == codes.OK

    assert [json.loads(line) for line in capsys.readouterr().out.splitlines()] == LINES[:2]
