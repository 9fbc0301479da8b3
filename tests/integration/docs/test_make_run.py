"""`make run`: one job after the other, one list of what to try next, and a clean end."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.integration.cli.terminal import Terminal
from tests.integration.docs.reader import DEADLINE_SECONDS, ROOT

from zerog.queue.beanstalk.server import free_port

#: Systems are started in them, on machines that may be busy.
pytestmark = pytest.mark.timeout(900)

STAYS = "ZeroG stays up"


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """An environment in which it uses a folder and a port of its own."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("ZEROG_")}
    return {**plain, "DATA": str(tmp_path / "data"), "PORT": str(free_port())}


@pytest.fixture
def stays(env: dict[str, str]) -> Iterator[Terminal]:
    """`make run` in a terminal, when it has run its jobs and stays up."""
    terminal = Terminal(["make", "-s", "run"], columns=80, folder=ROOT, env=env)
    try:
        terminal.read_until(lambda written: STAYS in written)
        yield terminal
    finally:
        terminal.close()


def test_without_a_terminal_it_ends_after_its_jobs(env: dict[str, str], tmp_path: Path) -> None:
    result = subprocess.run(
        ["bash", "hack/run.sh"], cwd=ROOT, env=env, capture_output=True, text=True,
        timeout=DEADLINE_SECONDS,
    )  # fmt: skip

    assert result.returncode == 0, result.stdout + result.stderr
    assert (tmp_path / "data/mandelbrot.json").stat().st_size > 0
    assert (result.stdout + result.stderr).count("in another terminal") == 1
    assert "RUN_ONCE=0" in result.stdout.splitlines()[-1]
    (picture,) = re.findall(r"@base64:(\S+)", result.stdout)
    assert (ROOT / picture).is_file()


def test_it_stays_up_without_a_terminal_if_it_is_told_to(env: dict[str, str]) -> None:
    process = subprocess.Popen(
        ["bash", "hack/run.sh"], cwd=ROOT, env={**env, "RUN_ONCE": "0"}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert process.stdout is not None
    stays = any(STAYS in line for line in process.stdout)

    process.terminate()

    assert stays
    assert "ZeroG has stopped" in process.communicate(timeout=DEADLINE_SECONDS)[0]
    assert process.returncode == 0


def test_what_it_says_to_try_next_works_and_an_interrupt_is_no_error(
    stays: Terminal, tmp_path: Path
) -> None:
    lines = stays.raw.partition("Try next")[2].replace("\r\n", "\n").splitlines()
    commands = [line.strip() for line in lines if line.startswith("  ") and "browser" not in line]
    assert len(commands) == 3, lines
    for command in commands:
        command = command.replace("thumbnails.json", str(tmp_path / "thumbnails.json"))
        result = subprocess.run(
            ["bash", "-c", command], cwd=ROOT, capture_output=True, text=True,
            timeout=DEADLINE_SECONDS,
        )  # fmt: skip
        assert result.returncode == 0, command + result.stdout + result.stderr
    assert (tmp_path / "thumbnails.json").stat().st_size > 0

    stays.interrupt()

    after = stays.end()[1].partition(STAYS)[2]
    assert "ZeroG has stopped" in after
    assert "***" not in after  # make's word for a failure
    assert "rror" not in after
