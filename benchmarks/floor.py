"""The floor: Tornado's HTTP server with nothing behind it, on ZeroG's event loop.

What it answers a second is what an API on Tornado could reach on this machine if validating,
storing and queueing cost nothing. `python -m benchmarks.floor` prints the port that it has taken.
"""

import asyncio

import uvloop
from tornado.httpserver import HTTPServer
from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerConnectionDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.netutil import bind_sockets

_BODY = b'{"uuid":"0","resultCode":200}'


class _Exchange(HTTPMessageDelegate):
    def __init__(self, connection: HTTPConnection) -> None:
        self._connection = connection
        self._line = ResponseStartLine("HTTP/1.1", 200, "OK")

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> None:
        if isinstance(start_line, RequestStartLine) and start_line.method == "POST":
            self._line = ResponseStartLine("HTTP/1.1", 201, "Created")

    def finish(self) -> None:
        headers = HTTPHeaders({"Content-Length": str(len(_BODY))})
        self._connection.write_headers(self._line, headers, _BODY)
        self._connection.finish()


class _Floor(HTTPServerConnectionDelegate):
    def start_request(
        self, server_conn: object, request_conn: HTTPConnection
    ) -> HTTPMessageDelegate:
        return _Exchange(request_conn)


async def serve() -> None:
    """Answer every request with the same few bytes."""
    sockets = bind_sockets(0, "127.0.0.1")
    HTTPServer(_Floor()).add_sockets(sockets)
    print(sockets[0].getsockname()[1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve())
