"""A real terminal in front of hostile jobs: nothing that they say reaches it raw.

The commands that follow and show a job run in a pseudo-terminal against a scripted API, and
`zerog dev` with jobs that print, log, return and raise hostile text.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.hostile_text import EVERYTHING, TEXTS, harm_of
from tests.scripted_api import FakeApi
from tests.unit.jobrunner.cli.test_hostile_text import UUID, stand

from zerog_tools.cluster.ports import free_port

from .terminal import Terminal

#: Systems are started in them, on machines that may be busy.
pytestmark = pytest.mark.timeout(900)

JOBS = f"""
import logging
import sys
import zerog

TEXT = {EVERYTHING!r}
print(TEXT)
print(TEXT, file=sys.stderr, flush=True)

class Hostile(zerog.Job):
    class Options: max_errors = 1
    def run(self, ctx):
        print(TEXT)
        sys.stderr.write(TEXT + "\\\\n")
        logging.getLogger("job").warning("%s", TEXT)
        ctx.info(TEXT, text=TEXT)
        raise ValueError(TEXT)
"""


@pytest.fixture
def api() -> Iterator[FakeApi]:
    fake = FakeApi()
    yield fake
    fake.close()


def plain_env() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("ZEROG_")}


def written_by(*arguments: str, folder: Path, **env: str) -> str:
    """Return all that a command writes to a terminal."""
    command = ["zerog", *arguments]
    terminal = Terminal(command, columns=60, folder=folder, env={**plain_env(), **env})
    try:
        return terminal.end()[1]
    finally:
        terminal.close()


@pytest.mark.parametrize(
    "command",
    [["watch", UUID], ["run", "T"], ["info", UUID], ["list"], ["data", UUID], ["types"]],
    ids=lambda it: it[0],
)
def test_a_terminal_gets_no_foreign_text_raw(
    api: FakeApi, tmp_path: Path, command: list[str]
) -> None:
    for text in TEXTS.values():
        stand(api, text, "failed")

        written = written_by(*command, folder=tmp_path, ZEROG_URL=api.url)

        assert written.strip()
        assert "Traceback" not in written
        assert harm_of(written) == []


def test_zerog_dev_shows_hostile_jobs_and_keeps_its_folder_to_itself(tmp_path: Path) -> None:
    (tmp_path / "jobs.py").write_text(JOBS)
    command = ["zerog", "dev", "--port", str(free_port()), "jobs.py"]
    dev = Terminal(command, columns=60, folder=tmp_path, env=plain_env())
    try:
        dev.read_until(lambda written: "ZeroG is up" in written)
        shown = written_by("run", "Hostile", folder=tmp_path)
        listed = written_by("list", folder=tmp_path)
        kept = [tmp_path / ".zerog", *(tmp_path / ".zerog").rglob("*")]
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in kept}
        dev.interrupt()
        written = dev.end()[1]
    finally:
        dev.close()

    assert "ZeroG has stopped" in written
    assert r"\u202egpj.exe" in written
    printed = [line for line in written.splitlines() if "job     | " in line]
    assert (
        len([line for line in printed if r"\x1b]52" in line]) >= 4
    )  # the imports of API and worker
    assert r"\u202egpj.exe" in shown
    assert harm_of(written) + harm_of(shown) + harm_of(listed) == []
    assert modes[".zerog"] == 0o700
    assert {"dev.json", "zerog.db", "beanstalkd.log"} <= modes.keys()
    assert {name: oct(mode) for name, mode in modes.items() if mode & 0o077} == {}
