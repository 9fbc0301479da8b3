"""A server of this machine is ready when its start returns, and gone when its block ends."""

import sys
from pathlib import Path

import pytest

from zerog_tools.cluster.process import ClusterError, ServerProcess, Startable

#: Longer than any start here takes on a machine that is busy.
LONG_SECONDS = 60.0


@pytest.fixture
def server(tmp_path: Path) -> ServerProcess:
    """A server that makes a file when it is ready, and then serves nobody."""
    code = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(600)"
    return build(tmp_path, code)


def build(folder: Path, code: str) -> ServerProcess:
    command = [sys.executable, "-S", "-c", code, str(folder / "ready")]
    return ServerProcess("the server", command, folder / "log")


def is_running(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_a_start_returns_when_the_server_is_ready(server: ServerProcess, tmp_path: Path) -> None:
    server.start_until((tmp_path / "ready").exists, LONG_SECONDS)

    assert server.pid is not None
    server.stop()
    assert server.pid is None


def test_a_server_that_ends_instead_is_reported_with_its_log(tmp_path: Path) -> None:
    server = build(tmp_path, "print('no such option'); raise SystemExit(3)")

    with pytest.raises(ClusterError, match=r"(?s)the server ended with code 3.*no such option"):
        server.start_until(lambda: False, LONG_SECONDS)


def test_a_server_that_is_late_does_not_stay(server: ServerProcess) -> None:
    pids = []

    def look() -> bool:
        pids.append(server.pid)
        return False

    with pytest.raises(ClusterError, match="not within 0 s: the server is ready"):
        server.start_until(look, 0)

    assert server.pid is None
    assert pids[0] is not None
    assert not is_running(pids[0])


def test_what_was_started_ends_with_its_block_even_by_an_error(server: ServerProcess) -> None:
    pids = []

    def fail_in_block() -> None:
        with server:
            pids.append(server.pid)
            raise KeyError

    with pytest.raises(KeyError):
        fail_in_block()

    assert pids[0] is not None
    assert not is_running(pids[0])


def test_a_class_without_a_start_is_no_program() -> None:
    with pytest.raises(NotImplementedError), Startable():
        pass
