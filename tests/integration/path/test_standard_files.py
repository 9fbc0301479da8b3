"""What becomes of standard input, output and error, or of /proc, keeps no job from running."""

import contextlib
import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable

import psutil
import pytest

from .conftest import DEADLINE_SECONDS, JOBS, System, until

CLOSED = ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"]

Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def shell(system: System) -> Start:
    """Start a command of the system by a shell, with redirections."""

    def start(line: str, **env: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            ["bash", "-c", line], env={**system.env, **env}, cwd=system.folder, process_group=0,
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        system.processes.append(process)
        return process

    return start


def command(*arguments: str) -> str:
    """Return the line of a `zerog` command."""
    return shlex.join([sys.executable, "-m", "zerog", *arguments])


def worker_pid(system: System) -> int:
    """Wait for the worker and return its process id on this machine."""
    return int(until(system.client.workers, what="the worker is there")[0]["pid"])


def standard_files(pid: int) -> list[str]:
    """Return what a process has as standard input, output and error."""
    return [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in range(3)]


@pytest.mark.parametrize("redirect", CLOSED)
def test_a_worker_without_standard_files_runs_jobs_and_drains(
    system: System, shell: Start, redirect: str
) -> None:
    process = shell(f"exec {command('worker', str(JOBS))} {redirect}")
    assert standard_files(worker_pid(system)) == ["/dev/null"] * 3
    uuid, hold = system.submit_held()

    process.send_signal(signal.SIGTERM)
    hold.touch()

    assert system.client.wait(uuid, timeout=DEADLINE_SECONDS) is not None
    assert process.wait(DEADLINE_SECONDS) == 0
    assert system.client.info(uuid)["state"] == "succeeded"


def test_an_api_without_standard_files_serves_and_ends(system: System, shell: Start) -> None:
    assert system.stop(system.processes[0]) == 0
    process = shell(f"exec {command('api', '--port', str(system.port))} <&- >&- 2>&-")
    until(system.is_ready, what="the API is ready")

    assert standard_files(process.pid) == ["/dev/null"] * 3
    process.send_signal(signal.SIGTERM)
    assert process.wait(DEADLINE_SECONDS) == 0


def test_zerog_dev_without_standard_files_starts_and_ends(system: System, shell: Start) -> None:
    process = shell(f"exec {command('dev', str(JOBS), '--data', 'data')} <&- >&- 2>&-")
    note = system.folder / "data" / "dev.json"
    until(lambda: note.exists() or process.poll() is not None, what="dev is up")

    assert standard_files(process.pid) == ["/dev/null"] * 3
    process.send_signal(signal.SIGTERM)
    assert process.wait(DEADLINE_SECONDS) == 0


def test_an_operator_without_standard_files_opens_them(system: System, shell: Start) -> None:
    program = (
        "import os, sys, zerog_operator.__main__ as operator\n"
        "sys.argv = ['zerog-operator']\n"
        "try: operator.main()\n"
        "finally: open('seen', 'w').write(' '.join(os.readlink(f'/proc/self/fd/{fd}')"
        " for fd in range(3)))"
    )
    process = shell(f"exec {shlex.join([sys.executable, '-c', program])} <&- >&- 2>&-")

    assert process.wait(DEADLINE_SECONDS) == 2
    assert (system.folder / "seen").read_text() == "/dev/null /dev/null /dev/null"


@pytest.mark.parametrize("reader", ["2>&1 | head -1 >/dev/null", ">/dev/full 2>&1"])
def test_a_job_that_prints_succeeds_when_nobody_reads_it(
    system: System, shell: Start, reader: str
) -> None:
    process = shell(f"{command('worker', str(JOBS))} {reader}")
    worker_pid(system)

    for _ in range(3):
        uuid = system.client.submit("Chatty")
        assert system.client.wait(uuid, timeout=DEADLINE_SECONDS)
        assert system.client.info(uuid)["state"] == "succeeded", system.client.info(uuid)

    os.kill(worker_pid(system), signal.SIGTERM)
    process.wait(DEADLINE_SECONDS)
    assert process.returncode == 0


def test_a_worker_without_proc_runs_jobs_and_says_what_it_cannot_do(
    system: System, shell: Start
) -> None:
    log = system.folder / "without-proc.log"
    inner = f"mount -t tmpfs none /proc && exec {command('worker', str(JOBS))} 2>{log}"
    rights = "" if os.getuid() == 0 else "--user --map-root-user"
    process = shell(f"exec unshare {rights} --mount bash -c {shlex.quote(inner)}")
    worker_pid(system)

    first = system.client.submit("Steps", {"steps": 1})
    messy = system.client.submit("Messy")
    for uuid in (first, messy):
        system.client.wait(uuid, timeout=DEADLINE_SECONDS)
        assert system.client.info(uuid)["state"] == "succeeded"

    process.send_signal(signal.SIGTERM)
    assert process.wait(DEADLINE_SECONDS) == 0
    assert log.read_text().count("there is no /proc") == 1
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(system.client.data(messy)["sleeper"]).kill()


def test_a_worker_in_a_folder_that_is_read_only_runs_jobs(system: System, shell: Start) -> None:
    folder = system.folder / "read-only"
    folder.mkdir()
    inner = (
        f"mount -t tmpfs -o ro none {folder} && cd {folder} && "
        f"exec {command('worker', str(JOBS))} >/dev/null 2>&1"
    )
    rights = "" if os.getuid() == 0 else "--user --map-root-user"
    process = shell(f"exec unshare {rights} --mount bash -c {shlex.quote(inner)}")
    worker_pid(system)

    uuid = system.client.submit("Steps", {"steps": 1})
    system.client.wait(uuid, timeout=DEADLINE_SECONDS)

    assert system.client.info(uuid)["state"] == "succeeded"
    process.send_signal(signal.SIGTERM)
    assert process.wait(DEADLINE_SECONDS) == 0
