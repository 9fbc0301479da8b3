"""The commands in a terminal: a bar that moves, nothing that floods the screen, words that say
what has happened."""

import json
import re
from pathlib import Path

import pytest

from .conftest import Dev
from .terminal import Terminal

#: Systems are started in them, on machines that may be busy.
pytestmark = pytest.mark.timeout(900)

ESCAPES = re.compile(r"\x1b\[[0-9;?]*[a-zA-Z]")


def shown(dev: Dev, *arguments: str, columns: int = 80, code: int = 0) -> str:
    """Call the command in a terminal, return all that was on its screen, without colours."""
    command = ["zerog", *arguments]
    terminal = Terminal(command, columns=columns, folder=dev.folder, env=dev.env)
    try:
        ended, written = terminal.end()
    finally:
        terminal.close()
    assert ended == code, written
    return ESCAPES.sub("", written).replace("\r\n", "\n")


@pytest.mark.parametrize("columns", [40, 80])
def test_a_bar_follows_the_job_and_fits_the_terminal(dev: Dev, columns: int) -> None:
    screen = shown(dev, "run", "Hello", "name=Ada", "seconds=2", columns=columns)

    frames = [frame for frame in re.split(r"[\r\n]+", screen) if "━" in frame]
    assert max(map(len, frames)) < columns  # a ^C behind it stays in its line
    assert frames[-1].startswith("succeeded")
    assert "100%" in frames[-1]
    assert "greeted Ada" in screen
    assert '"Hello, Ada."' in screen


def test_an_end_is_said_once(dev: Dev) -> None:
    uuid = dev.submit("Hello", "name=Kim", "--delay", "3600")

    assert dev.run("cancel", uuid) == f"{uuid} cancelled\n"
    assert "cancelled: cancelled" not in dev.run("watch", uuid, code=5)


def test_a_job_that_runs_is_asked_to_stop(dev: Dev) -> None:
    uuid = dev.submit("Stubborn")
    dev.wait_until(lambda: dev.state(uuid) == "running")

    assert dev.run("cancel", uuid) == f"{uuid} running: it was asked to stop\n"


def test_large_data_does_not_flood_a_terminal_and_is_whole_in_a_pipe(dev: Dev) -> None:
    screen = shown(dev, "run", "Large")
    (uuid,) = re.findall(r"zerog data ([0-9a-f-]{36}) -o FILE", screen)

    assert "(100,000 characters)" in screen
    assert len(screen) < 5_000
    assert json.loads(dev.run("data", uuid)) == {"text": "x" * 100_000}


def test_a_file_that_was_written_is_named(dev: Dev) -> None:
    said = dev.run("run", "Large", "-o", "large.json")
    uuid = dev.json("list", "--type", "Large", "-n", "1")[0]["uuid"]
    again = dev.run("data", uuid, "-o", "again.json")

    assert "the output is in large.json (100,013 bytes)" in said
    assert "the output is in again.json (100,013 bytes)" in again
    written = [Path(dev.folder, name).read_text() for name in ("large.json", "again.json")]
    assert [json.loads(text) for text in written] == [{"text": "x" * 100_000}] * 2
    assert "the output is in" not in dev.run("run", "Large", "-o", "large.json", "--json")


def test_a_narrow_terminal_cuts_no_uuid(dev: Dev) -> None:
    uuid = dev.submit("Hello", "name=Eve")
    dev.run("watch", uuid)

    assert uuid in shown(dev, "list", columns=40)


def test_errors_are_folded_between_words(dev: Dev) -> None:
    screen = shown(dev, "run", "Hallo", columns=40, code=1)

    assert "did you mean Hello?" in " ".join(screen.split())
    assert all(len(line) <= 40 for line in screen.splitlines() if not line.startswith(" "))
