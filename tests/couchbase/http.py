"""A small HTTP/1.1 server for the management, query and control endpoints of the test server.

It speaks what the SDK and `http.client` speak: keep-alive, bodies with a Content-Length.
A handler that wants the connection to break raises `CloseConnection`.
"""

import asyncio
import base64
import binascii
import contextlib
import json
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from http import HTTPStatus

from tests.couchbase.tls import named_user

_MAX_BODY_BYTES = 32 * 1024 * 1024


class CloseConnection(Exception):
    """Close without an answer."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """One request; `user` and `password` are those of basic authentication."""

    method: str
    path: str
    body: bytes
    user: str
    password: str
    #: Whom the client's certificate names.
    certified: str | None = None


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """What to answer."""

    status: int
    body: bytes
    content_type: str = "application/json"


def json_response(value: object, status: int = 200) -> HttpResponse:
    """Return an answer of JSON."""
    return HttpResponse(status, json.dumps(value).encode())


Handler = Callable[[HttpRequest], Awaitable[HttpResponse]]


class HttpService:
    """Serves one handler, on one port or on several."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._servers: list[asyncio.Server] = []

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> int:
        """Listen and return the port."""
        server = await asyncio.start_server(self._serve, host, port, ssl=tls)
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    def stop(self) -> None:
        """Accept no more connections."""
        for server in self._servers:
            server.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        certified = named_user(writer.get_extra_info("ssl_object"))
        try:
            with contextlib.suppress(OSError, EOFError, ValueError, CloseConnection):
                while (request := await _read(reader, certified)) is not None:
                    response = await self._handler(request)
                    writer.write(_format(response))
                    await writer.drain()
        finally:
            writer.close()


async def _read(reader: asyncio.StreamReader, certified: str | None) -> HttpRequest | None:
    line = await reader.readline()
    if not line:
        return None
    method, path, _ = line.decode("latin-1").split(" ", 2)
    headers: dict[str, str] = {}
    while (line := await reader.readline()).strip():
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    size = int(headers.get("content-length", "0"))
    if size > _MAX_BODY_BYTES:
        raise ValueError("the body is too large")
    body = await reader.readexactly(size)
    user, password = _credentials(headers.get("authorization", ""))
    return HttpRequest(method, path, body, user, password, certified)


def _credentials(header: str) -> tuple[str, str]:
    scheme, _, text = header.partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, password = base64.b64decode(text).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user, password


def _format(response: HttpResponse) -> bytes:
    phrase = HTTPStatus(response.status).phrase
    head = (
        f"HTTP/1.1 {response.status} {phrase}\r\n"
        f"Content-Type: {response.content_type}\r\n"
        f"Content-Length: {len(response.body)}\r\n\r\n"
    )
    return head.encode() + response.body
