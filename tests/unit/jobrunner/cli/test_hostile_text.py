"""No command writes foreign text so that it harms a terminal or passes for a remark of ours.

The commands are taken from the parser: a new one has to say here what it shows of others.
"""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.hostile_text import TEXTS, harm_of
from tests.scripted_api import Answer, FakeApi

from zerog.cli import unserved
from zerog.cli.main import build_parser, main

UUID = "019ab0c4-5e5a-7e5c-8a3c-0d7a6a3f1b2c"
TIME = "2026-01-31T12:00:00Z"
#: Calls of a command that shows a text that others wrote.
Calls = Callable[[FakeApi, str, Path], list[list[str]]]


def on_api(*words: str) -> Calls:
    """Return calls of a command that shows what the API answers."""

    def calls(api: FakeApi, text: str, folder: Path) -> list[list[str]]:
        plain = [*words, "--url", api.url]
        return [plain] if words[0] == "delete" else [plain, [*plain, "--json"]]

    return calls


def locally(*words: str) -> Calls:
    """Return the call of a command that is given the text, in the place of `TEXT`."""

    def calls(api: FakeApi, text: str, folder: Path) -> list[list[str]]:
        return [[word.replace("TEXT", text.replace("\0", "")) for word in words]]

    return calls


def describe(api: FakeApi, text: str, folder: Path) -> list[list[str]]:
    """Modules whose types, and whose faults, hold the text."""
    good, bad = folder / "good_for_tests.py", folder / "bad_for_tests.py"
    good.write_text(
        f"import zerog\nclass HostileText(zerog.Job):\n    __doc__ = {text!r}\n"
        "    def run(self, ctx):\n        return None\n"
    )
    bad.write_text(f"raise ValueError({text!r})\n")
    return [["describe", str(path), *more] for path in (good, bad) for more in ([], ["--json"])]


COMMANDS: dict[str, Calls] = {
    "run": on_api("run", "Hello"),
    "submit": on_api("submit", "Hello"),
    "watch": on_api("watch", UUID),
    "list": on_api("list"),
    "info": on_api("info", UUID),
    "data": on_api("data", UUID),
    "cancel": lambda api, text, folder: [
        ["cancel", UUID, "--url", api.url],
        ["cancel", "--type", text, "--yes", "--url", api.url],
    ],
    "retry": lambda api, text, folder: [
        ["retry", UUID, "--url", api.url],
        ["retry", "--type", text, "--yes", "--url", api.url],
    ],
    "delete": lambda api, text, folder: [
        ["delete", UUID, "--url", api.url],
        ["delete", "--type", text, "--dry-run", "--url", api.url],
        ["delete", UUID[:13], "--url", api.url],
    ],
    "logs": lambda api, text, folder: [
        ["logs", UUID, *more, "--url", api.url] for more in ([], ["--follow"], ["--json"])
    ],
    "types": on_api("types"),
    "queues": on_api("queues"),
    "workers": on_api("workers"),
    "usage": on_api("usage"),
    "pause": on_api("pause", "media", "--reason", "TEXT"),
    "resume": on_api("resume", "media"),
    "drain": on_api("drain", "one"),
    "undrain": on_api("undrain", "one"),
    "describe": describe,
    # What they show of jobs at work: tests/integration/cli/test_hostile_terminal.py
    "dev": locally("dev", "TEXT.py"),
    "worker": locally("worker", "TEXT.py", "--slots", "TEXT"),
    "datastore": locally("datastore", "copy", "sqlite:///TEXT", "sqlite:///other"),
    "repair": locally("repair", "--store", "sqlite:///:TEXT", "--queue-address", "TEXT"),
    "completion": locally("completion", "TEXT"),
    "api": locally("api", "--port", "TEXT"),
    "simulate": locally("simulate", "--trace", "TEXT"),
}


def job(text: str, state: str) -> dict[str, Any]:
    return {
        "uuid": UUID, "type": text, "queue": text, "state": state, "completeness": 0.5,
        "resultCode": 500, "attempt": 2, "message": text, "createdTime": TIME, "startedTime": TIME,
        "finishedTime": TIME, "data": {text: [text, 1]}, "warning": text, "cause": text,
        "labels": {text: text}, "paused": {"since": text, "by": text, "reason": text},
    }  # fmt: skip


def info(text: str, state: str) -> dict[str, Any]:
    line = {"time": TIME, "level": "info", "message": text, "attempt": 1, "seq": 0}
    end = {"startedTime": TIME, "endedTime": TIME, "worker": {"name": text}}
    return {
        **job(text, state),
        "events": [{**line, "data": {text: text, "traceback": text}}],
        "warnings": [{**line, "seq": 1, "level": text}],
        "errors": [],
        "attempts": [
            {**end, "number": 1, "cause": text, "message": f"end {text}"},
            {**end, "number": 2, "cause": "error"},
        ],
    }


def fail(api: FakeApi, text: str) -> None:
    """Let everything in the API be called by a text, and its job fail."""
    stand(api, text, "failed")


def stand(api: FakeApi, text: str, state: str | None = None) -> None:
    """Let everything in the API be called by a text, also its job's state."""
    state = text if state is None else state
    done = job(text, state)
    log = {"level": "info", "message": text, "attempt": 1, "seq": 0, "time": TIME}
    sent = [("log", log), ("log", {**log, "level": text}), ("progress", done), ("end", done)]
    chunks = [f"event: {kind}\nid: 1-0\ndata: {json.dumps(data)}\n\n".encode()
              for kind, data in sent]  # fmt: skip
    held = {"since": text, "by": text, "reason": text}
    queue = {"name": text, "unservedTypes": [text], "paused": held} | dict.fromkeys(
        ("ready", "reserved", "delayed", "buried", "arrivalPerMinute", "departurePerMinute",
         "waitingSeconds"), 1)  # fmt: skip
    kind = {"name": text, "queue": text, "description": text, "served": False,
            "schema": {"properties": {text: {}}, "required": [text]}}  # fmt: skip
    worker = {"name": text, "state": text, "running": [{"type": text, "uuid": text}], "slots": 1,
              "queues": [text], "drain": held}  # fmt: skip
    pool = {"namespace": text, "name": text, "queue": text, "ready": "False", "message": text}
    api.route("/v1/jobs", Answer(body={"jobs": [done], "next": None}))
    api.route(f"/v1/jobs/{UUID}/info", Answer(body=info(text, state)))
    api.route(f"/v1/jobs/{UUID}/stream", Answer(chunks=[*chunks]))
    api.route("/v1/types", Answer(body={"types": [kind]}))
    api.route("/v1/queues", Answer(body={"queues": [queue]}))
    api.route("/v1/workers", Answer(body={"workers": [worker]}))
    api.route("/v1/pools", Answer(body={"pools": [pool]}))
    usage = {"name": text, "queue": text, "ended": 1, "failed": 1, "busySeconds": 1.0}
    usage |= dict.fromkeys(("run50Seconds", "run95Seconds", "cpu50Seconds", "cpu95Seconds",
                            "peak50Bytes", "peak99Bytes"), 1)  # fmt: skip
    api.route("/v1/stats", Answer(body={"types": [usage]}))
    for path in ("/v1/queues/media:pause", "/v1/queues/media:resume"):
        api.route(path, Answer(body={"name": text, "paused": held}))
    for path in ("/v1/workers/one:drain", "/v1/workers/one:undrain"):
        api.route(path, Answer(body={"name": text, "drain": held}))
    changed = {"changed": 1, "more": True}
    for what in ("cancel", "retry", "delete"):
        api.route(f"/v1/jobs:{what}", Answer(body=changed))
    api.script(Answer(body={**done, **kind}))


def refuse(api: FakeApi, text: str) -> None:
    """Let the API refuse everything in these words."""
    api.forget_routes()
    fault = {"path": text, "message": text}
    problem = {"status": 400, "code": text, "detail": text, "title": text, "errors": [fault]}
    api.script(Answer(400, problem))


def redirect(api: FakeApi, text: str) -> None:
    """Let the API send everybody elsewhere: a header may have C1, and neither C0 nor others."""
    api.forget_routes()
    place = ascii(text).strip("'\"")
    api.script(Answer(307, headers={"Location": f"http://127.0.0.1/\x9b2J{place}"}))


ANSWERS = (fail, stand, refuse, redirect)


def names_of_commands() -> set[str]:
    parser = build_parser()
    (found,) = [it for it in parser._actions if isinstance(it, argparse._SubParsersAction)]
    return set(found.choices)


def test_no_command_is_forgotten() -> None:
    assert COMMANDS.keys() == names_of_commands()


@pytest.mark.parametrize("look", ["pipe", "terminal"])
@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
@pytest.mark.parametrize("name", COMMANDS)
def test_no_command_writes_foreign_text_raw(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str], name: str, text: str, look: str,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(unserved, "PATIENCE_SECONDS", 0.0)
    if look == "terminal":
        monkeypatch.setenv("FORCE_COLOR", "1")
    calls = COMMANDS[name](api, text, tmp_path)
    asks_the_api = any("--url" in arguments for arguments in calls)

    for answer in ANSWERS if asks_the_api else ANSWERS[:1]:
        answer(api, text)
        for arguments in calls:
            main(arguments)

            printed = capfd.readouterr()
            assert printed.out + printed.err
            assert harm_of(printed.out) + harm_of(printed.err) == [], (answer, arguments)
            if "--json" in arguments and printed.out:
                for part in printed.out.splitlines() if name == "logs" else [printed.out]:
                    json.loads(part)
