"""Requests and answers as handlers see them, whatever serves them (`zerog_api.application`)."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import unquote

from tornado.httputil import HTTPHeaders

from zerog.model import jsontext
from zerog_api import problems
from zerog_api.auth.access import OPEN, Access
from zerog_api.problems import Problem

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
    #: What has been read of the body; `read` gives all of it.
    body: bytes = b""
    #: Reads a body that is not there yet, once.
    reader: Callable[[], Awaitable[bytes]] | None = None
    #: What the caller may do: handlers ask it.
    access: Access = OPEN
    #: Set when the client has gone: whoever waits may stop.
    closed: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self) -> bytes:
        """Return the body. A `Problem` if it is too large, or does not come."""
        if self.reader is not None:
            reader, self.reader = self.reader, None
            self.body = await reader()
        return self.body


@dataclass(slots=True)
class Response:
    """A whole answer."""

    status: int = 200
    body: bytes = b""
    content_type: str = JSON
    headers: dict[str, str] = field(default_factory=dict)


#: A comment this often keeps proxies from closing a silent stream.
STREAM_HEARTBEAT_SECONDS = 15.0


@dataclass(slots=True)
class StreamResponse:
    """An answer whose chunks are written as they come."""

    chunks: AsyncGenerator[bytes, None]
    content_type: str
    headers: dict[str, str] = field(default_factory=dict)
    #: Called when the answer has ended, however it did.
    ended: Callable[[], None] | None = None


Answer = Response | StreamResponse
Handler = Callable[[Request], Awaitable[Answer]]


def json_response(document: Any, status: int = 200, **headers: str) -> Response:
    """Return an answer with a JSON body."""
    return Response(status, _line(document), JSON, headers)


def _line(document: Any) -> bytes:
    """Write JSON with an end of line, for those who read answers in a terminal."""
    return jsontext.dumps(document) + b"\n"


def problem_response(problem: Problem) -> Response:
    """Return the answer that tells of a problem."""
    return Response(
        problem.status,
        _line(problem.to_document()),
        problems.CONTENT_TYPE,
        dict(problem.headers),
    )


def raw_problem(problem: Problem) -> bytes:
    """Return a whole answer for where there is no request, which ends the connection."""
    body = jsontext.dumps(problem.to_document())
    headers = {
        "Content-Type": problems.CONTENT_TYPE,
        "Content-Length": str(len(body)),
        "Connection": "close",
        **problem.headers,
    }
    lines = [f"HTTP/1.1 {problem.status} {HTTPStatus(problem.status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


#: The answer to what is no HTTP.
NO_HTTP = raw_problem(Problem(400, "not-http", "the request line or a header is broken"))


def decode_path(segment: str) -> str:
    """Undo the percent-encoding of a path's segment; what is no UTF-8 is replaced."""
    return unquote(segment, errors="replace") if "%" in segment else segment
