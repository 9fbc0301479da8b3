"""The commands that hold work: what they ask of the API, and what they say."""

import json
from typing import Any

import pytest
from tests.scripted_api import Answer, FakeApi

from zerog.cli import codes
from zerog.cli.main import main

HELD = {"since": "2026-01-31T12:00:00Z", "by": "ada", "reason": "the disk is full"}
QUEUE = {"name": "media", "paused": HELD}
WORKER = {"name": "one", "drain": {"since": None, "by": None, "reason": None}}


@pytest.mark.parametrize(
    ("arguments", "path", "body", "answer", "printed"),
    [
        (["pause", "media", "--reason", "the disk is full"], "/v1/queues/media:pause",
         {"reason": "the disk is full"}, QUEUE,
         "the queue media is paused since 2026-01-31T12:00:00Z, by ada: the disk is full\n"),
        (["pause", "media"], "/v1/queues/media:pause", None, QUEUE,
         "the queue media is paused since 2026-01-31T12:00:00Z, by ada: the disk is full\n"),
        (["resume", "media"], "/v1/queues/media:resume", None, {"name": "media", "paused": None},
         "the queue media is not paused: workers take its jobs\n"),
        (["drain", "one"], "/v1/workers/one:drain", None, WORKER, "the worker one drains\n"),
        (["undrain", "one"], "/v1/workers/one:undrain", None, {"name": "one", "drain": None},
         "the worker one takes new jobs\n"),
    ],
)  # fmt: skip
def test_a_command_asks_for_one_thing_and_says_what_holds_now(
    api: FakeApi,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    path: str,
    body: Any,
    answer: dict[str, Any],
    printed: str,
) -> None:
    api.script(Answer(body=answer), Answer(body=answer))

    assert main([*arguments, "--url", api.url]) == codes.OK
    assert capsys.readouterr().out == printed
    assert main([*arguments, "--json", "--url", api.url]) == codes.OK
    assert json.loads(capsys.readouterr().out) == answer

    assert {(seen.method, seen.path) for seen in api.seen} == {("POST", path)}
    assert [seen.body or None for seen in api.seen] == [body, body]


def test_a_queue_that_does_not_exist_is_an_error_with_a_hint(
    api: FakeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    problem = {"status": 404, "code": "unknown-queue", "detail": "there is no queue 'medai'"}
    api.script(Answer(404, problem))

    assert main(["pause", "medai", "--url", api.url]) == codes.FAILED
    assert "zerog queues" in capsys.readouterr().err


def test_listings_say_what_is_held_and_how_to_let_it_go(
    api: FakeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers = dict.fromkeys(
        ("ready", "reserved", "delayed", "buried", "arrivalPerMinute", "departurePerMinute"), 1
    )
    queue = {**QUEUE, **numbers, "waitingSeconds": None, "unservedTypes": None}
    worker = {"name": "one", "state": "draining", "running": [], "slots": 1, "queues": ["media"]}
    api.route("/v1/queues", Answer(body={"queues": [queue]}))
    api.route("/v1/workers", Answer(body={"workers": [{**worker, "drain": HELD}]}))

    assert main(["queues", "--url", api.url]) == codes.OK
    printed = capsys.readouterr()
    assert printed.out.splitlines()[1].split("\t")[-3:] == ["-", "paused", "-"]
    assert "the queue media is paused since" in printed.err
    assert "\n  zerog resume media\n" in printed.err

    assert main(["workers", "--url", api.url]) == codes.OK
    assert "\n  zerog undrain one\n" in capsys.readouterr().err
