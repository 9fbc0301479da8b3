"""After a job, a child, a nursery or a worker has ended, nothing of it lives."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from zerog.child import handle
from zerog.model.errors import NurseryError

from .running import DEADLINE_SECONDS, Attempt, job, nursery_of, write_jobs

#: Four kinds of processes that a job may leave; their ids go into the log.
LEAVE = """
import subprocess
plain = subprocess.Popen(["sleep", "1000"])
session = subprocess.Popen(["sleep", "1000"], start_new_session=True)
reader, writer = os.pipe()
pid = os.fork()
if pid == 0:
    os.setsid()
    orphan = os.fork()
    if orphan == 0:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        time.sleep(1000)
    os.write(writer, str(orphan).encode())
    os._exit(0)
os.waitpid(pid, 0)
ids = [plain.pid, session.pid, int(os.read(reader, 100))]
ctx.info("left", ids=ids)
"""
JOBS = (
    job(LEAVE + "return 1", "Returning")
    + job(LEAVE + "raise ValueError", "Raising")
    + job(LEAVE + "os._exit(3)", "Exiting")
    + job(LEAVE + "time.sleep(1000)", "Staying")
    + job("return 1", "Fine")
)


@pytest.fixture
def jobs(tmp_path: Path) -> str:
    return write_jobs(tmp_path, JOBS)


@pytest.fixture
def quick_pings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handle, "PING_SECONDS", 0.1)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"


def living(attempt: Attempt) -> list[int]:
    return [pid for pid in attempt.logged(attempt.messages.index("left"))["ids"] if is_alive(pid)]


async def until(condition: Any) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("name", ["Returning", "Raising", "Exiting"])
async def test_nothing_of_a_job_outlives_its_end(jobs: str, name: str) -> None:
    async with nursery_of(jobs) as nursery:
        attempt = await Attempt(await nursery.fork(), name).over()

        assert living(attempt) == []
        assert name == "Exiting" or "processes" in (attempt.spoiled or "")


async def test_nothing_of_a_job_outlives_a_killed_child(jobs: str) -> None:
    async with nursery_of(jobs) as nursery:
        attempt = Attempt(await nursery.fork(), "Staying")
        await attempt.said("left")

        attempt.child.kill(signal.SIGKILL)
        death = await attempt.died()

        assert (death.exitcode, death.reason) == (-9, None)
        assert living(attempt) == []


async def test_nothing_of_a_job_outlives_a_child_that_somebody_kills(jobs: str) -> None:
    async with nursery_of(jobs) as nursery:
        attempt = Attempt(await nursery.fork(), "Staying")
        await attempt.said("left")

        os.kill(attempt.child.pid, signal.SIGKILL)
        death = await attempt.died()

        assert (death.exitcode, death.reason) == (-9, None)
        assert living(attempt) == []


async def test_nothing_of_a_job_outlives_its_nursery(jobs: str) -> None:
    async with nursery_of(jobs) as nursery:
        attempt = Attempt(await nursery.fork(), "Staying")
        await attempt.said("left")
        assert nursery.pid is not None

        os.kill(nursery.pid, signal.SIGKILL)
        death = await attempt.died()

        assert (death.exitcode, death.reason) == (-9, "the nursery died")
        assert living(attempt) == []
        assert not is_alive(attempt.child.pid)
        again = await Attempt(await nursery.fork(), "Fine").over()
        assert again.data == 1


@pytest.mark.usefixtures("quick_pings")
async def test_a_frozen_nursery_is_replaced_and_its_jobs_are_dead(jobs: str) -> None:
    async with nursery_of(jobs) as nursery:
        attempts = [Attempt(await nursery.fork(), "Staying") for _ in range(2)]
        for attempt in attempts:
            await attempt.said("left")
        assert nursery.pid is not None
        # A job cannot do that where Linux knows walls for signals.
        os.kill(nursery.pid, signal.SIGSTOP)

        deaths = [await attempt.died() for attempt in attempts]

        assert {death.reason for death in deaths} == {"the nursery does not answer"}
        assert [living(attempt) for attempt in attempts] == [[], []]
        assert not any(is_alive(attempt.child.pid) for attempt in attempts)
        again = await Attempt(await nursery.fork(), "Fine").over()
        assert again.data == 1


@pytest.mark.usefixtures("quick_pings")
async def test_a_fork_that_a_frozen_nursery_owes_fails_and_the_next_one_succeeds(jobs: str) -> None:
    async with nursery_of(jobs) as nursery:
        assert nursery.pid is not None
        os.kill(nursery.pid, signal.SIGSTOP)

        with pytest.raises(NurseryError, match="does not answer"):
            await nursery.fork()

        again = await Attempt(await nursery.fork(), "Fine").over()
        assert again.data == 1


async def test_nothing_of_a_job_outlives_a_clean_stop(jobs: str) -> None:
    async with nursery_of(jobs) as nursery:
        attempt = Attempt(await nursery.fork(), "Staying")
        await attempt.said("left")

    death = await attempt.died()
    assert death.reason == "the worker ends"
    assert living(attempt) == []
    assert nursery.poll() == 0
    with pytest.raises(NurseryError, match="closed"):
        await nursery.fork()


WORKER = """
import asyncio, sys
sys.path.insert(0, {folder!r})
from tests.integration.child.running import Attempt, nursery_of
async def main():
    async with nursery_of({jobs!r}) as nursery:
        attempt = Attempt(await nursery.fork(), "Staying")
        await attempt.said("left")
        print(nursery.pid, attempt.child.pid, *attempt.logged(0)["ids"], flush=True)
        await asyncio.sleep(1000)
asyncio.run(main())
"""


@pytest.mark.parametrize("is_frozen", [False, True], ids=["serving", "frozen"])
async def test_nothing_of_a_job_outlives_a_killed_worker(jobs: str, is_frozen: bool) -> None:
    folder = str(Path(__file__).parents[3])
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-c", WORKER.format(folder=folder, jobs=jobs),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    assert worker.stdout is not None
    pids = [int(word) for word in (await worker.stdout.readline()).split()]
    if is_frozen:
        os.kill(pids[0], signal.SIGSTOP)

    worker.kill()
    await worker.wait()

    await until(lambda: not any(map(is_alive, pids)))


async def test_a_job_may_stop_itself_and_still_be_killed(tmp_path: Path) -> None:
    path = write_jobs(tmp_path, job("ctx.info('stops')\nos.kill(os.getpid(), signal.SIGSTOP)"))
    async with nursery_of(path) as nursery:
        attempt = Attempt(await nursery.fork(), "It")
        await attempt.said("stops")

        attempt.child.kill(signal.SIGKILL)

        assert (await attempt.died()).exitcode == -9


async def test_a_fork_that_nobody_waits_for_any_more_shifts_no_other(jobs: str) -> None:
    async with nursery_of(jobs) as nursery:
        forgotten = asyncio.create_task(nursery.fork())
        await asyncio.sleep(0)
        forgotten.cancel()

        attempt = await Attempt(await nursery.fork(), "Fine").over()

        assert attempt.data == 1
        assert len(nursery._children) == 1
