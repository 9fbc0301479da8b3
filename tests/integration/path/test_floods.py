"""Floods against a real API process: what its memory and its log take, and who is still served.

The bounds on memory are those of the chart: a limit of 512 MiB, of which an idle API has a fifth.
"""

import asyncio
import contextlib
import json
import re
import resource
import selectors
import socket
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from tests.integration.api.serving import job_type
from tests.integration.path.conftest import DEADLINE_SECONDS, System, until

from zerog.store import open_datastore

CONNECTIONS = 2000
MIB = 1024 * 1024
TOKEN = "a-token-that-is-long-enough"
#: 8,000 short headers in 60 KB.
BOMB = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + b"".join(
    b"a%d:\r\n" % number for number in range(8000)
)
#: As much of a head as is allowed, without its end.
LONG_HEAD = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + b"".join(
    b"a%03d: %s\r\n" % (number, b"x" * 150) for number in range(97)
)


@pytest.fixture(scope="module")
def cold() -> bool:
    """The API's memory is measured, and it inherits how many files it may open."""
    return True


@pytest.fixture(autouse=True)
def _many_files() -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 3 * CONNECTIONS)), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


@pytest.fixture
def guarded(system: System, tmp_path: Path) -> System:
    """An API that asks for tokens."""
    path = tmp_path / "tokens.json"
    entry = {"name": "shop", "token": TOKEN, "verbs": ["create", "get"], "queues": ["*"]}
    path.write_text(json.dumps({"tokens": [entry]}))
    path.chmod(0o600)
    asyncio.run(register(system.store))
    system.stop(system.processes[0])
    system.start_api(ZEROG_AUTH="tokens", ZEROG_TOKENS=str(path))
    return system


async def register(url: str) -> None:
    """Let the API know a type of job: what it accepts it holds, what it refuses it reads away."""
    store = await open_datastore(url)
    await store.upsert("types", "Steps", job_type("Steps", "mail"))
    await store.close()


def peak_bytes(pid: int) -> int:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


def flood(port: int, data: bytes, count: int) -> Counter[bytes]:
    """Send the same bytes on many connections; return the statuses that come back.

    Connections without an answer stay open until the end of all.
    """
    statuses: Counter[bytes] = Counter()
    with contextlib.ExitStack() as stack, selectors.DefaultSelector() as selector:
        for number in range(count):
            # Several clients: one alone may not have so many connections.
            source = (f"127.0.1.{number % 4 + 1}", 0)
            connection = socket.create_connection(("127.0.0.1", port), 30, source)
            stack.callback(connection.close)
            connection.settimeout(DEADLINE_SECONDS)
            with contextlib.suppress(ConnectionError):  # it may be refused on the way
                connection.sendall(data)
            connection.setblocking(False)
            selector.register(connection, selectors.EVENT_READ)
        while ready := selector.select(timeout=2):
            for key, _ in ready:
                selector.unregister(key.fileobj)
                with contextlib.suppress(ConnectionError):
                    statuses[key.fileobj.recv(100)[9:12]] += 1  # type: ignore[union-attr]
    return statuses


def test_header_bombs_are_refused_unparsed(system: System) -> None:
    api = system.processes[0]
    before = peak_bytes(api.pid)

    for _ in range(2):
        statuses = flood(system.port, BOMB + b"\r\n", CONNECTIONS)
        assert set(statuses) <= {b"431", b""}

    # Parsed they took 1.4 MB each. A closed connection is garbage for a while.
    assert peak_bytes(api.pid) - before < 120 * MIB
    assert system.is_ready()


def test_unfinished_heads_hold_no_more_than_their_budget(system: System) -> None:
    api = system.processes[0]
    system.stop(api)
    api = system.start_api(ZEROG_MAX_UNREAD_BYTES=str(8 * MIB))
    before = peak_bytes(api.pid)

    statuses = flood(system.port, LONG_HEAD, CONNECTIONS)

    # 2,000 of them are 31 MiB; each connection itself takes some kilobytes.
    assert statuses[b"503"] > CONNECTIONS / 2
    assert peak_bytes(api.pid) - before < 60 * MIB
    assert system.is_ready()


def test_unfinished_bodies_of_a_caller_hold_no_more_than_their_budget(guarded: System) -> None:
    api = guarded.processes[-1]
    before = peak_bytes(api.pid)
    request = (
        f"POST /v1/jobs/Steps HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {MIB}\r\n\r\n"
    ).encode()

    statuses = flood(guarded.port, request + bytes(MIB - 1), 400)

    assert statuses[b"503"] > 0
    assert peak_bytes(api.pid) - before < 130 * MIB
    assert guarded.is_ready()


def test_requests_alone_write_no_more_than_a_line_a_second(guarded: System) -> None:
    log = max(guarded.folder.glob("*-api.log"), key=lambda path: path.stat().st_mtime)
    url = f"http://127.0.0.1:{guarded.port}"
    good = {"Authorization": f"Bearer {TOKEN}"}
    lines = log.read_text().count("\n")
    with httpx.Client(base_url=url, timeout=DEADLINE_SECONDS) as client:
        for number in range(100):
            client.post("/v1/jobs/None", json={}, headers=good)
            client.get("/v1/jobs/none/info")
            client.get("/v1/jobs", headers={"Authorization": f"Bearer guess-{number}"})
            with socket.create_connection(("127.0.0.1", guarded.port)) as broken:
                broken.sendall(b"no HTTP\r\n\r\n")
                broken.recv(100)
    guarded.beanstalkd.kill()
    with httpx.Client(base_url=url, timeout=DEADLINE_SECONDS) as client:
        for _ in range(100):
            client.get("/readyz")
    guarded.beanstalkd.start()
    until(guarded.is_ready, what="the API is ready again")

    # 500 requests, and each kind of line at most once in each of some seconds.
    assert log.read_text().count("\n") - lines < 100


def test_bodies_that_nobody_reads_stop_nobody_else(guarded: System) -> None:
    uuid = "01890a5d-ac96-774b-bcce-b302099a8057"
    waiting = (
        f"GET /v1/jobs/{uuid}/progress?wait=40 HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {TOKEN}\r\nContent-Length: {MIB}\r\n\r\n"
    ).encode()

    flood(guarded.port, waiting + bytes(MIB - 1), 100)

    answers = [guarded.is_ready() for _ in range(20)]
    assert all(answers)


async def post_all(url: str, body: bytes, count: int) -> Counter[int]:
    """Post the same body at the same time; return the statuses."""
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    limits = httpx.Limits(max_connections=count)
    async with httpx.AsyncClient(base_url=url, timeout=DEADLINE_SECONDS, limits=limits) as client:
        answers = await asyncio.gather(
            *[client.post("/v1/jobs/Steps", content=body, headers=headers) for _ in range(count)]
        )
    return Counter(answer.status_code for answer in answers)


def test_large_bodies_are_objects_only_a_few_at_a_time(guarded: System) -> None:
    api = guarded.processes[-1]
    before = peak_bytes(api.pid)
    body = b'{"a":[' + b",".join([b"[]"] * 340_000) + b"]}"

    statuses = asyncio.run(post_all(f"http://127.0.0.1:{guarded.port}", body, 20))

    assert set(statuses) <= {201, 503}
    assert statuses[201] > 0
    # All at once they took 800 MB.
    assert peak_bytes(api.pid) - before < 300 * MIB
    assert guarded.is_ready()
