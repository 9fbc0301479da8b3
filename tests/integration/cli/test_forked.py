"""A `zerog` that tests fork from a warm process behaves as one that was started."""

import os
import signal
import subprocess
from pathlib import Path

import pytest
from tests.processes import Forked, run_zerog, start_zerog

from zerog_tools.cluster.ports import free_port

SECONDS = 240.0
ENV = {name: value for name, value in os.environ.items() if not name.startswith("ZEROG_")}
ways = pytest.mark.parametrize("cold", [False, True], ids=["forked", "started"])


@ways
def test_it_has_arguments_environment_folder_and_exit_code(tmp_path: Path, cold: bool) -> None:
    (tmp_path / "own.py").write_text(
        "import zerog\nclass Own(zerog.Job):\n  def run(self, ctx): 0\n"
    )
    url = f"http://127.0.0.1:{free_port()}"

    found = run_zerog(["describe", "own.py"], env=ENV, timeout=SECONDS, cwd=tmp_path, cold=cold)
    away = run_zerog(["list"], env={**ENV, "ZEROG_URL": url}, timeout=SECONDS, cold=cold)

    assert (found.returncode, found.stderr) == (0, "")
    assert "Own" in found.stdout
    assert (away.returncode, away.stdout) == (3, "")
    assert url in away.stderr


@ways
def test_it_has_a_group_and_ends_by_a_signal_or_in_order(tmp_path: Path, cold: bool) -> None:
    env = {**ENV, "ZEROG_STORE": f"sqlite:///{tmp_path / 'zerog.db'}",
           "ZEROG_QUEUE": f"127.0.0.1:{free_port()}"}  # fmt: skip
    codes = []
    for signum in (signal.SIGKILL, signal.SIGTERM):
        with (tmp_path / "log").open("w+b") as log:
            process = start_zerog(["api", "--port", "0"], env=env, stdout=log, cold=cold)
            while b"listening" not in (tmp_path / "log").read_bytes():
                assert process.poll() is None
                with pytest.raises(subprocess.TimeoutExpired):
                    process.wait(0.1)
            assert os.getpgid(process.pid) == process.pid
            process.send_signal(signum)
            codes.append(process.wait(SECONDS))

    assert codes == [-signal.SIGKILL, 0]
    assert process.poll() == 0


@pytest.mark.parametrize(
    "how",
    [
        {"cold": True},
        {"prefix": ["env"]},
        {"env": {**ENV, "PYTHONUNBUFFERED": "1"}},
        {"env": {**ENV, "LD_PRELOAD": ""}},
    ],
    ids=["asked for", "behind a command", "Python's variable", "the loader's variable"],
)
def test_what_a_fork_cannot_have_starts_python(how: dict[str, object]) -> None:
    options: dict[str, object] = {"env": ENV, "stdout": subprocess.DEVNULL, **how}

    process = start_zerog(["--version"], **options)  # type: ignore[arg-type]

    assert not isinstance(process, Forked)
    assert process.wait(SECONDS) == 0
