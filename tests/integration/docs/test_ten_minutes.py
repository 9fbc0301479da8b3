"""The first ten minutes, by the letter: what the pages say, typed into terminals of a new clone.

A terminal has nothing activated, a file is where the page says, and a remark behind a command
(`# in another terminal`) says in which one it is typed. Only the port may be another one.
"""

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.docs.reader import DOCUMENTED, ROOT, blocks
from tests.integration.docs.shell import Shell

#: Systems are started in them, on machines that may be busy.
pytestmark = pytest.mark.timeout(900)

MAKE_RUN_STAYS = "ZeroG stays up."
DEV_STAYS = "^C stops everything, and keeps the data."
#: Where a page says to save its sample.
_SAVED = re.compile(
    r"(?:Save|Write) [^\n`]*`(\w+\.py)`[^`]*```python\n(.*?)^```$", re.MULTILINE | re.DOTALL
)


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder like a clone in which everything is installed that `make setup` installs."""
    folder = tmp_path / "zerog"
    folder.mkdir()
    for path in ROOT.iterdir():
        if not path.name.startswith("."):
            (folder / path.name).symlink_to(path)
    environment = folder / ".venv"
    environment.mkdir()
    for path in Path(sys.prefix).iterdir():
        if path.name != ".installed":
            (environment / path.name).symlink_to(path)
    (folder / ".venv/.installed").write_text(_installed())
    return folder


def _installed() -> str:
    """Return what `make setup` leaves when it has installed this clone's packages."""
    (want,) = re.findall(r"^want=.*$", (ROOT / "hack/bootstrap.sh").read_text(), re.MULTILINE)
    script = f'lock=requirements.lock\n{want}\necho "$want"'
    return subprocess.run(
        ["bash", "-c", script], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout


@pytest.fixture
def shells(clone: Path) -> Iterator[tuple[Shell, Shell]]:
    """Two terminals in the clone."""
    with (
        contextlib.closing(Shell(clone, os.environ)) as first,
        contextlib.closing(Shell(clone, os.environ, beside=first)) as other,
    ):
        yield first, other


def by_terminal(block: str) -> list[tuple[int, str]]:
    """Return a block's commands, each with the number of its terminal: 0, or 1 for the other."""
    at, found = 0, []
    for line in block.splitlines():
        command, _, remark = line.partition(" #")
        if "other terminal" in remark:
            at = 1
        if command.strip():
            found.append((at, command.strip()))
    return found


def start(shell: Shell, command: str, up: str) -> str:
    """Type what stays up, wait until it is, return the address that it says."""
    before = len(shell.raw)
    shell.press(f"{command}\n")
    shell.read_until(lambda raw: up in raw[before:])
    found = re.search(r"ZeroG is up\S* at http://([\d.:]+)", shell.raw[before:])
    assert found, shell.raw[before:]
    return found[1]


def save(page: str, clone: Path) -> list[str]:
    """Save a page's samples where it says, return their names."""
    found = _SAVED.findall((ROOT / page).read_text())
    for name, text in found:
        assert not (clone / name).exists(), f"{page}: {name} is already in a clone"
        (clone / name).write_text(text)
    return [name for name, _ in found]


def test_the_quickstart_by_the_letter(clone: Path, shells: tuple[Shell, Shell]) -> None:
    first, other = shells
    run, commands, call, *own = blocks("docs/quickstart.md", "sh")

    address = start(first, run.strip(), MAKE_RUN_STAYS)
    page = (ROOT / "docs/quickstart.md").read_text()
    assert "nother terminal" in page.partition(run)[2].partition(commands)[0]
    for _, command in by_terminal(commands):
        other.type(command)
    assert '{"uuid":' in other.type(call.strip().replace(DOCUMENTED, address))
    for line in first.raw.rpartition("Try next")[2].splitlines():
        if line.startswith("  ") and "browser" not in line:
            other.type(line.strip())
    after = first.stop()

    assert (clone / "mandelbrot.json").stat().st_size > 0
    assert (clone / "thumbnails.json").stat().st_size > 0
    assert "ZeroG has stopped" in after
    assert "***" not in after  # make's word for a failure
    assert "rror" not in after
    assert save("docs/quickstart.md", clone) == ["greet.py"]
    for at, command in by_terminal("".join(own)):
        if command.startswith("zerog dev"):
            start(first, command, DEV_STAYS)
        else:
            said = shells[at].type(command)
    assert "Hello, Ada!" in said
    other.press("zerog run Greet name=1\n")
    other.read_until(lambda raw: "the parameters do not fit the job type Greet" in raw)


def test_the_readme_by_the_letter(clone: Path, shells: tuple[Shell, Shell]) -> None:
    first, other = shells
    _, block = blocks("README.md", "sh")
    (sample,) = save("README.md", clone)
    assert sample in block

    for at, command in by_terminal(block):
        if command.startswith("zerog dev"):
            address = start(first, command, DEV_STAYS)
        else:
            said = shells[at].type(command.replace(DOCUMENTED, address) if at else command)

    assert '{"uuid":' in said
    assert '"made": 2' in other.raw
    assert "rror" not in first.stop()
