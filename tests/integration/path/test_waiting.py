"""Clients that wait for a job on Couchbase: real processes, and messages by a real beanstalkd."""

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import greenstalk
import httpx
import pytest
from tests.couchbase.process import CouchbaseServer
from tests.readiness import is_success

from zerog.client import Client
from zerog.model.names import MAILBOX_PREFIX
from zerog.model.record import UNFINISHED
from zerog_tools.cluster.ports import free_port

from .conftest import DEADLINE_SECONDS, System, running_system, until

pytestmark = pytest.mark.timeout(400)
API = Path(__file__).with_name("patient_api.py")
#: The user of the APIs; the worker has another, so that what is asked can be told apart.
OF_APIS = "worker"
#: Nothing was asked for this long: everybody waits.
QUIET_SECONDS = 2.0


class Waiter(threading.Thread):
    """A client that waits for a job at one API, whatever the job reports meanwhile."""

    def __init__(self, port: int, uuid: str) -> None:
        super().__init__(daemon=True)
        self._url = f"http://127.0.0.1:{port}/v1/jobs/{uuid}/progress?wait=1"
        self._progress: dict[str, Any] = {"resultCode": UNFINISHED}
        self.start()

    def run(self) -> None:
        while self._progress["resultCode"] == UNFINISHED:
            answer = httpx.get(self._url, timeout=DEADLINE_SECONDS)
            self._progress = answer.raise_for_status().json()

    def end(self) -> str:
        """Return in which state the job is when the client is told."""
        self.join(DEADLINE_SECONDS)
        return str(self._progress["state"])


@pytest.fixture
def server(tmp_path: Path) -> Iterator[CouchbaseServer]:
    with CouchbaseServer(tmp_path / "couchbase", "--second-user", OF_APIS) as made:
        yield made


@pytest.fixture
def system(tmp_path: Path, server: CouchbaseServer) -> Iterator[System]:
    """A system with an API that nobody waits at."""
    with running_system(System(tmp_path, server)) as made:
        yield made


@contextlib.contextmanager
def patient_apis(
    system: System, server: CouchbaseServer, count: int, *, looks: str = "never"
) -> Iterator[list[int]]:
    """Run more APIs; give their ports."""
    store = system.store.replace(f"{server.user}@", f"{OF_APIS}@")
    env = {**system.env, "ZEROG_STORE": store, "LOOKS": looks}
    ports = [free_port() for _ in range(count)]
    processes = []
    for port in ports:
        with (system.folder / f"{port}-api.log").open("wb") as log:
            command = [sys.executable, str(API), "api", "--port", str(port)]
            processes.append(subprocess.Popen(command, env=env, stdout=log, stderr=log))
    try:
        until(lambda: all(map(is_ready, ports)), what="the APIs are ready")
        yield ports
    finally:
        for process in processes:
            process.terminate()
            process.wait(DEADLINE_SECONDS)


def is_ready(port: int) -> bool:
    return is_success(f"http://127.0.0.1:{port}/readyz")


def until_quiet(server: CouchbaseServer, *names: str) -> None:
    """Wait until nothing is asked any more, of these counts."""
    last: dict[str, int] = {}
    since = time.monotonic()
    deadline = time.monotonic() + DEADLINE_SECONDS
    while time.monotonic() - since < QUIET_SECONDS:
        assert time.monotonic() < deadline, last
        counters = server.counters()
        now = {name: counters.get(name, 0) for name in names}
        if now != last:
            last, since = now, time.monotonic()
        time.sleep(0.1)


def until_they_wait(server: CouchbaseServer, system: System, count: int) -> None:
    """Wait until this many processes hear their tubes, and look at no job any more."""

    def heard() -> bool:
        with greenstalk.Client(("127.0.0.1", system.beanstalkd.port)) as queue:
            tubes = [name for name in queue.tubes() if name.startswith(MAILBOX_PREFIX)]
            return len([t for t in tubes if queue.stats_tube(t)["current-watching"]]) >= count

    until(heard, what="the APIs hear their tubes")
    until_quiet(server, f"{OF_APIS} jobs", f"{OF_APIS} waiters")


def test_two_apis_that_wait_for_a_job_are_told_of_its_end(
    server: CouchbaseServer, system: System
) -> None:
    """Neither looks by itself, and each looks no more often than it is told to."""
    system.start_worker()
    uuid, hold = system.submit_held(steps=1)
    with patient_apis(system, server, 2) as ports:
        waiters = [Waiter(port, uuid) for port in ports]
        until_they_wait(server, system, 2)
        server.reset_counters()

        hold.touch()

        assert [waiter.end() for waiter in waiters] == ["succeeded"] * 2
        # The last report and the end may be two messages.
        assert 2 <= server.counters()[f"{OF_APIS} jobs"] <= 4
        assert server.counters().get(f"{OF_APIS} waiters", 0) == 0


def test_a_client_at_one_api_is_told_what_another_api_does_to_its_job(
    server: CouchbaseServer, system: System
) -> None:
    system.stop(system.start_worker())  # it has registered its types
    uuid = system.client.submit("Echo", {"value": 1})
    with patient_apis(system, server, 2) as ports:
        waiters = [Waiter(port, uuid) for port in ports]
        until_they_wait(server, system, 2)

        with Client(f"http://127.0.0.1:{ports[0]}") as client:
            client.cancel(uuid)

        assert [waiter.end() for waiter in waiters] == ["cancelled"] * 2


def test_a_stream_gets_lines_progress_and_end_by_messages(
    server: CouchbaseServer, system: System
) -> None:
    system.start_worker()
    uuid, hold = system.submit_held(steps=3)
    lines: list[str] = []
    kinds: list[str] = []

    def follow(port: int) -> None:
        with Client(f"http://127.0.0.1:{port}", retry_seconds=DEADLINE_SECONDS) as client:
            for event in client.stream(uuid):
                kinds.append(event.kind)
                if event.kind == "log":
                    lines.append(event.data["message"])

    with patient_apis(system, server, 1) as ports:
        follower = threading.Thread(target=follow, args=ports, daemon=True)
        follower.start()
        until_they_wait(server, system, 1)
        hold.touch()
        follower.join(DEADLINE_SECONDS)

    assert lines == ["step 0", "step 1", "step 2"]
    assert kinds[-1] == "end"


def test_without_the_queue_the_end_is_seen_by_a_look(
    server: CouchbaseServer, system: System
) -> None:
    system.start_worker()
    uuid, hold = system.submit_held(steps=1)
    with patient_apis(system, server, 1, looks="usual") as ports:
        waiter = Waiter(ports[0], uuid)
        until(lambda: server.counters().get(f"{OF_APIS} waiters"), what="it waits")
        system.beanstalkd.kill()

        hold.touch()

        assert waiter.end() == "succeeded"
    system.beanstalkd.start()
