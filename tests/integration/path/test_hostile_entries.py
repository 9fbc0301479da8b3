"""Whoever reaches beanstalkd may put anything into a queue: a worker believes none of it.

Entries are put over the bare protocol, as a stranger in the network would.
"""

import socket

import pytest
from tests.integration.path.conftest import DEADLINE_SECONDS, System, until

from zerog.model.names import tube_name
from zerog.model.record import new_job_id

HOSTILE = [
    b"",
    b"\x00\xff\xfe",
    b"not a job",
    b"../../etc/passwd",
    b'{"type": "Echo", "parameters": {}}',
    b"0190\r\nquit\r\n",
    b"01890000-0000-7000-8000-00000000000g",
    "０１８９００００-0000-7000-8000-000000000000".encode(),
    b"x" * 60_000,
]


class Stranger:
    """Speaks beanstalkd's protocol without knowing anything of ZeroG."""

    def __init__(self, address: str) -> None:
        host, port = address.rsplit(":", 1)
        self._socket = socket.create_connection((host, int(port)), DEADLINE_SECONDS)
        self._file = self._socket.makefile("rb")

    def say(self, line: bytes, body: bytes | None = None) -> bytes:
        """Send a command and return the first line of the answer."""
        self._socket.sendall(line + b"\r\n" + (body + b"\r\n" if body is not None else b""))
        return self._file.readline().strip()

    def put(self, queue: str, body: bytes) -> None:
        """Put an entry at the head of a queue."""
        assert self.say(b"use " + tube_name(queue).encode()).startswith(b"USING")
        assert self.say(b"put 0 0 60 %d" % len(body), body).startswith(b"INSERTED")

    def close(self) -> None:
        """Leave."""
        self._file.close()
        self._socket.close()


def buried(system: System, queue: str = "default") -> int:
    found = [item["buried"] for item in system.client.queues() if item["name"] == queue]
    return int(found[0]) if found else 0


def test_entries_that_are_no_jobs_are_put_aside_and_harm_nobody(shared: System) -> None:
    before = buried(shared)
    workers = {worker["pid"] for worker in shared.client.workers()}
    stranger = Stranger(shared.beanstalkd.address)
    for body in HOSTILE:
        stranger.put("default", body)
    stranger.close()

    assert shared.client.result(shared.client.submit("Echo", {"value": 1}), DEADLINE_SECONDS) == 1
    until(lambda: buried(shared) == before + len(HOSTILE), what="all of them are buried")
    assert {worker["pid"] for worker in shared.client.workers()} == workers


def test_a_job_that_nobody_submitted_does_not_run(shared: System) -> None:
    before = buried(shared)
    stranger = Stranger(shared.beanstalkd.address)
    uuid = new_job_id()
    stranger.put("default", uuid.encode())
    stranger.close()

    until(lambda: buried(shared) == before + 1, what="the entry is buried")
    listed = {job["uuid"] for job in shared.client.list()}
    assert uuid not in listed


def test_a_forged_entry_starts_no_job_before_its_time(shared: System) -> None:
    uuid = shared.client.submit("Echo", {"value": 1}, delay=3600)
    stranger = Stranger(shared.beanstalkd.address)
    stranger.put("default", uuid.encode())
    stranger.close()

    # What comes later in the same queue is done: the forged entry was looked at.
    assert shared.client.result(shared.client.submit("Echo", {"value": 2}), DEADLINE_SECONDS) == 2
    assert shared.client.progress(uuid)["attempt"] == 0


@pytest.mark.parametrize("times", [5])
def test_entries_too_many_run_no_job_twice(shared: System, times: int) -> None:
    uuid = shared.client.submit("Echo", {"value": "once"})
    stranger = Stranger(shared.beanstalkd.address)
    for _ in range(times):
        stranger.put("default", uuid.encode())
    stranger.close()

    assert shared.client.result(uuid, DEADLINE_SECONDS) == "once"
    until(lambda: shared.client.queues() and _is_empty(shared), what="the entries are gone")
    assert len(shared.client.info(uuid)["attempts"]) == 1


def _is_empty(system: System) -> bool:
    queue = next(item for item in system.client.queues() if item["name"] == "default")
    return not queue["ready"] and not queue["reserved"]
