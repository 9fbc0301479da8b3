"""A worker's port answers, whoever else is connected and whatever they send."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator

import pytest

from zerog.model.errors import ConfigError
from zerog.worker import probes
from zerog.worker.probes import MAX_HEAD_BYTES, Probes

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@contextlib.asynccontextmanager
async def serving(metrics: bytes = b"zerog 1\n") -> AsyncIterator[Probes]:
    """Serve on a free port."""
    made = Probes(lambda: ("text/plain", metrics))
    await made.listen("127.0.0.1", 0)
    try:
        yield made
    finally:
        made.close()


async def connect(to: Probes, request: bytes = b"") -> Streams:
    reader, writer = await asyncio.open_connection("127.0.0.1", to.port)
    writer.write(request)
    await writer.drain()
    return reader, writer


async def ask(to: Probes, request: bytes) -> bytes:
    """Send a request and return what comes before the connection ends."""
    async with asyncio.timeout(60):
        reader, writer = await connect(to, request)
        found = b""
        with contextlib.suppress(ConnectionError):
            while part := await reader.read(1 << 16):
                found += part
        writer.close()
        return found


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: pod\r\n\r\n".encode()


@pytest.mark.parametrize(
    ("request_", "status", "body"),
    [
        (get("/metrics"), 200, b"zerog 1\n"),
        (get("/metrics?x=1"), 200, b"zerog 1\n"),
        (get("/healthz"), 200, b"ok\n"),
        (get("/other"), 404, b"/metrics, /healthz, /readyz\n"),
        (b"POST /metrics HTTP/1.1\r\n\r\n", 405, b"only GET\n"),
        (b"GET /metrics\r\n\r\n", 400, b"not HTTP/1.1\n"),
        (b"\xff\x00\r\n\r\n", 400, b"not HTTP/1.1\n"),
    ],
)
async def test_each_request_has_its_answer(request_: bytes, status: int, body: bytes) -> None:
    async with serving() as made:
        head, _, found = (await ask(made, request_)).partition(b"\r\n\r\n")

    assert head.split(b" ")[1] == str(status).encode()
    assert f"Content-Length: {len(body)}".encode() in head
    assert found == body


async def test_it_is_ready_while_it_takes_jobs() -> None:
    async with serving() as made:
        assert b" 503 " in await ask(made, get("/readyz"))
        made.unready = None
        assert b" 200 " in await ask(made, get("/readyz"))


async def test_a_head_that_is_too_long_has_no_answer() -> None:
    async with serving() as made:
        assert await ask(made, b"GET /" + b"x" * 2 * MAX_HEAD_BYTES) == b""
        assert b" 200 " in await ask(made, get("/healthz"))


async def test_those_who_hold_connections_keep_nobody_from_an_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(probes, "MAX_CONNECTIONS", 8)
    async with serving() as made:
        idle = [await connect(made, b"GET /he") for _ in range(24)]

        assert b" 200 " in await ask(made, get("/healthz"))

        assert len(made._open) <= 8
        for _, writer in idle:
            writer.close()


async def test_one_who_reads_nothing_is_left_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probes, "REQUEST_SECONDS", 0.1)
    async with serving(b"x" * 64_000_000) as made, asyncio.timeout(60):
        with socket.create_connection(("127.0.0.1", made.port)) as slow:
            slow.sendall(get("/metrics"))
            while not made._open:
                await asyncio.sleep(0.001)

            while made._open:
                await asyncio.sleep(0.01)

        assert b" 200 " in await ask(made, get("/healthz"))


async def test_metrics_are_not_written_again_at_once() -> None:
    written = iter([b"first\n"])
    made = Probes(lambda: ("text/plain", next(written)))

    assert [made.answer("GET", "/metrics")[2] for _ in range(2)] == [b"first\n"] * 2


async def test_a_port_that_is_taken_is_an_error_that_names_it() -> None:
    async with serving() as made:
        with pytest.raises(ConfigError, match=rf"metrics on 127.0.0.1:{made.port} \(Address alrea"):
            await Probes(lambda: ("", b"")).listen("127.0.0.1", made.port)
