"""The command where standard input, output and error, or its arguments, are odd: clear words and an
exit code, never a traceback."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.processes import run_zerog
from tests.scripted_api import Answer, FakeApi

UUID = "019ab0c4-5e5a-7e5c-8a3c-0d7a6a3f1b2c"
#: Python's JSON as text, letters that latin-1 has, has not, and half a letter.
DATA = {"text": "é € \U0001f600 \u2028 \x85 \ud83d"}
DONE = {"uuid": UUID, "state": "failed", "completeness": 0.5, "resultCode": 500, "attempt": 1,
        "message": "kein Glück: € \U0001f600"}  # fmt: skip
SUCCEEDED = {**DONE, "state": "succeeded", "resultCode": 200, "data": DATA}
JOB = {**DONE, "type": "Grüße", "createdTime": "2026-01-31T12:00:00Z"}
LINE = {"level": "warning", "message": "Größe € \U0001f600 \ud83d", "attempt": 1, "seq": 0}
STREAM = [("log", LINE), ("progress", DONE), ("end", DONE)]
DEADLINE_SECONDS = 240.0


@pytest.fixture
def api() -> Iterator[FakeApi]:
    fake = FakeApi()
    yield fake
    fake.close()


def zerog(
    api: FakeApi, *arguments: str | bytes, redirect: str = "", **env: str
) -> subprocess.CompletedProcess[bytes]:
    """Call the command in a shell, so that its streams can be redirected."""
    plain = {name: value for name, value in os.environ.items()
             if not name.startswith(("ZEROG_", "LC_", "PYTHONIO", "PYTHONUNBUF"))}  # fmt: skip
    done = subprocess.run(
        ["sh", "-c", f'"$@" {redirect}', "sh", sys.executable, "-m", "zerog", *arguments],
        capture_output=True, timeout=DEADLINE_SECONDS, env={**plain, "ZEROG_URL": api.url, **env},
    )  # fmt: skip
    assert b"Traceback" not in done.stderr, done.stderr.decode()
    assert b"Exception ignored" not in done.stderr, done.stderr.decode()
    return done


def forked(api: FakeApi, *arguments: str | bytes) -> subprocess.CompletedProcess[str]:
    """Call the command with odd arguments, and nothing else that is odd."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("ZEROG_")}
    done = run_zerog([os.fsdecode(argument) for argument in arguments],
                     env={**plain, "ZEROG_URL": api.url}, timeout=DEADLINE_SECONDS)  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done


def commands() -> dict[str, tuple[Answer, list[str]]]:
    """Return commands that print what a job says, and what the API answers."""
    chunks = [f"event: {kind}\nid: 1-0\ndata: {json.dumps(data)}\n\n".encode()
              for kind, data in STREAM]  # fmt: skip
    info = {**JOB, "queue": "default", "events": [], "warnings": [], "errors": [], "attempts": []}
    line = {**LINE, "time": "2026-01-31T12:00:00Z"}
    return {
        "data": (Answer(body=SUCCEEDED), ["data", UUID]),
        "data --json": (Answer(body=SUCCEEDED), ["data", UUID, "--json"]),
        "list": (Answer(body={"jobs": [JOB], "next": None}), ["list"]),
        "info": (Answer(body={**info, "warnings": [line]}), ["info", UUID]),
        "watch": (Answer(chunks=[*chunks]), ["watch", UUID]),
        "help": (Answer(), ["run", "--help"]),
        "error": (Answer(404, {"code": "unknown-job", "detail": "kein Job € \ud83d"}),
                  ["info", UUID]),
    }  # fmt: skip


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
@pytest.mark.parametrize("name", commands())
def test_a_terminal_may_lack_letters(api: FakeApi, name: str, encoding: str) -> None:
    answer, arguments = commands()[name]
    api.script(answer)

    done = zerog(api, *arguments, PYTHONIOENCODING=encoding)

    assert done.returncode == (1 if name in ("watch", "error") else 0)
    if name.startswith("data"):
        assert json.loads(done.stdout.decode(encoding)) == DATA


ASCII_ONLY = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def test_a_c_locale_is_a_terminal_too(api: FakeApi) -> None:
    api.script(Answer(body=SUCCEEDED))

    done = zerog(api, "data", UUID, **ASCII_ONLY)

    assert json.loads(done.stdout) == DATA


def test_arguments_in_utf_8_are_read_in_a_c_locale(api: FakeApi) -> None:
    api.script(Answer(201, {"uuid": UUID}))

    done = zerog(api, "submit", "T", "text=ü", 'list=["€"]', "--key", "ü", **ASCII_ONLY)

    assert done.returncode == 0, done.stderr
    assert api.seen[0].body == {"text": "ü", "list": ["€"]}
    assert api.seen[0].headers["idempotency-key"].encode("latin-1").decode() == "ü"


def test_data_is_written_into_a_file_with_any_letters(api: FakeApi, tmp_path: Path) -> None:
    api.script(Answer(body=SUCCEEDED))

    zerog(api, "data", UUID, "-o", str(tmp_path / "file"))

    assert json.loads((tmp_path / "file").read_text(encoding="utf-8")) == DATA


@pytest.mark.parametrize("name", ["data", "list", "help"])
def test_output_that_cannot_be_written_is_an_error(api: FakeApi, name: str) -> None:
    answer, arguments = commands()[name]
    api.script(answer)

    done = zerog(api, *arguments, redirect=">/dev/full")

    assert done.returncode == 1
    assert b"No space left on device" in done.stderr


@pytest.mark.parametrize("redirect", [">&-", "2>&-", "2>/dev/full", "<&- >&- 2>&-", "<&-"])
@pytest.mark.parametrize("name", commands())
def test_streams_may_be_closed(api: FakeApi, name: str, redirect: str) -> None:
    answer, arguments = commands()[name]
    api.script(answer)

    done = zerog(api, *arguments, redirect=redirect)

    assert done.returncode == (1 if name in ("watch", "error") else 0)


@pytest.mark.parametrize("arguments", [
    ["run", b"\xe9"],
    ["run", "T", b"text=\xe9"],
    ["run", "T", b"\xe9=1"],
    ["run", "T", "--key", b"\xe9"],
    ["list", "--type", b"\xe9"],
    ["cancel", "--queue", b"\xe9"],
    ["info", b"\xe9"],
    ["list", "--url", b"http://127.0.0.1:1/\xe9"],
    [b"\xe9"],
    ["run", "T", "--key", "two\nlines"],
    ["run", "T", "--key", ""],
    ["run", "T", b"text=@\xe9"],
    ["list", "--url", "http://" + "a" * 70],
    ["dev", "jobs.py", "--port", "70000"],
    ["dev", "jobs.py", "--queue-port", "-1"],
    ["api", "--port", "9" * 5000],
    ["list", "-n", "9" * 5000],
])  # fmt: skip
def test_arguments_that_cannot_be_sent_are_wrong_usage(
    api: FakeApi, arguments: list[str | bytes]
) -> None:
    done = forked(api, *arguments)

    assert done.returncode == 2, done.stderr
    assert "zerog" in done.stderr
    assert api.seen == []


NUMBER = "9" * 5000


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("NaN", "NaN"),
        ("[Infinity]", "[Infinity]"),
        ("1e999", "1e999"),
        (NUMBER, NUMBER),
        ("[" * 100_000, "[" * 100_000),
        ("ü", "ü"),
        ("1.5", 1.5),
        ('{"a": null}', {"a": None}),
    ],
    ids=range(8),
)
def test_what_is_not_json_is_text(api: FakeApi, text: str, value: Any) -> None:
    api.script(Answer(201, {"uuid": UUID}))

    done = forked(api, "submit", "T", f"text={text}", "--key", "Schlüssel")

    assert done.returncode == 0, done.stderr
    assert api.seen[0].body == {"text": value}
    assert api.seen[0].headers["idempotency-key"].encode("latin-1").decode() == "Schlüssel"


@pytest.mark.parametrize("text", ['{"a": NaN}', '{"a": 1e999}', f'{{"a": {NUMBER}}}', "[" * 100000])
def test_a_file_that_is_not_json_is_wrong_usage(api: FakeApi, tmp_path: Path, text: str) -> None:
    (tmp_path / "params").write_text(text)

    done = forked(api, "submit", "T", "--params", str(tmp_path / "params"))

    assert done.returncode == 2
    assert "is not JSON" in done.stderr


def test_bytes_on_standard_input_that_are_no_text_are_wrong_usage(
    api: FakeApi, tmp_path: Path
) -> None:
    (tmp_path / "params").write_bytes(b'{"a": "\xff"}')

    done = zerog(api, "submit", "T", "--params", "-", redirect=f"<{tmp_path}/params")

    assert done.returncode == 2
    assert b"- is not JSON" in done.stderr


def test_half_a_letter_in_a_parameter_is_named(api: FakeApi) -> None:
    done = zerog(api, "submit", "T", 'text="\\ud83d"')

    assert done.returncode == 1
    assert b"$.text has no JSON form" in done.stderr


@pytest.mark.parametrize("env", [
    {"http_proxy": "http://127.0.0.1:1"},
    {"ALL_PROXY": "socks5://127.0.0.1:1"},
    {"SSL_CERT_FILE": "/no/such/file"},
    {"SSLKEYLOGFILE": "/no/such/file"},
    {"ZEROG_URL": "http://zerog.invalid", "ALL_PROXY": "socks5://127.0.0.1:1"},
    {"ZEROG_URL": "https://zerog.invalid", "SSL_CERT_FILE": "/no/such/file"},
    {"ZEROG_TOKEN": "zwölf"},
])  # fmt: skip
def test_the_environment_is_used_or_its_fault_is_named(api: FakeApi, env: dict[str, str]) -> None:
    api.script(Answer(body={"jobs": [], "next": None}))

    done = zerog(api, "list", **env)

    wrong = "ZEROG_URL" in env or "ZEROG_TOKEN" in env
    assert done.returncode == (2 if wrong else 0), done.stderr
