"""Workers in odd places: no reader, no standard streams, no /proc, other children."""

import asyncio
import os
import subprocess
import sys
from pathlib import Path

import pytest

from .running import job, write_jobs
from .test_processes import is_alive, until

ROOT = Path(__file__).parents[3]
#: Prints a lot, and starts a program that prints.
PRINTING = job(
    "import subprocess\n"
    "for _ in range(100): print('x' * 1000)\n"
    "sys.stderr.write('y')\n"
    "return subprocess.run(['sh', '-c', 'echo hello']).returncode"
)
#: A worker that notes what three jobs of one child returned.
WORKER = """
import asyncio, sys
sys.path.insert(0, {root!r})
from tests.integration.child.running import Attempt, nursery_of
async def main():
    async with nursery_of({jobs!r}) as nursery:
        child = await nursery.fork()
        attempts = [await Attempt(child, "It").over() for _ in range(3)]
        seen = [(attempt.data, attempt.spoiled) for attempt in attempts]
        open({note!r}, "w").write(repr(seen))
asyncio.run(main())
"""


def command(jobs: str, note: Path) -> list[str]:
    return [sys.executable, "-c", WORKER.format(root=str(ROOT), jobs=jobs, note=str(note))]


def test_jobs_may_print_when_nobody_reads_any_more(tmp_path: Path, note: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)

    subprocess.run(
        command(write_jobs(tmp_path, PRINTING), note), stdout=writer, stderr=writer, timeout=60
    )

    os.close(writer)
    assert note.read_text() == "[(0, None), (0, None), (0, None)]"


def test_jobs_run_under_a_worker_with_closed_standard_streams(tmp_path: Path, note: Path) -> None:
    run = command(write_jobs(tmp_path, PRINTING), note)

    subprocess.run(["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *run], timeout=60)

    assert note.read_text() == "[(0, None), (0, None), (0, None)]"


def _can_hide_proc() -> bool:
    hide = "mount -t tmpfs none /proc"
    return subprocess.run(["unshare", "-m", "sh", "-c", hide], capture_output=True).returncode == 0


@pytest.mark.skipif(not _can_hide_proc(), reason="no right to mount")
def test_jobs_run_without_proc(tmp_path: Path, note: Path) -> None:
    run = command(write_jobs(tmp_path, PRINTING), note)

    hidden = subprocess.run(
        ["unshare", "-m", "sh", "-c", 'mount -t tmpfs none /proc; exec "$@"', "sh", *run],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=60,
    )  # fmt: skip

    assert note.read_text() == "[(0, None), (0, None), (0, None)]"
    assert hidden.stderr.count("there is no /proc") == 1


HIDING = job(
    "import subprocess\n"
    "hidden = subprocess.Popen(['sleep', '1000'], start_new_session=True, env={})\n"
    "ctx.info('left', pid=hidden.pid)\ntime.sleep(1000)"
)
OWNER = """
import asyncio, os, signal, sys
sys.path.insert(0, {root!r})
from tests.integration.child.running import Attempt, nursery_of
async def main():
    async with nursery_of({jobs!r}, owns_children=True) as nursery:
        attempt = Attempt(await nursery.fork(), "It")
        await attempt.said("left")
        os.kill(nursery.pid, signal.SIGKILL)
        await attempt.died()
        print(attempt.logged(0)["pid"], flush=True)
        await asyncio.sleep(1000)
asyncio.run(main())
"""


async def test_a_worker_without_other_children_kills_even_what_hides(tmp_path: Path) -> None:
    text = OWNER.format(root=str(ROOT), jobs=write_jobs(tmp_path, HIDING))
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-c", text, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert worker.stdout is not None
        pid = int(await worker.stdout.readline())

        await until(lambda: not is_alive(pid))
    finally:
        worker.kill()
        await worker.wait()
