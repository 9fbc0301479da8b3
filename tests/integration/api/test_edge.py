"""The edge of the API, on real sockets: what a stranger, a slow client or a browser under
somebody else's control gets of it, which is a problem document and nothing else."""

import contextlib
import json
import logging
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from tests.integration.api.serving import job_type, serving, until

from zerog.privatefile import write_private
from zerog_api.edge import handler, server, stream
from zerog_api.settings import ApiSettings

TOKEN = "a-token-that-is-long-enough"
DEADLINE_SECONDS = 60
TYPES = [job_type("Mail", "mail"), job_type("Media", "media")]
LARGE = 1_000_000
MAX_BODY = 1024 * 1024


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An API on loopback that lets everybody in."""
    with serving(tmp_path_factory.mktemp("open"), ApiSettings(), TYPES) as found:
        yield found


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """An API that asks for tokens, and lets a client make one call at a time."""
    folder: Path = tmp_path_factory.mktemp("guarded")
    path = folder / "tokens.json"
    entry = {"name": "shop", "token": TOKEN, "verbs": ["create", "get"], "queues": ["mail"]}
    write_private(path, json.dumps({"tokens": [entry]}))
    settings = ApiSettings(auth="tokens", tokens=str(path), max_in_flight=1)
    with serving(folder, settings, TYPES) as found:
        yield found


class Raw:
    """A connection that sends what a test wants."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._socket = socket.create_connection((parts.hostname, parts.port), DEADLINE_SECONDS)

    def send(self, head: str, body: bytes = b"") -> None:
        lines = [line.strip() for line in head.strip().splitlines()]
        self._socket.sendall("\r\n".join([*lines, "", ""]).encode() + body)

    def sendall(self, data: bytes) -> None:
        self._socket.sendall(data)

    def receive_until(self, end: bytes) -> bytes:
        """Return what comes, until it ends so, or the other side closes."""
        data = b""
        while not data.endswith(end) or not end:
            part = self._socket.recv(65536)
            if not part:
                break
            data += part
        return data

    def answer(self) -> tuple[int, dict[str, str], Any]:
        """Return status, headers and problem of the next answer."""
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            byte = self._socket.recv(1)
            assert byte, f"closed after {head!r}"
            head += byte
        status, *lines = head.decode().split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines if line)
        body = b""
        while len(body) < int(headers.get("content-length", "0")):
            body += self._socket.recv(65536)
        return int(status.split()[1]), headers, json.loads(body) if body else None

    def closed(self) -> bool:
        """Wait until the other side has closed."""
        with contextlib.suppress(ConnectionResetError):
            return self._socket.recv(1) == b""
        return True

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def connect() -> Iterator[Callable[[str], Raw]]:
    made: list[Raw] = []

    def one(url: str) -> Raw:
        made.append(Raw(url))
        return made[-1]

    yield one
    for raw in made:
        raw.close()


@pytest.mark.parametrize("path", ["/", "/v1/jobs", "/v1/overview/stream", "/healthz", "/nothing"])
def test_a_name_that_a_stranger_has_made_to_resolve_here_gets_nothing(url: str, path: str) -> None:
    answer = httpx.get(f"{url}{path}", headers={"Host": "evil.example:8080"})

    assert answer.status_code == 421
    assert answer.json()["code"] == "foreign-host"
    assert "ZEROG_HOSTS" in answer.json()["detail"]


def test_such_a_name_changes_no_job_even_as_its_own_origin(url: str) -> None:
    headers = {"Host": "evil.example", "Origin": "http://evil.example"}
    refused = httpx.post(f"{url}/v1/jobs/Mail", json={}, headers=headers)

    assert refused.status_code == 421
    port = urlsplit(url).port
    for host in ("localhost", f"localhost:{port}", f"[::1]:{port}"):
        answer = httpx.post(f"{url}/v1/jobs/Mail", json={}, headers={"Host": host})
        assert answer.status_code == 201, host


def test_a_name_may_be_let_in_and_with_tokens_any_will_do(guarded: str, tmp_path: Path) -> None:
    host = {"Host": "jobs.example"}
    assert httpx.get(f"{guarded}/healthz", headers=host).status_code == 200
    with serving(tmp_path, ApiSettings(hosts=("jobs.example",)), TYPES) as url:
        assert httpx.get(f"{url}/v1/jobs", headers=host).status_code == 200
        assert httpx.get(f"{url}/v1/jobs", headers={"Host": "evil.example"}).status_code == 421


@pytest.mark.parametrize("path", ["/v1/overview/stream", "/v1/jobs/{uuid}/stream"])
def test_head_of_a_stream_is_its_headers(
    url: str, path: str, caplog: pytest.LogCaptureFixture, connect: Callable[[str], Raw]
) -> None:
    uuid = httpx.post(f"{url}/v1/jobs/Mail", json={}).json()["uuid"]
    raw = connect(url)
    for _ in range(2):  # on one connection
        raw.send(f"HEAD {path.format(uuid=uuid)} HTTP/1.1\nHost: localhost")
        status, headers, _ = raw.answer()

        assert (status, headers["content-type"]) == (200, "text/event-stream")
    raw.send("GET /healthz HTTP/1.1\nHost: localhost")
    assert raw.answer()[2] == {"status": "ok"}
    assert [item for item in caplog.records if item.levelno >= logging.ERROR] == []


def test_a_stranger_is_refused_before_the_body_is_read(
    guarded: str, connect: Callable[[str], Raw], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handler, "LINGER_SECONDS", 0.5)
    raw = connect(guarded)
    raw.send(f"POST /v1/jobs/Mail HTTP/1.1\nHost: x\nContent-Length: {LARGE}")

    status, _, problem = raw.answer()

    assert (status, problem["code"]) == (401, "unauthorized")
    assert raw.closed(), "the body does not come"


def test_a_refused_client_that_sends_its_body_keeps_its_connection(
    guarded: str, connect: Callable[[str], Raw]
) -> None:
    raw = connect(guarded)
    for _ in range(2):
        raw.send(f"POST /v1/jobs/Mail HTTP/1.1\nHost: x\nContent-Length: {LARGE}", b" " * LARGE)
        assert raw.answer()[0] == 401


def test_a_stranger_who_asks_before_sending_is_not_asked_to_go_on(
    guarded: str, connect: Callable[[str], Raw]
) -> None:
    raw = connect(guarded)
    raw.send(f"""POST /v1/jobs/Mail HTTP/1.1
        Host: x
        Content-Length: {LARGE}
        Expect: 100-continue""")

    assert raw.answer()[0] == 401
    assert raw.closed()


def test_whoever_may_is_asked_to_go_on_and_may_send_in_parts(
    guarded: str, connect: Callable[[str], Raw]
) -> None:
    body = json.dumps({"text": "x" * (LARGE - 20)}).encode()
    raw = connect(guarded)
    raw.send(f"""POST /v1/jobs/Mail HTTP/1.1
        Host: x
        Authorization: Bearer {TOKEN}
        Content-Length: {len(body)}
        Expect: 100-continue""")
    assert raw.answer()[0] == 100
    raw.sendall(body[:100])
    raw.sendall(body[100:])
    assert raw.answer()[0] == 201
    raw.send("GET /healthz HTTP/1.1\nHost: x")
    assert raw.answer()[0] == 200


@pytest.mark.parametrize("chunked", [False, True])
def test_who_is_refused_hears_it_though_all_of_the_body_is_sent(
    guarded: str, chunked: bool
) -> None:
    body = b"{" + b" " * LARGE + b"}"
    content: Any = iter([body[:1000], body[1000:]]) if chunked else body

    refused = httpx.post(f"{guarded}/v1/jobs/Mail", content=content, timeout=DEADLINE_SECONDS)

    assert refused.status_code == 401


def test_a_body_that_is_too_large_is_refused_before_it_is_read(
    guarded: str, connect: Callable[[str], Raw]
) -> None:
    for path, status in (("Mail", 413), ("Media", 403), ("None", 404)):
        raw = connect(guarded)
        raw.send(f"""POST /v1/jobs/{path} HTTP/1.1
            Host: x
            Authorization: Bearer {TOKEN}
            Content-Length: {100 * MAX_BODY}""")
        assert raw.answer()[0] == status


def test_a_body_of_unknown_length_ends_where_it_is_too_large(guarded: str) -> None:
    parts = (b" " * 65536 for _ in range(3 * MAX_BODY // 65536))
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}

    refused = httpx.post(f"{guarded}/v1/jobs/Mail", content=parts, headers=headers)

    assert (refused.status_code, refused.json()["code"]) == (413, "too-large")


def test_a_length_that_is_told_twice_opens_no_way_around_the_limit(
    guarded: str, connect: Callable[[str], Raw]
) -> None:
    raw = connect(guarded)
    raw.send(f"""POST /v1/jobs/Mail HTTP/1.1
        Host: x
        Content-Length: {10 * MAX_BODY}
        Content-Length: {10 * MAX_BODY}""")

    assert raw.answer()[0] == 401


@pytest.mark.parametrize("digits", [19, 5000])
def test_a_length_of_many_digits_is_too_large_and_no_fault_of_the_server(
    url: str, digits: int, connect: Callable[[str], Raw], caplog: pytest.LogCaptureFixture
) -> None:
    raw = connect(url)
    raw.send(f"POST /v1/jobs/Mail HTTP/1.1\nHost: localhost\nContent-Length: {'9' * digits}")

    assert raw.answer()[0] == 413
    assert not [item for item in caplog.records if item.levelno >= logging.ERROR]


@pytest.mark.parametrize(
    ("kind", "status"),
    [("application/json; charset=utf-8", 201), ("application/vnd.shop+json", 201),
     ("text/plain;json", 415), ("text/plain", 415), ("application/x-www-form-urlencoded", 415)],
)  # fmt: skip
def test_only_json_is_taken_for_json(url: str, kind: str, status: int) -> None:
    answer = httpx.post(f"{url}/v1/jobs/Mail", content="{}", headers={"Content-Type": kind})

    assert answer.status_code == status


def test_a_length_and_chunks_together_are_no_http(
    guarded: str, connect: Callable[[str], Raw]
) -> None:
    raw = connect(guarded)
    raw.send("""POST /v1/jobs/Mail HTTP/1.1
        Host: x
        Content-Length: 5
        Transfer-Encoding: chunked""", b"0\r\n\r\n")  # fmt: skip

    answers = raw.receive_until(b"")  # to the end of the connection
    assert answers.startswith(b"HTTP/1.1 40")
    assert answers.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize("header", ["Transfer-Encoding: gzip", "Content-Length: abc"])
def test_a_body_that_cannot_be_read_gets_one_answer(
    guarded: str, header: str, connect: Callable[[str], Raw]
) -> None:
    raw = connect(guarded)
    raw.send(f"POST /v1/jobs/Mail HTTP/1.1\nHost: x\n{header}")

    assert raw.receive_until(b"").count(b"HTTP/1.1") == 1


def test_a_change_that_did_not_come_whole_is_written_down_as_none(
    guarded: str, connect: Callable[[str], Raw], caplog: pytest.LogCaptureFixture
) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    # The caller may make one call at a time: that of the last test must have ended.
    until(lambda: httpx.get(f"{guarded}/v1/jobs", headers=headers).status_code != 429, "its turn")
    caplog.set_level(logging.INFO, "zerog.audit")
    raw = connect(guarded)
    raw.send(f"""POST /v1/jobs/Mail HTTP/1.1
        Host: x
        Authorization: Bearer {TOKEN}
        Content-Length: 50""", b"{")  # fmt: skip
    raw.close()

    def written() -> list[Any]:
        lines = [item for item in caplog.records if item.name == "zerog.audit"]
        fields = [item.__dict__["fields"] for item in lines]
        return [change["status"] for line in fields for change in line.get("changes", ())]

    until(lambda: 499 in written(), "it is written down")


def test_what_comes_after_the_end_of_a_connection_is_not_done(
    url: str, connect: Callable[[str], Raw]
) -> None:
    def count() -> int:
        return len(httpx.get(f"{url}/v1/jobs?limit=500").json()["jobs"])

    before = count()
    raw = connect(url)
    raw.sendall(
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        b"POST /v1/jobs/Mail HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n{}"
    )

    assert raw.receive_until(b"").count(b"HTTP/1.1") == 1
    assert count() == before


def test_a_body_that_became_too_large_is_not_waited_for(
    guarded: str, connect: Callable[[str], Raw], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handler, "LINGER_SECONDS", 0.5)
    raw = connect(guarded)
    raw.send(f"""POST /v1/jobs/Mail HTTP/1.1
        Host: x
        Authorization: Bearer {TOKEN}
        Transfer-Encoding: chunked""", b"120000\r\n" + b" " * 0x120000 + b"\r\n")  # fmt: skip

    assert raw.answer()[0] == 413
    assert raw.closed(), "no other part comes"


@pytest.mark.parametrize("what", ["progress?wait=60", "stream"])
def test_a_client_that_leaves_gives_its_place_back(
    guarded: str, what: str, connect: Callable[[str], Raw]
) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    with httpx.Client(base_url=guarded, headers=headers) as client:
        uuid = client.post("/v1/jobs/Mail", json={}).json()["uuid"]
        path = f"/v1/jobs/{uuid}/progress"
        raw = connect(guarded)

        def takes_the_place() -> bool:
            nonlocal raw
            raw.close()  # this call may have been in the place of that one
            raw = connect(guarded)
            raw.send(f"""GET /v1/jobs/{uuid}/{what} HTTP/1.1
                Host: x
                Authorization: Bearer {TOKEN}""")
            return client.get(path).status_code == 429

        until(takes_the_place, "the other call is under way")

        raw.close()
        until(lambda: client.get(path).status_code == 200, "its place is free")


def test_a_client_has_so_many_connections_and_the_next_one_is_told_why(
    tmp_path: Path, connect: Callable[[str], Raw]
) -> None:
    settings = ApiSettings(max_connections_per_client=2)
    with serving(tmp_path, settings, TYPES) as url:
        kept = [connect(url) for _ in range(2)]
        for raw in kept:
            raw.send("GET /healthz HTTP/1.1\nHost: localhost")
            assert raw.answer()[0] == 200
        status, _, problem = connect(url).answer()
        assert (status, problem["code"]) == (429, "too-many-connections")

        kept[0].close()

        def free() -> bool:
            with contextlib.suppress(httpx.TransportError):
                return httpx.get(f"{url}/healthz").status_code == 200
            return False

        until(free, "a place is free")


def test_a_client_that_sends_its_headers_slowly_is_closed_and_a_stream_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, connect: Callable[[str], Raw]
) -> None:
    monkeypatch.setattr(server, "SWEEP_SECONDS", 0.05)
    with (
        serving(tmp_path, ApiSettings(), TYPES) as url,
        httpx.stream("GET", f"{url}/v1/overview/stream", timeout=DEADLINE_SECONDS) as overview,
    ):
        lines = overview.iter_lines()
        assert next(lines) == "event: overview"
        monkeypatch.setattr(stream, "HEAD_SECONDS", 0.5)
        slow, silent = connect(url), connect(url)
        slow.sendall(b"GET /healthz HTTP/1.1\r\nHost: loc")

        assert slow.closed()
        assert silent.closed()
        assert next(line for line in lines if line.startswith("event: "))


def test_uuids_and_other_parts_of_a_filter_hold_together(url: str) -> None:
    with httpx.Client(base_url=url) as client:
        mail, media = (
            client.post(f"/v1/jobs/{name}", json={}).json()["uuid"] for name in ("Mail", "Media")
        )

        def cancel(**chosen: object) -> Any:
            return client.post("/v1/jobs:cancel", json={"filter": chosen}).json()

        both = [mail, media, mail]
        assert cancel(uuids=both, state="failed") == {"changed": 0, "more": False}
        assert cancel(uuids=both, type="Media", queue="mail") == {"changed": 0, "more": False}
        assert cancel(uuids=both, type="Media") == {"changed": 1, "more": False}
        assert client.get(f"/v1/jobs/{mail}/progress").json()["state"] == "queued"
        assert cancel(uuids=both, state=["queued"]) == {"changed": 1, "more": False}
        assert cancel(state="done")["errors"][0]["path"] == "$.filter.state"


def test_a_body_full_of_faults_is_told_the_first(tmp_path: Path) -> None:
    numbers = {"type": "array", "items": {"type": "integer"}}
    kind = {**job_type("Sum", "mail"), "schema": {"properties": {"n": numbers}}}
    with serving(tmp_path, ApiSettings(), [kind]) as url:
        few = httpx.post(f"{url}/v1/jobs/Sum", json={"n": ["x"] * 3})
        many = httpx.post(f"{url}/v1/jobs/Sum", json={"n": ["x"] * 100_000})

    assert [item["path"] for item in few.json()["errors"]] == ["$.n[0]", "$.n[1]", "$.n[2]"]
    assert [item["path"] for item in many.json()["errors"]] == ["$.n[0]"]
