"""Processes that start while Couchbase is away wait for it; those that it refuses say why."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.couchbase.process import CouchbaseServer

from .conftest import DEADLINE_SECONDS, JOBS, System, until

#: Several starts, each with what a slow machine takes.
pytestmark = pytest.mark.timeout(400)
#: `zerog.cli.codes.USAGE`: something has to be configured otherwise.
CONFIGURE = 2


@pytest.fixture
def server(tmp_path: Path) -> Iterator[CouchbaseServer]:
    """A Couchbase of a test's own."""
    with CouchbaseServer(tmp_path / "couchbase") as made:
        yield made


@pytest.fixture
def system(tmp_path: Path, server: CouchbaseServer) -> Iterator[System]:
    """A scope in it, and beanstalkd; the test starts the rest."""
    made = System(tmp_path, server)
    made.beanstalkd.start()
    yield made
    made.close()


def log_of(system: System, name: str) -> str:
    """What the process has said whose log is called so."""
    return (system.folder / name).read_text()


def until_it_says(system: System, name: str, text: str) -> None:
    until(lambda: text in log_of(system, name), what=f"{name} says {text!r}")


def call(system: System, method: str, path: str, **options: object) -> httpx.Response | None:
    """Ask the API; None while it does not listen."""
    url = f"http://127.0.0.1:{system.port}{path}"
    try:
        return httpx.request(method, url, timeout=DEADLINE_SECONDS, **options)  # type: ignore[arg-type]
    except httpx.TransportError:
        return None


def test_api_and_worker_that_start_without_couchbase_wait_for_it(
    system: System, server: CouchbaseServer
) -> None:
    server.kill()
    api = system.start("api", "--port", str(system.port))
    worker = system.start("worker", str(JOBS), "--slots", "1")

    refusal = until(
        lambda: call(system, "POST", "/v1/jobs/Echo", json={"value": 1}), what="the API listens"
    )
    assert refusal.status_code == 503
    assert refusal.json()["code"] == "datastore-unavailable"
    assert int(refusal.headers["Retry-After"]) > 0
    assert "couchbase://" not in refusal.text
    alive, ready = call(system, "GET", "/healthz"), call(system, "GET", "/readyz")
    assert alive is not None
    assert alive.status_code == 200
    assert ready is not None
    assert ready.status_code == 503
    for name in ("1-api.log", "2-worker.log"):
        until_it_says(system, name, "waiting for the datastore: couchbase://")
        until(lambda name=name: log_of(system, name).count("next try in") > 1, what=f"{name} tries")  # type: ignore[misc]
    assert (api.poll(), worker.poll()) == (None, None)

    server.start()
    until(system.is_ready, what="the API is ready")
    until(system.client.types, what="the worker has told its types")
    uuid = system.client.submit("Echo", {"value": "late"})

    assert system.client.result(uuid, DEADLINE_SECONDS) == "late"
    assert "connected to couchbase://" in log_of(system, "1-api.log")


def test_who_waits_for_couchbase_can_be_told_to_stop(
    system: System, server: CouchbaseServer
) -> None:
    server.kill()
    processes = [
        system.start("api", "--port", str(system.port)),
        system.start("worker", str(JOBS)),
    ]
    for name in ("1-api.log", "2-worker.log"):
        until_it_says(system, name, "waiting for the datastore")

    assert [system.stop(process) for process in processes] == [0, 0]


def test_a_refused_login_ends_the_process_and_says_what_to_check(system: System) -> None:
    system.store_env["ZEROG_COUCHBASE_PASSWORD"] = "not the one"

    for number, command in enumerate((("api", "--port", str(system.port)), ("worker", str(JOBS)))):
        process: subprocess.Popen[bytes] = system.start(*command)

        assert process.wait(DEADLINE_SECONDS) == CONFIGURE
        said = log_of(system, f"{number + 1}-{command[0]}.log")
        assert "refuses the login" in said
        assert "ZEROG_COUCHBASE_PASSWORD_FILE" in said
        assert "Traceback" not in said
        assert "not the one" not in said
