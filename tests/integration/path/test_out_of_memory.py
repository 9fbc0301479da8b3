"""A job that eats more memory than its container has, under a real memory cgroup."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .conftest import DEADLINE_SECONDS, JOBS, System, until

LIMIT_BYTES = 400 * 2**20
#: Version 1 and 2: where groups are made, and the file of their limit.
HIERARCHIES = [
    (Path("/sys/fs/cgroup/memory"), "memory.limit_in_bytes"),
    (Path("/sys/fs/cgroup"), "memory.max"),
]


def make_group() -> Path:
    """Make a group with a limit. `OSError` if that is not allowed here."""
    error: OSError | None = None
    for parent, limit in HIERARCHIES:
        group = parent / f"zerog-test-{os.getpid()}"
        try:
            group.mkdir()
        except OSError as failure:
            error = failure
            continue
        try:
            (group / limit).write_text(str(LIMIT_BYTES))
        except OSError as failure:
            error = failure
            group.rmdir()
            continue
        return group
    assert error is not None
    raise error


@pytest.fixture(scope="module")
def cold() -> bool:
    """What a worker takes counts against its limit."""
    return True


@pytest.fixture
def limited() -> Iterator[Callable[[int], None]]:
    """Put a process, and all it will start, under the limit."""
    try:
        group = make_group()
    except OSError as error:
        if "CI" in os.environ:
            raise
        pytest.skip(f"no memory cgroup can be made here: {error}")

    def limit(pid: int) -> None:
        (group / "cgroup.procs").write_text(str(pid))

    yield limit
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError):  # until its last process is gone
            group.rmdir()
            return
        time.sleep(0.05)
    raise AssertionError(f"{group} stays")


def test_a_job_killed_for_memory_is_told_from_other_deaths_and_harms_only_itself(
    limited: Callable[[int], None], system: System
) -> None:
    worker = system.start("worker", str(JOBS))
    limited(worker.pid)
    until(lambda: system.client.workers(), what="the worker is there")

    killed = system.client.submit("Dying", {"how": "kill"})
    eater = system.client.submit("Dying", {"how": "eat"})

    assert system.client.result(killed, DEADLINE_SECONDS) == "alive"
    assert system.client.result(eater, DEADLINE_SECONDS) == "alive"
    assert system.causes(killed) == ["crash", "succeeded"]
    assert system.causes(eater) == ["outOfMemory", "succeeded"]
    assert "out of memory" in system.client.info(eater)["attempts"][0]["message"]
    assert worker.poll() is None


def test_it_goes_once_to_a_queue_whose_workers_have_more(
    limited: Callable[[int], None], system: System
) -> None:
    small = system.start("worker", str(JOBS), ZEROG_NAME="small", ZEROG_LARGER_QUEUE="large")
    limited(small.pid)
    system.start("worker", str(JOBS), "--queues", "large", ZEROG_NAME="large")
    until(lambda: len(system.client.workers()) == 2, what="both workers are there")

    uuid = system.client.submit("Dying", {"how": "eat"})

    assert system.client.result(uuid, DEADLINE_SECONDS) == "alive"
    assert system.causes(uuid) == ["outOfMemory", "succeeded"]
    job = system.client.get(uuid)
    assert [attempt["worker"]["name"] for attempt in job["attempts"]] == ["small", "large"]
    assert (job["queue"], job["movedFrom"]) == ("large", "default")
    until(lambda: uuid not in system.entries().values(), what="no entry is left")
