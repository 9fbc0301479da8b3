"""The worker as PID 1 of a container: it reaps what nobody else does."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable

import psutil
import pytest

from .conftest import DEADLINE_SECONDS, JOBS, System, until

#: A PID namespace of its own, as a container has; without root also a user namespace.
UNSHARE = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"]


@pytest.fixture
def contained(system: System) -> Callable[[], psutil.Process]:
    """Start a worker as PID 1 and return its process as we see it."""
    assert shutil.which("unshare"), "unshare is part of util-linux"

    def start() -> psutil.Process:
        rights = [] if os.getuid() == 0 else ["--user", "--map-root-user"]
        env = {
            **{name: v for name, v in os.environ.items() if not name.startswith("ZEROG_")},
            "ZEROG_STORE": system.store,
            "ZEROG_QUEUE": system.beanstalkd.address,
        }
        command = [*UNSHARE, *rights, sys.executable, "-m", "zerog", "worker", str(JOBS)]
        with (system.folder / "contained.log").open("wb") as log:
            process = subprocess.Popen(
                command, env=env, stdout=log, stderr=subprocess.STDOUT, process_group=0
            )
        system.processes.append(process)
        until(lambda: system.client.workers(), what="the worker is there")
        return psutil.Process(process.pid).children()[0]

    return start


def zombies(process: psutil.Process) -> list[psutil.Process]:
    """Return the ended processes below one that nobody has reaped."""
    found = []
    for child in process.children(recursive=True):
        try:
            if child.status() == psutil.STATUS_ZOMBIE:
                found.append(child)
        except psutil.NoSuchProcess:
            continue
    return found


def test_orphans_of_jobs_are_reaped_even_when_the_nursery_has_died(
    system: System, contained: Callable[[], psutil.Process]
) -> None:
    worker = contained()
    uuid, _ = system.submit_held()
    (nursery,) = worker.children()
    below = nursery.children(recursive=True)
    assert below

    nursery.kill()

    until(lambda: not any(item.is_running() for item in [nursery, *below]), what="all reaped")
    until(lambda: len(system.client.info(uuid)["attempts"]) == 2, what="the job runs again")
    assert zombies(worker) == []
    assert worker.is_running()
    system.client.cancel(uuid)


#: A command that gets SIGTERM after its first import, and says so if it goes on all the same.
EARLY = """
import os, signal, sys
from zerog.cli import main

def import_module(name):
    os.kill(os.getpid(), signal.SIGTERM)
    print("goes on", flush=True)
    sys.exit(1)

main.import_module = import_module
sys.exit(main.main(["worker", "acme.jobs"]))
"""


def test_sigterm_ends_a_worker_that_is_process_one_before_it_has_started() -> None:
    rights = [] if os.getuid() == 0 else ["--user", "--map-root-user"]
    command = [*UNSHARE, *rights, sys.executable, "-c", EARLY]

    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_SECONDS)

    assert (done.stdout, done.returncode) == ("", 143), done.stderr


def test_sigterm_ends_a_worker_that_is_process_one(
    system: System, contained: Callable[[], psutil.Process]
) -> None:
    worker = contained()

    worker.send_signal(signal.SIGTERM)

    deadline = time.monotonic() + DEADLINE_SECONDS
    while worker.is_running():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert system.processes[-1].wait(DEADLINE_SECONDS) == 0
