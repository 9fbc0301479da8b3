"""The log of `zerog dev`: lines of any length, in chunks of any size."""

import asyncio
import errno
import io
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerog.console import ShownConsole
from zerog.dev import _prepare
from zerog.devnote import FOLDER
from zerog.devparts import Part
from zerog.lines import SHOWN_BYTES, Lines
from zerog.model.errors import ConfigError


def read(chunks: list[bytes]) -> list[str]:
    lines = Lines()
    return [line for chunk in chunks for line in lines.feed(chunk)] + lines.rest()


@given(st.lists(st.text("aü€ \n"), max_size=9), st.integers(1, 5))
def test_lines_are_what_was_written_however_it_arrives(texts: list[str], size: int) -> None:
    data = "".join(texts).encode()
    *lines, rest = "".join(texts).split("\n")

    found = read([data[at : at + size] for at in range(0, len(data), size)])

    assert found == [line.rstrip() for line in [*lines, *([rest] if rest else [])]]


def test_a_long_line_is_cut_with_a_note_and_the_log_goes_on() -> None:
    data = b"x" * 3_000_000 + b"\nafter\nrest"

    long, *others = read([data[at : at + 65536] for at in range(0, len(data), 65536)])

    assert long.startswith("x" * SHOWN_BYTES + "…")
    assert f"({3_000_000 - SHOWN_BYTES:,} more bytes of this line are not shown)" in long
    assert others == ["after", "rest"]


def test_no_more_is_kept_of_a_line_than_is_shown() -> None:
    lines = Lines()
    for _ in range(100):
        lines.feed(b"x" * 65536)

    assert len(lines._begun) == SHOWN_BYTES


class Full(io.StringIO):
    """A log that nobody can write to any more."""

    def write(self, text: str) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_line_is_shown_as_it_is() -> None:
    log = io.StringIO()

    Part("api", [], {}, ShownConsole(file=log, width=20), 1.0).say(
        "took :100: ms in [bold]a[/b] " * 9
    )

    assert log.getvalue() == "api     " + "took :100: ms in [bold]a[/b] " * 9 + "\n"


def test_what_a_job_prints_cannot_pass_for_a_record() -> None:
    log = io.StringIO()

    Part("worker", [], {}, ShownConsole(file=log), 1.0).say_of_job("16:09:00 ERROR \u202e run:\tx")

    assert log.getvalue() == "job     | 16:09:00 ERROR \\u202e run:\\tx\n"


def test_a_log_that_cannot_be_written_ends_nothing() -> None:
    Part("api", [], {}, ShownConsole(file=Full()), 1.0).say("text")


@pytest.mark.parametrize("name", ["beanstalkd", "zerog.db", "beanstalkd/binlog.1", "."])
def test_a_link_in_a_cloned_folder_is_not_followed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "elsewhere").mkdir()
    link = FOLDER / name
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(tmp_path / "elsewhere")

    with pytest.raises(ConfigError, match=f"{link} is a symbolic link: remove it"):
        _prepare(FOLDER.resolve(), is_default=True)

    _prepare(tmp_path / "given", is_default=False)


def test_as_json_every_line_is_a_record() -> None:
    log = io.StringIO()
    part = Part("worker", [], {}, ShownConsole(file=log, width=20), 1.0, "json")
    part.say("stops")
    part.pass_on('{"level":"info"}')
    part.pass_on("Traceback")
    part.say_of_job("imported \u202e")

    records = [json.loads(line) for line in log.getvalue().splitlines()]
    assert [record.get("message") for record in records] == [
        "stops", None, "Traceback", "imported \u202e",
    ]  # fmt: skip
    assert [record.get("logger") for record in records] == [
        "zerog.dev", None, "zerog.dev", "zerog.job",
    ]  # fmt: skip


async def test_a_part_that_cannot_start_waits_until_somebody_restarts_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    log = io.StringIO()
    part = Part("worker", ["nonsense"], dict(os.environ), ShownConsole(file=log), 5.0)
    runs: list[int] = []
    run_once = part._run_once

    async def counted() -> int:
        runs.append(await run_once())
        return runs[-1]

    monkeypatch.setattr(part, "_run_once", counted)

    async with asyncio.timeout(120):
        for number in (1, 2):
            await part.restart()
            while not part.is_broken:
                await asyncio.sleep(0.01)
            assert runs == [2] * number
        await part.stop()
