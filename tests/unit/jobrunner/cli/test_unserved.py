"""Somebody who waits for a job that no worker serves is told so, once, and when one has come."""

import json
from typing import Any

import pytest
from tests.scripted_api import Answer, Chunk, FakeApi

from zerog.cli import codes, unserved
from zerog.cli.main import main
from zerog.cli.unserved import UnservedWatch
from zerog.client import AsyncClient

UUID = "019ab0c4-5e5a-7e5c-8a3c-0d7a6a3f1b2c"
QUEUED = {"uuid": UUID, "state": "queued", "completeness": 0, "resultCode": -1, "attempt": 0}
RUNNING = {**QUEUED, "state": "running", "attempt": 1}
DONE = {**RUNNING, "state": "succeeded", "completeness": 1.0, "resultCode": 200}
CANCELLED = {**QUEUED, "state": "cancelled", "resultCode": 410}
JOB = f"/v1/jobs/{UUID}"
NOBODY = "no worker serves the type Hello of the queue mail"
SOMEBODY = "a worker now serves the type Hello"
TYPE = "/v1/types/Hello"
POOL = {"namespace": "shop", "name": "letters", "queue": "mail", "ready": "True", "message": ""}


def sent(kind: str, data: dict[str, Any]) -> bytes:
    return f"event: {kind}\nid: 1-0\ndata: {json.dumps(data)}\n\n".encode()


def served(value: bool | None, queue: str = "mail", **more: Any) -> Answer:
    version = {"queue": queue, "served": value, "schemaHash": "3fa9c1d2"}
    return Answer(body={"name": "Hello", **version, **more})


@pytest.fixture
def waiting(api: FakeApi, monkeypatch: pytest.MonkeyPatch) -> FakeApi:
    """An API with a queued job, and commands that look all the time."""
    for name in ("PATIENCE_SECONDS", "UNSERVED_SECONDS", "SERVED_SECONDS"):
        monkeypatch.setattr(unserved, name, 0.01)
    api.route("/v1/jobs/Hello", Answer(201, {"uuid": UUID, "warning": "a warning"}))
    api.route(
        f"{JOB}/info",
        Answer(body={**QUEUED, "type": "Hello", "queue": "mail", "schemaHash": "3fa9c1d2"}),
    )
    api.route(f"{JOB}/progress", Answer(body=QUEUED))
    api.route(f"{JOB}/data", Answer(body={"data": None}))
    api.route("/v1/pools", Answer(body={"pools": []}))
    api.route("/v1/queues", Answer(body={"queues": []}))
    api.route("/v1/workers", Answer(body={"workers": []}))
    end_after(api, 4)
    return api


def stream(api: FakeApi, *chunks: Chunk) -> None:
    api.route(f"{JOB}/stream", Answer(chunks=list(chunks)))


def end_after(api: FakeApi, looks: int) -> None:
    """Let the job be cancelled when whether it is served was looked at so often."""
    looked = api.asked(TYPE, looks)
    stream(api, sent("progress", QUEUED), looked, sent("end", CANCELLED))
    api.route(f"{JOB}/progress?wait=20.0", Answer(body=CANCELLED, after=looked))


def test_who_waits_is_told_that_the_queue_is_paused_and_that_it_is_resumed(
    waiting: FakeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    held = {"since": None, "by": "ada", "reason": "no disk"}
    paused, resumed = (
        Answer(body={"queues": [{"name": "mail", "paused": it}]}) for it in (held, None)
    )
    waiting.route(TYPE, served(True))
    waiting.route("/v1/queues", resumed, paused, paused, resumed)
    end_after(waiting, 6)

    main(["watch", UUID, "--url", waiting.url])

    said = capsys.readouterr().err
    assert said.count("the queue mail is paused, by ada: no disk") == 1
    assert said.count("the queue mail was resumed") == 1


@pytest.mark.parametrize("command", [["watch", UUID], ["run", "Hello"]])
@pytest.mark.parametrize("quiet", [[], ["--json"]], ids=["people", "json"])
def test_whoever_waits_is_told_once_that_no_worker_serves_the_job(
    waiting: FakeApi, capsys: pytest.CaptureFixture[str], command: list[str], quiet: list[str]
) -> None:
    waiting.route(TYPE, served(False))

    assert main([*command, *quiet, "--url", waiting.url]) == codes.CANCELLED

    printed = capsys.readouterr()
    assert printed.err.count(f"{NOBODY}: start one, e.g. `zerog worker MODULE`") == 1
    assert json.loads(printed.out or "{}").get("state") == ("cancelled" if quiet else None)


def test_whoever_waits_is_told_that_no_worker_serves_the_version_of_the_job(
    waiting: FakeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = {"schemaHash": "3fa9c1d2", "queue": "mail", "served": False}
    waiting.route(TYPE, served(True, schemaHash="81c0de00", otherVersions=[ours]))

    main(["watch", UUID, "--url", waiting.url])

    assert capsys.readouterr().err.count("no worker serves Hello@3fa9c1, the version") == 1


def test_it_is_said_above_a_bar_too(
    waiting: FakeApi, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    waiting.route(TYPE, served(False))

    main(["watch", UUID, "--url", waiting.url])

    assert capsys.readouterr().err.count(NOBODY) == 1


async def test_whoever_was_told_is_told_that_a_worker_has_come(waiting: FakeApi) -> None:
    waiting.route(TYPE, served(False), served(None), served(True))
    said: list[str] = []

    async with AsyncClient(waiting.url) as client:
        await UnservedWatch(client, UUID, said.append).run()

    assert said == [f"{NOBODY}: start one, e.g. `zerog worker MODULE`", SOMEBODY]


def test_a_job_that_starts_has_a_worker(
    waiting: FakeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    waiting.route(TYPE, served(False))
    rest = [sent("progress", RUNNING), sent("progress", DONE), sent("end", DONE)]
    stream(waiting, sent("progress", QUEUED), waiting.asked(TYPE, 4), *rest)

    assert main(["watch", UUID, "--url", waiting.url]) == codes.OK

    assert capsys.readouterr().err.count(SOMEBODY) == 1


@pytest.mark.parametrize(
    "answer",
    [
        served(True),
        served(None),
        served(False, queue="another"),
        Answer(body={"name": "Hello", "queue": "mail"}),
        Answer(403, {"status": 403, "code": "forbidden", "detail": "no"}),
        Answer(404, {"status": 404, "code": "unknown-type", "detail": "no"}),
        Answer(body=[]),
    ],
    ids=["served", "unknown", "moved", "older API", "no right", "unregistered", "nonsense"],
)
def test_what_is_not_known_for_sure_is_not_said(
    waiting: FakeApi, capsys: pytest.CaptureFixture[str], answer: Answer
) -> None:
    waiting.route(TYPE, answer)

    main(["watch", UUID, "--url", waiting.url])

    said = capsys.readouterr().err
    assert "no worker" not in said
    assert SOMEBODY not in said


def test_a_job_that_runs_is_not_said_to_be_unserved(
    waiting: FakeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    # Its worker drains, so that it takes no other.
    waiting.route(TYPE, served(False))
    waiting.route(f"{JOB}/progress", Answer(body=RUNNING))

    main(["watch", UUID, "--json", "--url", waiting.url])

    assert "no worker" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("pool", "told"),
    [
        ({}, "yet; the pool shop/letters starts workers for it\n"),
        ({"ready": "False", "message": "no such image"}, "but is not ready: no such image\n"),
        ({"unservedTypes": ["Hello"]}, ": start one, e.g. `zerog worker MODULE`\n"),
        ({"queue": "another"}, ": start one, e.g. `zerog worker MODULE`\n"),
    ],
    ids=["ready", "not ready", "another image", "another queue"],
)
def test_a_pool_that_will_start_a_worker_is_named(
    waiting: FakeApi, capsys: pytest.CaptureFixture[str], pool: dict[str, Any], told: str
) -> None:
    waiting.route(TYPE, served(False))
    waiting.route("/v1/pools", Answer(body={"pools": [{**POOL, **pool}]}))

    main(["watch", UUID, "--url", waiting.url])

    said = capsys.readouterr().err
    assert NOBODY in said
    assert told in said


def test_who_does_not_wait_is_warned_at_once(
    waiting: FakeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["submit", "Hello", "--url", waiting.url]) == codes.OK

    printed = capsys.readouterr()
    assert printed.out == f"{UUID}\n"
    assert printed.err == "zerog: warning: a warning\n"


def test_a_warning_leaves_json_alone(waiting: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    main(["submit", "Hello", "--json", "--url", waiting.url])

    printed = capsys.readouterr()
    assert json.loads(printed.out) == {"uuid": UUID}
    assert "a warning" in printed.err


def test_a_worker_that_is_there_in_time_is_not_worth_a_word(
    waiting: FakeApi, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unserved, "PATIENCE_SECONDS", 60.0)
    waiting.route(TYPE, served(False))
    stream(waiting, sent("progress", RUNNING), sent("end", DONE))

    assert main(["run", "Hello", "--url", waiting.url]) == codes.OK

    said = capsys.readouterr().err
    assert "worker" not in said
    assert "a warning" not in said
