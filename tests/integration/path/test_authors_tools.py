"""Whatever is around a job: keys, odd letters, ends at odd moments. See also
test_standard_files.py, tests/integration/cli/test_dev.py and test_streams.py."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from zerog.client import ApiError, AsyncClient

from .conftest import DEADLINE_SECONDS, JOBS, System, running_system, until

pytestmark = pytest.mark.timeout(600)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system without a worker."""
    with running_system(System(tmp_path_factory.mktemp("tools"), cold=True)) as made:
        yield made


def is_gone(system: System, uuid: str) -> bool:
    try:
        system.client.get(uuid)
    except ApiError as error:
        return error.status == 404
    return False


def submit_noting(system: System, note: Path, job_type: str, key: str) -> str:
    body = f"open({str(note)!r}, 'a').write('x')"
    return system.client.submit(job_type, {"body": body}, idempotency_key=key)


@pytest.mark.parametrize("how", ["expired", "deleted"])
def test_a_key_runs_no_second_job_when_the_first_is_forgotten(
    one_slot: System, tmp_path: Path, how: str
) -> None:
    note, job_type = tmp_path / "note", "Forgotten" if how == "expired" else "Does"
    first = submit_noting(one_slot, note, job_type, how)
    until(note.exists)
    if how == "deleted":
        one_slot.client.wait(first, DEADLINE_SECONDS)
        one_slot.client.delete(first)
    until(lambda: is_gone(one_slot, first), what="the job is forgotten")

    again = submit_noting(one_slot, note, job_type, how)
    later = submit_noting(one_slot, note, job_type, f"{how} later")

    until(lambda: len(note.read_text()) == 2, what="the job with another key has run")
    assert again == first != later
    assert is_gone(one_slot, first)


#: What some readers of lines take for the end of one.
LETTERS = "a\u2028b\u2029c\x85d\x0be\x0cf\x1cg\r\nh\n\nevent: end\ndata: {}\n\n\x00"


def test_a_line_with_any_letters_reaches_every_reader(one_slot: System) -> None:
    uuid = one_slot.client.submit("Does", {"body": f"ctx.info({LETTERS!r})"})
    one_slot.client.wait(uuid, DEADLINE_SECONDS)

    async def messages() -> list[str]:
        async with AsyncClient(one_slot.env["ZEROG_URL"]) as client:
            return [event.data["message"] async for event in client.stream(uuid)
                    if event.kind == "log"]  # fmt: skip

    events = [event for event in one_slot.client.stream(uuid) if event.kind == "log"]
    watched = subprocess.run(
        [sys.executable, "-m", "zerog", "watch", uuid], env=one_slot.env, capture_output=True
    )

    assert [event.data["message"] for event in events] == [LETTERS]
    assert asyncio.run(messages()) == [LETTERS]
    assert watched.returncode == 0, watched.stderr
    assert r"\u2028b\u2029c" in watched.stderr.decode()


SLOW = """
import os, time
open(os.environ["NOTE"], "w").write(f"{os.getpid()}\\n")
%s
"""


SPIN, SLEEP = "while True: pass", "time.sleep(1000)"


@pytest.mark.parametrize(
    ("how", "signals"),
    [(SPIN, [signal.SIGTERM]), (SPIN, [signal.SIGINT] * 2), (SPIN, [signal.SIGKILL]),
     (SLEEP, [signal.SIGTERM]), (SLEEP, [signal.SIGINT])],
)  # fmt: skip
def test_a_worker_that_still_imports_ends_at_once_with_its_nursery(
    empty: System, tmp_path: Path, how: str, signals: list[signal.Signals]
) -> None:
    note, module = tmp_path / "note", tmp_path / "slow.py"
    module.write_text(SLOW % how)
    worker = empty.start("worker", str(module), NOTE=str(note))
    until(lambda: note.exists() and note.read_text().endswith("\n"), what="it imports")
    nursery = psutil.Process(int(note.read_text()))

    for signum in signals:
        os.killpg(worker.pid, signum) if signum == signal.SIGINT else worker.send_signal(signum)

    worker.wait(20)
    until(lambda: not nursery.is_running() or nursery.status() == psutil.STATUS_ZOMBIE, 20)


def test_one_key_used_by_forty_at_once_runs_one_job(one_slot: System, tmp_path: Path) -> None:
    note = tmp_path / "note"

    with ThreadPoolExecutor(40) as pool:
        uuids = set(pool.map(lambda _: submit_noting(one_slot, note, "Does", "forty"), range(40)))

    assert len(uuids) == 1
    assert one_slot.client.wait(uuids.pop(), DEADLINE_SECONDS)["state"] == "succeeded"
    one_slot.client.result(one_slot.client.submit("Does", {"body": "return 1"}), DEADLINE_SECONDS)
    assert note.read_text() == "x"


def test_a_worker_of_an_odd_path_with_few_files_runs_jobs(empty: System, tmp_path: Path) -> None:
    folder = tmp_path / "ä 'q\" $x #?%20&\u2028 \U0001f600"
    folder.mkdir()
    module = folder / "my jobs ü.py"
    module.write_text(JOBS.with_name("jobs_of_authors.py").read_text())
    command = [sys.executable, "-m", "zerog", "worker", str(module)]
    worker = subprocess.Popen(["sh", "-c", 'ulimit -n 30; exec "$@"', "sh", *command],
                              env=empty.env, cwd=folder, process_group=0)  # fmt: skip
    empty.processes.append(worker)
    until(lambda: worker.pid in [item["pid"] for item in empty.client.workers()])
    bodies = [
        "return subprocess.run(['true']).returncode",
        "return uvloop.run(asyncio.sleep(0, 0))",
        "type(self).files = [open('/dev/null') for _ in range(10)]\nreturn 0",
    ]

    uuids = [empty.client.submit("Does", {"body": body}) for body in bodies * 2]

    assert [empty.client.result(uuid, DEADLINE_SECONDS) for uuid in uuids] == [0] * 6
    assert empty.stop(worker) == 0


def test_a_job_beside_those_that_spoil_their_processes_goes_on(
    empty: System, tmp_path: Path
) -> None:
    hold = tmp_path / "hold"
    worker = empty.start_worker("--slots", "2", jobs=JOBS.with_name("jobs_of_authors.py"))
    body = f"ctx.info('runs')\nwhile not os.path.exists({str(hold)!r}): time.sleep(0.02)\nreturn 1"
    beside = empty.client.submit("Does", {"body": body})
    empty.running(beside)
    thread = "threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()"
    bodies = [
        f"sys.stdout.close()\n{thread}",
        f"sys.stderr.close()\n{thread}",
        f"sys.stdout = sys.stderr = None\n{thread}",
        "os.closerange(0, 1000)",
        "os.killpg(0, signal.SIGTERM)\ntime.sleep(0.1)",
        "os.kill(os.getppid(), signal.SIGTERM)\ntime.sleep(0.1)",
        "os.kill(0, signal.SIGKILL)",
    ]

    spoiling = [empty.client.submit("Does", {"body": body}) for body in bodies]
    for uuid in spoiling:
        empty.client.wait(uuid, DEADLINE_SECONDS)
    hold.touch()

    assert empty.client.result(beside, DEADLINE_SECONDS) == 1
    assert empty.causes(beside) == ["succeeded"]
    assert empty.stop(worker) == 0
