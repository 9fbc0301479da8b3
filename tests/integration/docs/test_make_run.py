"""`make run` without a terminal. In one, it is typed in `test_ten_minutes.py`."""

import os
import re
import subprocess
from pathlib import Path

import pytest
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
