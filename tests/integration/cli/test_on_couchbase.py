"""Every command, one after the other, where the jobs are kept in Couchbase.

On SQLite `test_commands` has more of each, each a process of its own; here it is about what
the store answers, and the commands run in the test's process.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from _pytest.capture import CaptureResult
from tests.couchbase.process import CouchbaseServer
from tests.integration.path.conftest import System, running_system, until

from zerog.cli.main import main

from .conftest import JOBS

#: `zerog.cli.codes`.
FAILED, CANCELLED = 1, 5


class Shell:
    """The `zerog` command beside a running system."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys

    def __call__(self, *arguments: str, code: int = 0) -> str:
        """Call it; return what it printed, errors after output."""
        return "".join(self._call(arguments, code))

    def json(self, *arguments: str) -> Any:
        """Call it with --json and read the answer."""
        return json.loads(self._call((*arguments, "--json"), 0).out)

    def _call(self, arguments: Sequence[str], code: int) -> CaptureResult[str]:
        self._capsys.readouterr()
        ended = main(arguments)
        said = self._capsys.readouterr()
        assert ended == code, said
        return said


@pytest.mark.timeout(300)
def test_every_command_does_on_couchbase_what_it_does_on_sqlite(
    tmp_path: Path,
    couchbase: CouchbaseServer,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    jobs = tmp_path / "greetings.py"
    jobs.write_text(JOBS)
    with running_system(System(tmp_path, couchbase)) as system:
        for name, value in system.env.items():
            monkeypatch.setenv(name, value)
        zerog = Shell(capsys)
        worker = system.start("worker", str(jobs), "--slots", "1")
        until(lambda: system.client.workers(), what="the worker is there")

        jobs_that_run_and_end(zerog)
        jobs_that_are_told_to(zerog)

        system.stop(worker)
        waiting = zerog("submit", "Hello", "name=Eve").strip()
        system.stop(system.processes[0])  # the API, which would repair by itself
        system.beanstalkd.kill()
        for file in (system.folder / "binlog").iterdir():
            file.unlink()
        system.beanstalkd.start()
        # Not before it has waited for some seconds: its entry might still be on its way.
        until(lambda: zerog.json("repair")["requeued"] == [waiting], what="it is put back")
        assert "1 unfinished job checked" in zerog("repair")


def jobs_that_run_and_end(zerog: Shell) -> None:
    assert "Say hello." in zerog("types")
    assert "Hello, Ada." in zerog("run", "Hello", "name=Ada")
    assert "broken by design" in zerog("run", "Broken", code=FAILED)
    uuid = zerog("submit", "Hello", "name=Bob", "seconds=0.5").strip()
    assert "greeted Bob" in zerog("watch", uuid)
    assert "Hello, Bob." in zerog("data", uuid)
    assert zerog.json("info", uuid)["resultCode"] == 200

    assert [job["uuid"] for job in zerog.json("list", "--limit", "1")] == [uuid]
    (failed,) = zerog.json("list", "--state", "failed")
    assert failed["type"] == "Broken"
    assert zerog.json("list", "--type", "Hello", "--state", "failed") == []
    assert "default" in zerog("queues")
    until(lambda: "idle" in zerog("workers"), what="its beat says so")


def jobs_that_are_told_to(zerog: Shell) -> None:
    zerog("retry", "--type", "Broken", "--state", "failed", "--yes")
    until(lambda: len(zerog.json("list", "--state", "failed")) == 1, what="it has failed again")
    (failed,) = zerog.json("list", "--state", "failed")
    assert len(zerog.json("info", failed["uuid"])["attempts"]) == 2

    running = zerog("submit", "Hello", "name=Kim", "seconds=60").strip()
    zerog("cancel", running)
    zerog("watch", running, code=CANCELLED)
    assert zerog("delete", running) == f"{running} deleted\n"
