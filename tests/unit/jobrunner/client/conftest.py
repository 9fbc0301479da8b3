"""A REST API that answers from a script, and both clients behind one way of calling them."""

import asyncio
import json
import threading
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from zerog.client import AsyncClient, Client

Chunk = bytes | float


@dataclass(frozen=True, slots=True)
class Answer:
    """One scripted answer. Of `chunks`, bytes are sent and a number is seconds of silence."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    chunks: list[Chunk] | None = None
    #: The connection ends in the middle of the answer, or before it if nothing is streamed.
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it arrived."""

    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    body: Any


class FakeApi:
    """Answers requests in order of the script; the last answer is given for ever."""

    def __init__(self) -> None:
        self.answers: deque[Answer] = deque()
        self.seen: list[Seen] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = False
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def script(self, *answers: Answer) -> None:
        """Set what is answered from now on."""
        self.answers = deque(answers)

    def close(self) -> None:
        """Stop, and wait for the requests under way."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                api._answer(self)

            def do_POST(self) -> None:
                api._answer(self)

            def do_DELETE(self) -> None:
                api._answer(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        return Handler

    def _answer(self, handler: BaseHTTPRequestHandler) -> None:
        handler.close_connection = True
        text = handler.rfile.read(int(handler.headers.get("Content-Length", 0)))
        address = urlsplit(handler.path)
        headers = {name.lower(): value for name, value in handler.headers.items()}
        body = json.loads(text) if text else None
        query = parse_qs(address.query)
        self.seen.append(Seen(handler.command, address.path, query, headers, body))
        answer = self.answers.popleft() if len(self.answers) > 1 else self.answers[0]
        if answer.chunks is not None:
            _stream(handler, answer)
        elif not answer.cut:
            raw = json.dumps(answer.body).encode() if answer.raw is None else answer.raw
            handler.send_response(answer.status)
            headers = {"Content-Length": str(len(raw)), "Connection": "close", **answer.headers}
            for name, value in headers.items():
                handler.send_header(name, value)
            handler.end_headers()
            handler.wfile.write(raw)


def _stream(handler: BaseHTTPRequestHandler, answer: Answer) -> None:
    assert answer.chunks is not None
    handler.send_response(answer.status)
    handler.send_header("Content-Type", "text/event-stream")
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    for chunk in answer.chunks:
        if isinstance(chunk, bytes):
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
            handler.wfile.flush()
        else:
            time.sleep(chunk)
    if not answer.cut:
        handler.wfile.write(b"0\r\n\r\n")


@dataclass(frozen=True, slots=True)
class Caller:
    """Calls a method of a client, blocking or not, and collects what it gives."""

    kind: type[Client] | type[AsyncClient]
    url: str

    def __call__(
        self,
        method: str,
        *args: Any,
        retry_seconds: float = 5.0,
        token: str | None = None,
        **options: Any,
    ) -> Any:
        """Return what the method returns; the items if it gives several."""
        if self.kind is Client:
            with Client(self.url, retry_seconds=retry_seconds, token=token) as client:
                found = getattr(client, method)(*args, **options)
                return list(found) if isinstance(found, Iterator) else found
        return asyncio.run(self._call(method, args, options, retry_seconds, token))

    async def _call(
        self,
        method: str,
        args: tuple[Any, ...],
        options: dict[str, Any],
        retry_seconds: float,
        token: str | None,
    ) -> Any:
        async with AsyncClient(self.url, retry_seconds=retry_seconds, token=token) as client:
            found = getattr(client, method)(*args, **options)
            if hasattr(found, "__aiter__"):
                return [item async for item in found]
            return await found


@pytest.fixture
def api() -> Iterator[FakeApi]:
    """Give a scripted API."""
    fake = FakeApi()
    yield fake
    fake.close()


@pytest.fixture(params=[Client, AsyncClient], ids=["blocking", "async"])
def call(request: pytest.FixtureRequest, api: FakeApi) -> Caller:
    """Give both clients, one after the other."""
    return Caller(request.param, api.url)


@pytest.fixture
def answer() -> type[Answer]:
    """Give the class of scripted answers."""
    return Answer
