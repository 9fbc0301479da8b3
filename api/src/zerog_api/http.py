"""HTTP on Tornado's server, without its request handlers: a request in, a response out.

`RequestHandler` costs about as much as all the rest of a small answer
(`docs/performance.md`), and ZeroG needs none of what it does. This module knows nothing
of jobs: `Application` finds the route, reads the body within its limit, and writes what
the handler returned. Nothing a client sends raises past it.
"""

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Protocol
from urllib.parse import unquote

from tornado import httputil
from tornado.httputil import HTTPHeaders, RequestStartLine, ResponseStartLine
from tornado.iostream import StreamClosedError

from zerog import jsontext
from zerog.errors import ZeroGError
from zerog_api import problems
from zerog_api.auth.access import OPEN, Access
from zerog_api.problems import Problem

log = logging.getLogger(__name__)

JSON = "application/json"


@dataclass(slots=True)
class Request:
    """What a handler sees of a request."""

    method: str
    path: str
    query: str
    headers: HTTPHeaders
    #: Where the connection comes from.
    address: str = ""
    body: bytes = b""
    #: What the caller may do: handlers ask it.
    access: Access = OPEN
    #: Set when the client has gone: whoever waits may stop.
    closed: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(slots=True)
class Response:
    """A whole answer."""

    status: int = 200
    body: bytes = b""
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class StreamResponse:
    """An answer whose chunks are written as they come."""

    chunks: AsyncIterator[bytes]
    content_type: str
    headers: dict[str, str] = field(default_factory=dict)
    #: Called when the answer has ended, however it did.
    ended: Callable[[], None] | None = None


Answer = Response | StreamResponse
Handler = Callable[[Request], Awaitable[Answer]]


class Origins(Protocol):
    """Lets pages of other origins in (`zerog_api.auth.cors`)."""

    def preflight(self, request: Request) -> Response | None:
        """Return the answer to a browser's question beforehand; None if it is none."""

    def headers(self, request: Request) -> dict[str, str]:
        """Return what an answer has to say besides."""


def json_response(document: Any, status: int = 200, **headers: str) -> Response:
    """Return an answer with a JSON body."""
    return Response(status, jsontext.dumps(document), JSON, headers)


def problem_response(problem: Problem) -> Response:
    """Return the answer that tells of a problem."""
    return Response(
        problem.status,
        jsontext.dumps(problem.to_document()),
        problems.CONTENT_TYPE,
        dict(problem.headers),
    )


class Application(httputil.HTTPServerConnectionDelegate):
    """Connects Tornado's server with the routes.

    `find(method, path)` returns the handler and the route's name for metrics, or raises
    a `Problem`.
    """

    def __init__(
        self,
        find: Callable[[str, str], tuple[Handler, str]],
        *,
        max_body_bytes: int,
        observe: Callable[[str, str, int, float], None] | None = None,
        origins: Origins | None = None,
    ) -> None:
        self.find = find
        self.max_body_bytes = max_body_bytes
        self._observe = observe
        self._origins = origins
        self._open: set[asyncio.Task[None]] = set()
        #: Set at shutdown: streams and waiting requests end.
        self.stopping = asyncio.Event()

    def start_request(
        self, server_conn: object, request_conn: httputil.HTTPConnection
    ) -> httputil.HTTPMessageDelegate:
        """Called by Tornado for every request."""
        # Never what a header says: who is not known yet is told apart by it.
        address = getattr(getattr(request_conn, "context", None), "remote_ip", "")
        return _Message(self, request_conn, str(address))

    def handle(self, request: Request, connection: httputil.HTTPConnection) -> None:
        """Answer a request in a task of its own."""
        task = asyncio.get_running_loop().create_task(self._handle(request, connection))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def finish(self, grace_seconds: float) -> None:
        """Let the requests under way come to their end."""
        self.stopping.set()
        if self._open:
            await asyncio.wait(self._open, timeout=grace_seconds)

    async def _handle(self, request: Request, connection: httputil.HTTPConnection) -> None:
        started = time.perf_counter()
        if self._origins is None:
            answer, name = await self._answer(request)
        else:
            answer, name = await self._answer_origin(request, self._origins)
        status = answer.status if isinstance(answer, Response) else 200
        try:
            if isinstance(answer, Response):
                _write(connection, answer, head=request.method == "HEAD")
            else:
                await _write_stream(connection, answer, request)
        except (StreamClosedError, OSError):
            pass  # the client has gone
        finally:
            if isinstance(answer, StreamResponse) and answer.ended is not None:
                answer.ended()
        if self._observe is not None:
            self._observe(request.method, name, status, time.perf_counter() - started)

    async def _answer_origin(self, request: Request, origins: Origins) -> tuple[Answer, str]:
        if (preflight := origins.preflight(request)) is not None:
            return preflight, "preflight"
        answer, name = await self._answer(request)
        answer.headers.update(origins.headers(request))
        return answer, name

    async def _answer(self, request: Request) -> tuple[Answer, str]:
        name = "none"
        try:
            handler, name = self.find(request.method, request.path)
            return await handler(request), name
        except Problem as problem:
            return problem_response(problem), name
        except ZeroGError as error:
            told = problems.problem_of(error)
            if told.status >= 500:
                log.warning("%s %s: %s", request.method, name, error)
            return problem_response(told), name
        except Exception:  # the top of a request: a bug must not end the server
            log.exception("%s %s failed", request.method, name)
            return problem_response(problems.internal()), name


class _Message(httputil.HTTPMessageDelegate):
    """Collects one request."""

    def __init__(self, app: Application, connection: httputil.HTTPConnection, address: str) -> None:
        self._app = app
        self._connection = connection
        self._address = address
        self._request: Request | None = None
        self._chunks: list[bytes] = []
        self._size = 0
        self._refused = False

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> None:
        assert isinstance(start_line, RequestStartLine)
        path, _, query = start_line.path.partition("?")
        self._request = Request(start_line.method, path, query, headers, self._address)
        if _declared_length(headers) > self._app.max_body_bytes:
            self._refuse()

    def data_received(self, chunk: bytes) -> None:
        self._size += len(chunk)
        if self._size > self._app.max_body_bytes:
            self._refuse()
        elif not self._refused:
            self._chunks.append(chunk)

    def finish(self) -> None:
        if self._refused or self._request is None:
            return
        self._request.body = b"".join(self._chunks)
        self._app.handle(self._request, self._connection)

    def on_connection_close(self) -> None:
        if self._request is not None:
            self._request.closed.set()

    def _refuse(self) -> None:
        if self._refused:
            return
        self._refused = True
        self._chunks.clear()
        limit = self._app.max_body_bytes
        problem = Problem(413, "too-large", f"the body is larger than the {limit} bytes allowed")
        answer = problem_response(problem)
        answer.headers["Connection"] = "close"
        _write(self._connection, answer, head=False)


def _declared_length(headers: HTTPHeaders) -> int:
    text = headers.get("Content-Length", "0")
    return int(text) if text.isascii() and text.isdigit() else 0


def _write(connection: httputil.HTTPConnection, answer: Response, *, head: bool) -> None:
    headers = HTTPHeaders()
    if answer.status != HTTPStatus.NO_CONTENT:  # which has no body by definition
        headers["Content-Length"] = str(len(answer.body))
    if answer.body:
        headers["Content-Type"] = answer.content_type
    _common(headers, answer.headers)
    start = ResponseStartLine("HTTP/1.1", answer.status, HTTPStatus(answer.status).phrase)
    future = connection.write_headers(start, headers, None if head else answer.body)
    future.add_done_callback(_consume)
    connection.finish()


async def _write_stream(
    connection: httputil.HTTPConnection, answer: StreamResponse, request: Request
) -> None:
    headers = HTTPHeaders()
    headers["Content-Type"] = answer.content_type
    _common(headers, answer.headers)
    await connection.write_headers(ResponseStartLine("HTTP/1.1", 200, "OK"), headers)
    async for chunk in answer.chunks:
        if request.closed.is_set():
            return
        await connection.write(chunk)
    connection.finish()


def _common(headers: HTTPHeaders, own: dict[str, str]) -> None:
    headers["X-Content-Type-Options"] = "nosniff"
    for name, value in own.items():
        headers[name] = value


def _consume(future: "asyncio.Future[None]") -> None:
    if not future.cancelled():
        future.exception()  # the client has gone: nobody to tell


def _no_http() -> bytes:
    problem = Problem(400, "not-http", "the request line or a header is broken")
    body = jsontext.dumps(problem.to_document())
    head = (
        f"HTTP/1.1 400 Bad Request\r\nContent-Type: {problems.CONTENT_TYPE}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + body


#: The whole answer to what is no HTTP.
NO_HTTP = _no_http()


def decode_path(segment: str) -> str:
    """Undo the percent-encoding of a path's segment; what is no UTF-8 is replaced."""
    return unquote(segment, errors="replace") if "%" in segment else segment
