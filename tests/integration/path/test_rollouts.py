"""Rollouts that change a job's parameters, with callers of both formats: every job that was
accepted is run, by code that takes its parameters, and nobody is refused who was right.

Each job's output says which code ran it, and with what.
"""

import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from zerog.client import ApiError, Client
from zerog.model.names import mailbox_tube_name

from .conftest import DEADLINE_SECONDS, System, until
from .test_retire import POOL, put

SOURCE = """
import time
import zerog

class Convert(zerog.Job):
    {fields}

    class Options:
        name = "convert"

    def run(self, ctx):
        time.sleep(0.01)
        return {{"code": {code!r}, "parameters": self.model_dump()}}
"""
#: The fields of each release of the job. One is added, removed, and another one gets another type.
RELEASES = {
    "v1": "name: str",
    "v2": "name: str; size: int",
    "v3": "name: str",
    "v4": "name: list[str]",
    "v5": 'name: list[str]; mode: str = "fast"',
}
#: What callers of a release send, and which releases may run that.
SENT: dict[str, dict[str, Any]] = {
    "v1": {"name": "a"},
    "v2": {"name": "a", "size": 1},
    "v3": {"name": "a"},
    "v4": {"name": ["a"]},
}
RUNS = {"v1": {"v1", "v3"}, "v2": {"v2"}, "v3": {"v1", "v3"}, "v4": {"v4"}}
PAUSE_SECONDS = 0.1


class Rollout:
    """Workers of releases, in one pool."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.workers: dict[str, subprocess.Popen[bytes]] = {}

    def start(self, release: str) -> None:
        """Start a worker of a release and wait until it is ready."""
        self.workers[release] = self.system.start_worker(
            jobs=self.module(release), ZEROG_POOL=POOL, ZEROG_NAME=release,
            ZEROG_TEMPLATE_HASH=release,
        )  # fmt: skip

    def module(self, release: str) -> Path:
        """Return the file of a release."""
        folder = self.system.folder / release
        folder.mkdir(exist_ok=True)
        file = folder / "converting.py"
        file.write_text(SOURCE.format(fields=RELEASES[release], code=release))
        return file

    def describe(self, release: str) -> None:
        """Do what the operator's describe pod does."""
        subprocess.run(
            [sys.executable, "-m", "zerog", "describe", "--register", str(self.module(release))],
            env={**self.system.env, "ZEROG_TEMPLATE_HASH": release},
            check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip

    def retire(self, release: str) -> None:
        """Tell the worker of a release to go, as the operator does."""
        put(self.system, mailbox_tube_name(release))

    def is_gone(self, release: str) -> None:
        """Wait until a worker that was told to go is gone, for the right reason."""
        assert self.workers[release].wait(DEADLINE_SECONDS) == 0

    def ran(self, uuid: str) -> dict[str, Any]:
        """Wait for a job; return what it says."""
        found = self.system.client.result(uuid, DEADLINE_SECONDS)
        assert isinstance(found, dict)
        return found

    @property
    def current(self) -> dict[str, Any]:
        """The type as the API shows it."""
        return self.system.client.type("convert")


class Caller(threading.Thread):
    """Submits jobs in one release's format, again and again."""

    def __init__(self, rollout: Rollout, release: str) -> None:
        super().__init__(daemon=True)
        self.release = release
        self.accepted: list[str] = []
        #: Refused while it was right.
        self.wronged = 0
        #: Whether a fleet that does not change would take this.
        self.is_right = False
        self._url = rollout.system.env["ZEROG_URL"]
        self._stopping = threading.Event()

    def run(self) -> None:
        with Client(self._url, retry_seconds=DEADLINE_SECONDS) as client:
            while not self._stopping.wait(PAUSE_SECONDS):
                was_right = self.is_right
                try:
                    self.accepted.append(client.submit("convert", SENT[self.release]))
                except ApiError as error:
                    if error.status != 422:
                        raise
                    self.wronged += was_right and self.is_right

    def stop(self) -> None:
        self._stopping.set()
        self.join(DEADLINE_SECONDS)
        assert not self.is_alive()


@pytest.fixture
def rollout(system: System) -> Rollout:
    return Rollout(system)


def roll(rollout: Rollout, old: str, new: str) -> list[Caller]:
    """Roll from one release to the next under load; return the callers, which have ended."""
    callers = {release: Caller(rollout, release) for release in (old, new)}
    callers[old].is_right = True
    for caller in callers.values():
        caller.start()
    until(lambda: callers[old].accepted)
    rollout.describe(new)
    rollout.start(new)
    until(lambda: callers[new].accepted)
    callers[new].is_right = True
    before = len(callers[new].accepted)
    until(lambda: len(callers[new].accepted) > before + 20)
    callers[old].is_right = SENT[old] == SENT[new]
    rollout.retire(old)
    rollout.is_gone(old)
    for caller in callers.values():
        caller.stop()
    return [*callers.values()]


def test_a_field_is_added_removed_and_retyped_under_load(rollout: Rollout) -> None:
    rollout.start("v1")

    callers = [
        caller
        for old, new in (("v1", "v2"), ("v2", "v3"), ("v3", "v4"))
        for caller in roll(rollout, old, new)
    ]

    assert [caller.wronged for caller in callers] == [0] * len(callers)
    assert min(len(caller.accepted) for caller in callers) > 20
    for caller in callers:
        for uuid in caller.accepted:
            found = rollout.ran(uuid)
            assert found["code"] in RUNS[caller.release], found
            assert found["parameters"] == SENT[caller.release]


def test_an_old_worker_that_restarts_in_the_middle_changes_nothing(rollout: Rollout) -> None:
    rollout.start("v1")
    rollout.start("v2")
    before = rollout.current

    rollout.system.stop(rollout.workers["v1"])
    rollout.start("v1")

    after = rollout.current
    assert after["schemaHash"] == before["schemaHash"]
    assert after["introducedTime"] == before["introducedTime"]
    assert after["schema"]["required"] == ["name", "size"]
    for release in ("v1", "v2"):
        uuid = rollout.system.client.submit("convert", SENT[release])
        assert rollout.ran(uuid) == {"code": release, "parameters": SENT[release]}
        assert rollout.system.client.get(uuid)["schemaHash"] in (
            after["schemaHash"],
            *[other["schemaHash"] for other in after["otherVersions"]],
        )


def test_a_roll_back_runs_what_was_accepted_meanwhile_and_takes_the_old_format_again(
    rollout: Rollout,
) -> None:
    rollout.start("v1")
    rollout.start("v2")
    rollout.retire("v1")
    rollout.is_gone("v1")
    client = rollout.system.client
    uuids = [client.submit("convert", SENT["v2"]) for _ in range(100)]

    rollout.describe("v1")
    rollout.start("v1")
    rollout.retire("v2")
    uuids.append(client.submit("convert", SENT["v1"]))
    rollout.is_gone("v2")

    assert {rollout.ran(uuid)["code"] for uuid in uuids[:-1]} == {"v2"}
    assert rollout.ran(uuids[-1])["code"] == "v1"
    assert "size" not in rollout.current["schema"]["properties"]
    with pytest.raises(ApiError, match="size"):
        client.submit("convert", SENT["v2"])


def test_an_old_backlog_is_run_by_the_old_worker_although_it_is_told_to_go(
    rollout: Rollout,
) -> None:
    rollout.start("v1")
    jobs = [{"type": "convert", "parameters": SENT["v1"]}] * 500
    uuids = rollout.system.client.submit_many(jobs)

    rollout.describe("v2")
    rollout.retire("v1")
    rollout.start("v2")
    newer = rollout.system.client.submit("convert", SENT["v2"])
    rollout.is_gone("v1")

    assert {rollout.ran(uuid)["code"] for uuid in uuids} == {"v1"}
    assert rollout.ran(newer)["code"] == "v2"
    assert all(rollout.system.client.get(uuid)["attempt"] == 1 for uuid in uuids[::50])


def test_a_worker_that_somebody_lets_drain_goes_although_jobs_of_its_version_wait(
    rollout: Rollout,
) -> None:
    client = rollout.system.client
    rollout.start("v1")
    until(client.workers)
    client.drain("v1")
    until(lambda: client.workers()[0]["state"] == "draining")
    uuid = client.submit("convert", SENT["v1"])
    rollout.describe("v2")
    rollout.start("v2")

    rollout.retire("v1")
    rollout.is_gone("v1")

    until(lambda: client.info(uuid).get("message"))


def test_jobs_whose_version_died_out_wait_and_say_so_until_it_is_back(rollout: Rollout) -> None:
    client = rollout.system.client
    rollout.start("v1")
    rollout.system.stop(rollout.workers["v1"])
    uuid = client.submit("convert", SENT["v1"])
    version = client.get(uuid)["schemaHash"][:6]

    rollout.start("v2")

    message = until(lambda: client.info(uuid).get("message"))
    assert f"convert@{version}" in message
    assert "size" in message
    assert "roll back" in message
    until(lambda: client.queues()[0]["unservedTypes"] == [f"convert@{version}"])
    rollout.start("v1")
    assert rollout.ran(uuid)["code"] == "v1"
    assert client.get(uuid)["attempt"] == 1


def test_newer_code_runs_an_older_version_s_job_if_it_takes_the_parameters(
    rollout: Rollout,
) -> None:
    client = rollout.system.client
    rollout.start("v4")
    rollout.system.stop(rollout.workers["v4"])
    uuid = client.submit("convert", SENT["v4"])

    rollout.start("v5")

    assert rollout.ran(uuid) == {"code": "v5", "parameters": {**SENT["v4"], "mode": "fast"}}
