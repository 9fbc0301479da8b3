"""HTTP on Tornado's server, without its request handlers: a request in, a response out.

`RequestHandler` costs about as much as all the rest of a small answer
(`docs/performance.md`), and ZeroG needs none of what it does. This module knows nothing
of jobs: `Application` finds the route and writes what the handler returned. Nothing a client
sends raises past it. How a request is read is in `zerog_api.exchange`.
"""

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import aclosing
from http import HTTPStatus
from typing import Protocol

from tornado import httputil
from tornado.http1connection import HTTP1Connection
from tornado.httputil import HTTPHeaders, ResponseStartLine
from tornado.iostream import StreamClosedError

from zerog.model.errors import ZeroGError
from zerog_api import problems
from zerog_api.exchange import Exchange
from zerog_api.http import Answer, Handler, Request, Response, StreamResponse, problem_response
from zerog_api.problems import Problem

log = logging.getLogger(__name__)


class Origins(Protocol):
    """Lets pages of other origins in (`zerog_api.auth.cors`)."""

    def preflight(self, request: Request) -> Response | None:
        """Return the answer to a browser's question beforehand; None if it is none."""

    def headers(self, request: Request) -> dict[str, str]:
        """Return what an answer has to say besides."""


class Application(httputil.HTTPServerConnectionDelegate):
    """Connects Tornado's server with the routes.

    `find(method, path)` returns the handler and the route's name for metrics, or raises
    a `Problem`. `check(request)` raises one for what has no business here at all.
    """

    def __init__(
        self,
        find: Callable[[str, str], tuple[Handler, str]],
        *,
        max_body_bytes: int,
        check: Callable[[Request], None] | None = None,
        observe: Callable[[str, str, int, float], None] | None = None,
        origins: Origins | None = None,
    ) -> None:
        self.find = find
        self.max_body_bytes = max_body_bytes
        self._check = check
        self._observe = observe
        self._origins = origins
        self._open: set[asyncio.Task[None]] = set()
        #: Set at shutdown: streams and waiting requests end.
        self.stopping = asyncio.Event()

    def start_request(
        self, server_conn: object, request_conn: httputil.HTTPConnection
    ) -> httputil.HTTPMessageDelegate:
        """Called by Tornado for every request."""
        assert isinstance(request_conn, HTTP1Connection)
        # Never what a header says: who is not known yet is told apart by it.
        address = str(getattr(request_conn.context, "remote_ip", ""))
        return Exchange(self.handle, request_conn, address, self.max_body_bytes)

    def handle(self, exchange: Exchange, request: Request) -> None:
        """Answer a request in a task of its own."""
        exchange.connection.set_close_callback(request.closed.set)
        task = asyncio.get_running_loop().create_task(self._handle(exchange, request))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def finish(self, grace_seconds: float) -> None:
        """Let the requests under way come to their end."""
        self.stopping.set()
        if self._open:
            await asyncio.wait(self._open, timeout=grace_seconds)

    async def _handle(self, exchange: Exchange, request: Request) -> None:
        started = time.perf_counter()
        if self._origins is None:
            answer, name = await self._answer(request)
        else:
            answer, name = await self._answer_origin(request, self._origins)
        status = answer.status if isinstance(answer, Response) else 200
        head = request.method == "HEAD"
        try:
            if isinstance(answer, Response):
                _write(exchange, answer, head=head)
            else:
                await _write_stream(exchange, answer, request, head=head)
        except (StreamClosedError, OSError):
            pass  # the client has gone
        finally:
            exchange.release()
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
            if self._check is not None:
                self._check(request)
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


def _write(exchange: Exchange, answer: Response, *, head: bool) -> None:
    headers = HTTPHeaders()
    if answer.status != HTTPStatus.NO_CONTENT:  # which has no body by definition
        headers["Content-Length"] = str(len(answer.body))
    if answer.body:
        headers["Content-Type"] = answer.content_type
    if exchange.unread():
        headers["Connection"] = "close"
    _common(headers, answer.headers)
    start = ResponseStartLine("HTTP/1.1", answer.status, HTTPStatus(answer.status).phrase)
    future = exchange.connection.write_headers(start, headers, None if head else answer.body)
    future.add_done_callback(_consume)
    exchange.end()


async def _write_stream(
    exchange: Exchange, answer: StreamResponse, request: Request, *, head: bool
) -> None:
    headers = HTTPHeaders()
    headers["Content-Type"] = answer.content_type
    _common(headers, answer.headers)
    connection = exchange.connection
    async with aclosing(answer.chunks) as chunks:
        await connection.write_headers(ResponseStartLine("HTTP/1.1", 200, "OK"), headers)
        if not head:
            async for chunk in chunks:
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
