"""Which API a command talks to: one that was named. A token goes to no address of a folder."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from tests.scripted_api import Answer, FakeApi

from zerog.cli import codes
from zerog.cli.main import main
from zerog.client import network
from zerog.devnote import FOLDER, NAME, DevNote, read_note, write_note
from zerog.model.errors import ConfigError
from zerog.privatefile import make_folder
from zerog_tools.cluster.ports import free_port

UUID = "019ab0c4-5e5a-7e5c-8a3c-0d7a6a3f1b2c"
TOKEN = "a-token-that-is-long-enough"
#: Commands that ask the API, reading and changing.
COMMANDS = [
    ["list"], ["types"], ["queues"], ["workers"], ["info", UUID], ["data", UUID], ["watch", UUID],
    ["run", "T"], ["submit", "T"], ["cancel", UUID], ["cancel", "--state", "queued", "--yes"],
    ["retry", "--state", "failed", "--yes"], ["delete", UUID],
]  # fmt: skip


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder, without settings."""
    for name in [name for name in os.environ if name.startswith("ZEROG_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(network, "_warned", set())
    return tmp_path


def note(url: str, **more: Any) -> None:
    """Leave a note as `zerog dev` does."""
    make_folder(FOLDER)
    write_note(FOLDER, DevNote(url, os.getpid(), "127.0.0.1:1"))
    if more:
        found = json.loads((FOLDER / NAME).read_text())
        (FOLDER / NAME).write_text(json.dumps({**found, **more}))


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_without_an_address_no_command_guesses_one(
    command: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command) == codes.USAGE

    said = capsys.readouterr().err
    assert "No `zerog dev` runs in this folder" in said
    assert "ZEROG_URL" in said


@pytest.mark.parametrize("given", ["ZEROG_TOKEN", "ZEROG_TOKEN_FILE"])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_token_is_never_sent_to_an_address_that_a_folder_names(
    api: FakeApi, folder: Path, command: list[str], given: str, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    file = folder / "token"
    file.touch(mode=0o600)
    file.write_text(TOKEN)
    monkeypatch.setenv(given, TOKEN if given == "ZEROG_TOKEN" else str(file))
    note(api.url)
    api.script(Answer(400, {"code": "no", "detail": "no"}))

    main(command)

    assert api.seen
    assert not [seen for seen in api.seen if "authorization" in seen.headers]
    assert not [seen for seen in api.seen if TOKEN in repr(seen)]
    assert capsys.readouterr().err.count(f"no token is sent to {api.url}") == 1


def test_a_token_is_sent_to_an_address_that_was_given(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZEROG_TOKEN", TOKEN)
    note("http://127.0.0.1:1")
    api.script(Answer(body={"types": []}))

    assert main(["types", "--url", api.url]) == codes.OK

    assert api.seen[0].headers["authorization"] == f"Bearer {TOKEN}"


@pytest.mark.parametrize(
    "url",
    [
        "http://attacker.invalid",
        "https://127.0.0.1:1",
        "http://127.0.0.1.attacker.invalid",
        "http://127.0.0.1@attacker.invalid",
        "http://attacker.invalid#@127.0.0.1",
        "http://user:password@127.0.0.1:1",
        "http://api.localhost:1",
        "http://0.0.0.0:1",
        "http://10.0.0.1",
        "http://[::ffff:10.0.0.1]",
        "file:///etc/passwd",
        "//127.0.0.1",
        "",
    ],
)
def test_a_note_that_names_another_place_is_refused_with_what_to_do(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    note(url)

    assert main(["types"]) == codes.USAGE

    said = capsys.readouterr().err
    assert ".zerog/dev.json names" in said
    assert "it is not used" in said
    assert "--url or ZEROG_URL" in said


def test_a_note_of_https_is_refused_for_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    note("https://127.0.0.1:1")

    assert main(["types"]) == codes.USAGE

    said = capsys.readouterr().err
    assert "begins with http://" in said
    assert "not this machine" not in said


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "localhost", "[::1]"])
def test_a_note_of_this_machine_is_used(host: str) -> None:
    note(f"http://{host}:1")

    found = read_note()

    assert found is not None
    assert found.url == f"http://{host}:1"


@pytest.mark.parametrize("pid", [0, -1, 1.5, True, "1", None, 2**70])
def test_a_note_of_no_process_is_none(pid: object) -> None:
    note("http://127.0.0.1:1", pid=pid)

    assert read_note() is None


def clone_mode(folder: Path) -> None:
    """What `git clone` makes."""
    (FOLDER / NAME).chmod(0o644)


def link_file(folder: Path) -> None:
    (FOLDER / NAME).rename(folder / "elsewhere")
    (FOLDER / NAME).symlink_to(folder / "elsewhere")


def link_folder(folder: Path) -> None:
    FOLDER.rename(folder / "elsewhere")
    FOLDER.symlink_to(folder / "elsewhere")


def open_folder(folder: Path) -> None:
    FOLDER.chmod(0o777)


def other_owner(folder: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root to give a file away")
    os.chown(FOLDER / NAME, 12345, 12345)


@pytest.mark.parametrize("spoil", [clone_mode, link_file, link_folder, open_folder, other_owner])
def test_a_note_that_somebody_else_may_have_written_is_refused(
    spoil: Any, folder: Path, api: FakeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    note(api.url)
    spoil(folder)

    assert main(["submit", "T", "secret=parameter"]) == codes.USAGE

    assert api.seen == []
    assert "is not used" in capsys.readouterr().err


def test_a_pipe_in_the_place_of_the_note_holds_nobody(folder: Path) -> None:
    make_folder(FOLDER)
    os.mkfifo(FOLDER / NAME, 0o600)

    assert read_note() is None


def test_an_old_zerog_dev_that_has_ended_is_not_used(folder: Path) -> None:
    note(f"http://127.0.0.1:{free_port()}", pid=2**22 + 1)

    assert read_note() is None


@pytest.mark.parametrize("command", [["run", "T"], ["submit", "T"], ["types"]], ids=" ".join)
def test_a_token_that_travels_in_the_clear_is_warned_of_once(
    command: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    monkeypatch.setenv("ZEROG_TOKEN", TOKEN)
    # The proxy's address is none: nothing is sent.
    monkeypatch.setenv("http_proxy", "nonsense://x")

    assert main([*command, "--url", "http://api.invalid"]) == codes.USAGE

    said = capsys.readouterr().err
    assert said.count("the token is sent to api.invalid over http") == 1
    assert "also the proxy of http_proxy" in said
    assert TOKEN not in said
    assert caplog.records == []


def test_a_folder_that_is_not_read_is_named() -> None:
    note("http://attacker.invalid")

    with pytest.raises(ConfigError, match=r"\.zerog/dev\.json names http://attacker\.invalid"):
        read_note()
