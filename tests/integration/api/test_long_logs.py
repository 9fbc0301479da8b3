"""Logs and outputs at their limits, read by several at once, in a real API process with the memory
of a pod."""

import asyncio
import os
import re
import resource
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from msgspec.structs import replace
from tests.beanstalkd import Beanstalkd

from zerog.client import Client
from zerog.ledger import beside
from zerog.ledger.codec import write_record
from zerog.ledger.reports import Backlog, Reports
from zerog.model import events, life
from zerog.model.limits import (
    EXTRA_LINES,
    LINES_PER_CHUNK,
    MAX_DATA_BYTES,
    MAX_LOG_BYTES,
    MAX_LOG_LINES,
)
from zerog.model.record import JobRecord, WorkerIdentity, new_job_id
from zerog.store import open_datastore
from zerog.store.port import Datastore
from zerog_api.calls.base import LARGE_AT_ONCE
from zerog_api.calls.large import IDLE_SECONDS, TAKE_SECONDS
from zerog_tools.cluster.ports import free_port

DEADLINE_SECONDS = 120
#: Between two questions for health: without it they would take most of the time of both processes.
_PAUSE_SECONDS = 0.01
#: The chart's limit of the API's pod.
MEMORY_BYTES = 512 * 1024 * 1024
READERS = 6
#: 9 KB that would be 200 KB as objects.
ITEMS = (MAX_DATA_BYTES - 2) // 3
SMALL_ITEMS = 1000
ROWS = '{"rows":[%s]}' % ",".join(["[]"] * 3000)  # noqa: UP031


async def write_log(store: Datastore, data: str | None) -> str:
    """Store a job whose attempt has logged as much as it may, and more."""
    now = datetime.now(UTC)
    record = JobRecord(new_job_id(), "Mail", "mail", now, now, parameters={})
    record = life.step(record, events.Claimed(WorkerIdentity("me"), 1), now).record
    await store.insert("jobs", record.uuid, write_record(record))
    reports = Reports(store, record.uuid, 1, Backlog())
    for number in range(MAX_LOG_LINES + EXTRA_LINES + 1):
        reports.take_line(now, "info", f"line {number}", data)
    reports.close()
    await reports.flush()
    ended = life.step(record, events.Returned(1), now).record
    stored = await store.get("jobs", record.uuid)
    assert stored is not None
    await store.replace("jobs", record.uuid, write_record(replace(ended)), stored.revision)
    return record.uuid


async def write_output(store: Datastore, items: int = ITEMS) -> str:
    """Store a job with an output. As objects the largest would take 400 MB."""
    now = datetime.now(UTC)
    record = JobRecord(new_job_id(), "Mail", "mail", now, now, parameters={})
    record = life.step(record, events.Claimed(WorkerIdentity("me"), 1), now).record
    ended = life.step(record, events.Returned(1), now).record
    await beside.write_output(store, ended, [[]] * items)
    await store.insert("jobs", record.uuid, write_record(replace(ended, output_blob_attempt=1)))
    return record.uuid


class Api:
    """An API process with little memory, and jobs that have logged much."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = f"sqlite:///{folder / 'zerog.db'}"
        self.beanstalkd = Beanstalkd()
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.uuids: dict[str, str] = {}

    async def prepare(self) -> None:
        store = await open_datastore(self.store)
        self.uuids["short lines"] = await write_log(store, None)
        self.uuids["long lines"] = await write_log(store, ROWS)
        self.uuids["output"] = await write_output(store)
        self.uuids["small output"] = await write_output(store, SMALL_ITEMS)
        await store.close()

    def start(self) -> None:
        self.beanstalkd.start()
        clean = {name: v for name, v in os.environ.items() if not name.startswith("ZEROG_")}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "zerog", "api", "--port", str(self.port)],
            env={**clean, "ZEROG_STORE": self.store, "ZEROG_QUEUE": self.beanstalkd.address},
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES,) * 2),
        )
        with httpx.Client(transport=httpx.HTTPTransport(retries=8)) as client:
            client.get(f"{self.url}/healthz", timeout=DEADLINE_SECONDS)

    def memory_bytes(self) -> int:
        """Return the most memory that the process has had."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="ascii")
        fields = dict(line.split(":", 1) for line in status.splitlines())
        return int(fields["VmHWM"].split()[0]) * 1024

    def close(self) -> None:
        self.process.kill()
        self.process.wait(DEADLINE_SECONDS)
        self.beanstalkd.kill()


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    made = Api(tmp_path_factory.mktemp("api"))
    asyncio.run(made.prepare())
    made.start()
    try:
        yield made
    finally:
        made.close()


class Health:
    """Asks for the API's health again and again, until it is left."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask)
        self.answered = 0

    def __enter__(self) -> "Health":
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._over.set()
        self._thread.join(DEADLINE_SECONDS)

    def _ask(self) -> None:
        with httpx.Client(base_url=self._url, timeout=DEADLINE_SECONDS) as client:
            while not self._over.wait(_PAUSE_SECONDS):
                self.answered += client.get("/healthz").is_success


def read_pages(url: str, uuid: str) -> tuple[int, list[dict[str, Any]]]:
    """Return how many pages a log has, and its lines without their data."""
    lines: list[dict[str, Any]] = []
    with Client(url) as client:
        pages, cursor = 0, None
        while pages == 0 or cursor is not None:
            page = client.info(uuid, limit=1000, cursor=cursor)
            found = [line for name in ("events", "warnings", "errors") for line in page[name]]
            assert len(found) <= 1000
            lines += [{**line, "data": len(line.get("data", {}).get("rows", ()))} for line in found]
            pages, cursor = pages + 1, page["next"]
    return pages, sorted(lines, key=lambda line: (line["attempt"], line["seq"]))


@pytest.mark.parametrize(("name", "rows"), [("short lines", 0), ("long lines", 3000)])
def test_six_read_a_log_at_its_limits_at_once_and_the_api_stays_small_and_answers(
    api: Api, name: str, rows: int
) -> None:
    before = api.memory_bytes()

    with Health(api.url) as health, ThreadPoolExecutor(READERS) as readers:
        read = list(readers.map(lambda _: read_pages(api.url, api.uuids[name]), range(READERS)))

    for pages, lines in read:
        assert [line["seq"] for line in lines] == list(range(len(lines)))
        assert {line["data"] for line in lines[:-1]} == {rows}
        assert "more lines were not kept" in lines[-1]["message"]
        assert health.answered >= pages
    count = len(read[0][1])
    if rows:
        assert 0.95 * MAX_LOG_BYTES < count * len(ROWS) < 1.05 * MAX_LOG_BYTES
    else:
        assert count == MAX_LOG_LINES + 1
    assert api.memory_bytes() - before < MEMORY_BYTES / 4


@pytest.mark.parametrize("name", ["short lines", "long lines"])
def test_six_follow_such_a_job_at_once(api: Api, name: str) -> None:
    before = api.memory_bytes()

    def follow(_: int) -> list[int]:
        path = f"/v1/jobs/{api.uuids[name]}/stream"
        # As bytes: the time is the API's, not that of six clients in one process.
        first, stream = (httpx.get(api.url + path, timeout=DEADLINE_SECONDS).content for _ in "12")
        assert stream == first
        return [int(seq) for seq in re.findall(rb"^event: log\nid: 1-(\d+)$", stream, re.M)]

    with Health(api.url) as health, ThreadPoolExecutor(READERS) as readers:
        followed = list(readers.map(follow, range(READERS)))

    assert all(seqs == list(range(len(seqs))) for seqs in followed)
    assert all(len(seqs) > 5 * LINES_PER_CHUNK for seqs in followed)
    assert health.answered > READERS
    assert api.memory_bytes() - before < MEMORY_BYTES / 4


def test_clients_that_do_not_read_their_streams_cost_little(api: Api) -> None:
    before = api.memory_bytes()
    path = f"/v1/jobs/{api.uuids['long lines']}/stream"

    with ExitStack() as idle:
        for _ in range(5 * READERS):
            client = idle.enter_context(socket.create_connection(("127.0.0.1", api.port)))
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        _, lines = read_pages(api.url, api.uuids["long lines"])

    assert len(lines) > 5 * LINES_PER_CHUNK
    assert api.memory_bytes() - before < MEMORY_BYTES / 4


@pytest.mark.parametrize("path", ["/v1/jobs/{}/data", "/v1/jobs/{}"])
def test_six_read_the_largest_output_at_once(api: Api, path: str) -> None:
    url = api.url + path.format(api.uuids["output"])

    with Health(api.url) as health, ThreadPoolExecutor(READERS) as readers:
        get = partial(httpx.get, timeout=DEADLINE_SECONDS)
        answers = list(readers.map(get, [url] * READERS))

    assert {answer.status_code for answer in answers} == {200}
    assert all(answer.content.count(b"[]") >= ITEMS for answer in answers)
    assert health.answered > READERS
    assert api.memory_bytes() < MEMORY_BYTES


def ask(api: Api, path: str, times: int, stack: ExitStack, source: str = "127.0.0.1") -> None:
    """Send requests whose answers nobody reads, as long as the stack is open."""
    for _ in range(times):
        address = ("127.0.0.1", api.port)
        client = stack.enter_context(socket.create_connection(address, source_address=(source, 0)))
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())


def get_from(api: Api, path: str, source: str) -> tuple[httpx.Response, float]:
    """Return what an address is answered, and after how many seconds."""
    transport = httpx.HTTPTransport(local_address=source)
    with httpx.Client(transport=transport, timeout=DEADLINE_SECONDS) as client:
        answer = client.get(api.url + path)
    return answer, answer.elapsed.total_seconds()


def test_clients_of_one_address_that_take_nothing_keep_no_other_from_a_large_output(
    api: Api,
) -> None:
    path = f"/v1/jobs/{api.uuids['output']}/data"

    with ExitStack() as idle:
        ask(api, path, 4 * LARGE_AT_ONCE, idle)
        answer, seconds = get_from(api, path, "127.0.0.2")

    assert answer.content.count(b"[]") == ITEMS
    assert seconds < IDLE_SECONDS


def test_while_others_wait_clients_that_take_nothing_are_left(api: Api) -> None:
    path = f"/v1/jobs/{api.uuids['output']}/data"

    with ExitStack() as idle:
        for number in range(LARGE_AT_ONCE):
            ask(api, path, 1, idle, f"127.0.0.{number + 3}")
        time.sleep(1)  # they have all turns
        answer, seconds = get_from(api, path, "127.0.0.2")

    assert answer.content.count(b"[]") == ITEMS
    assert IDLE_SECONDS / 2 < seconds < TAKE_SECONDS / 2


def test_what_is_not_large_waits_for_no_turn(api: Api) -> None:
    with ExitStack() as idle:
        for number in range(2 * LARGE_AT_ONCE):
            ask(api, f"/v1/jobs/{api.uuids['output']}/data", 1, idle, f"127.0.0.{number + 3}")
        time.sleep(1)
        answer, seconds = get_from(api, f"/v1/jobs/{api.uuids['small output']}/data", "127.0.0.2")

    assert len(answer.json()["data"]) == SMALL_ITEMS
    assert seconds < IDLE_SECONDS / 2


def test_clients_that_have_left_cost_nobody_time(api: Api) -> None:
    with ExitStack() as gone:
        ask(api, f"/v1/jobs/{api.uuids['output']}/data", 150, gone)
    answer, seconds = get_from(api, f"/v1/jobs/{api.uuids['output']}/data", "127.0.0.2")

    assert answer.content.count(b"[]") == ITEMS
    assert seconds < IDLE_SECONDS


def test_health_is_answered_while_three_hundred_pages_are_asked_for_at_once(api: Api) -> None:
    with Health(api.url) as health, ExitStack() as clients:
        ask(api, f"/v1/jobs/{api.uuids['short lines']}/info?limit=1000", 300, clients)
        before = health.answered
        answer, _ = get_from(api, f"/v1/jobs/{api.uuids['short lines']}/info", "127.0.0.2")
        time.sleep(1)
        meanwhile = health.answered - before

    assert answer.is_success
    assert meanwhile > 10


def test_a_page_of_long_lines_ends_before_its_limit_of_lines(api: Api) -> None:
    answer = httpx.get(f"{api.url}/v1/jobs/{api.uuids['long lines']}/info?limit=1000")

    assert len(answer.content) < 1.1 * 1024 * 1024
    assert 0 < len(answer.json()["events"]) < 200
    assert answer.json()["next"] == f"1-{len(answer.json()['events']) - 1}"


@pytest.mark.parametrize("cursor", ["", "1", "x-1", "1-x", "1--1", "9" * 40 + "-1"])
def test_a_cursor_that_no_page_has_given_is_refused(api: Api, cursor: str) -> None:
    url = f"{api.url}/v1/jobs/{api.uuids['short lines']}/info"

    answer = httpx.get(url, params={"cursor": cursor})

    assert answer.status_code == 422
    assert answer.json()["errors"][0]["path"] == "?cursor"


def test_a_page_may_begin_at_any_line(api: Api) -> None:
    url = f"{api.url}/v1/jobs/{api.uuids['short lines']}/info"

    page = httpx.get(url, params={"cursor": "1-4998", "limit": 2}).json()
    behind_the_end = httpx.get(url, params={"cursor": "2-0"}).json()

    assert [line["seq"] for line in page["events"]] == [4999, 5000]
    assert page["next"] == "1-5000"
    assert (behind_the_end["events"], behind_the_end["next"]) == ([], None)
