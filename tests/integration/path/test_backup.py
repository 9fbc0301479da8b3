"""A backup of SQLite's file that was made under load, and what is there after its restore: the
commands are those of docs/howto/backup.md."""

import subprocess
import textwrap
import threading
from pathlib import Path

import pytest
from tests.integration.docs.reader import ROOT, blocks

from .conftest import DEADLINE_SECONDS, System, until

pytestmark = pytest.mark.timeout(600)

PAGE = "docs/howto/backup.md"
#: Jobs that are accepted before the backup begins, and at least so many while and after it is made.
JOBS = 40


def typed(command: str, system: System, copy: Path) -> str:
    """Type a command of the page, with the test's files in the place of the documented ones."""
    command = command.replace("/var/lib/zerog/zerog.db", str(system.store_path))
    command = command.replace("/var/backups/zerog.db", str(copy))
    result = subprocess.run(
        ["bash", "-euc", command], capture_output=True, text=True, timeout=DEADLINE_SECONDS
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


class Load:
    """Jobs that are submitted one after the other, until it is ended."""

    def __init__(self, system: System) -> None:
        self.uuids: list[str] = []
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._submit, args=(system,))
        self._thread.start()

    def _submit(self, system: System) -> None:
        while not self._is_over.is_set():
            self.uuids.append(system.client.submit("Echo", {"value": len(self.uuids)}))

    def more(self, count: int) -> list[str]:
        """Wait until so many more are accepted, return all of them."""
        wanted = len(self.uuids) + count
        until(lambda: len(self.uuids) >= wanted, what="jobs are accepted")
        return list(self.uuids)

    def end(self) -> None:
        self._is_over.set()
        self._thread.join()


def test_a_backup_made_under_load_has_all_jobs_that_were_accepted_before(
    system: System, tmp_path: Path
) -> None:
    copy = tmp_path / "backup.db"
    (backup,) = blocks(PAGE, "sh")
    (restore,) = blocks_in_lists(PAGE)
    worker = system.start_worker()
    load = Load(system)
    before = load.more(JOBS)
    assert typed(backup, system, copy) == "ok\n"
    load.more(JOBS)
    load.end()
    for process in (worker, system.processes[0]):
        system.stop(process)

    typed(restore, system, copy)
    system.start_api()
    system.start_worker()

    for number, uuid in enumerate(before):
        assert system.client.result(uuid, DEADLINE_SECONDS) == number
    until(lambda: not system.entries(), what="the queue is empty")


def blocks_in_lists(page: str) -> list[str]:
    """Return the blocks of commands that are part of a list."""
    parts = (ROOT / page).read_text().split("   ```sh\n")[1:]
    return [textwrap.dedent(part.partition("   ```")[0]) for part in parts]
